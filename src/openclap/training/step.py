"""One optimiser step: micro-batches to gradients, checked, clipped and applied.

Under accumulation each micro-batch is forwarded and contrasted on its own and the gradients are averaged. A step that
contrasts all of them with each other (GradCache, arXiv 2101.06983) would be another callable of this signature, which
is why a step is handed all its micro-batches at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from openclap.audio.frontend import Frontend
from openclap.models.clap import Clap
from openclap.training.metrics import weighted_mean
from openclap.training.objectives.base import Objective
from openclap.training.optim import OptimConfig, Optimizer, set_rate, set_training_mode, trainable
from openclap.training.precision import Resolved, autocast
from openclap.training.randomness import seeded
from openclap.training.text_cache import PooledTextCache
from openclap.types import PairBatch


@dataclass(frozen=True)
class StepReport:
    """What one step did.

    Attributes:
        losses: the objective's named scalars, averaged over the micro-batches.
        grad_norm: of all trainable parameters, before clipping.
        rate: the learning rate of the heads.
        applied: False if a loss or the norm was not finite, in which case the model is as it was before.
    """

    losses: dict[str, float]
    grad_norm: float
    rate: float
    applied: bool


class TrainStep:
    """Applies one step of an objective to a model.

    Args:
        model: on `device`.
        frontend: on `device`.
        objective: what is minimised.
        optimizer: over the model's trainable parameters.
        config: peak rates, clipping, what is frozen.
        device: where it runs.
        precision: of matrix products in the forward pass.
        seed: with the step's number it fixes all randomness inside the model.
        text_cache: of the frozen text encoder, if it is to be used.
    """

    def __init__(
        self,
        model: Clap,
        frontend: Frontend,
        objective: Objective,
        optimizer: Optimizer,
        config: OptimConfig,
        *,
        device: torch.device,
        precision: Resolved,
        seed: int,
        text_cache: PooledTextCache | None = None,
    ) -> None:
        self._model, self._frontend, self._objective, self._optimizer = model, frontend, objective, optimizer
        self._config, self._device, self._precision, self._seed = config, device, precision, seed
        self._text_cache = text_cache

    def __call__(self, step: int, rate_factor: float, micro_batches: Sequence[PairBatch]) -> StepReport:
        """Take the step with this number.

        Args:
            step: steps taken before this one.
            rate_factor: learning rate as a share of the peak.
            micro_batches: what is accumulated.
        """
        set_training_mode(self._model, self._config)
        rate = set_rate(self._optimizer, self._config, rate_factor)
        statistics = _MovingStatistics(self._model)
        self._optimizer.zero_grad(set_to_none=True)
        cache = nullcontext() if self._text_cache is None else self._text_cache.active()
        with seeded(self._device, self._seed, step), cache:
            parts = [self._backward(batch, 1 / len(micro_batches)) for batch in micro_batches]
        norm = self._clip()
        # The one place where the host waits for the device: whether to apply the step is decided here.
        values = torch.stack([norm, *(value for part in parts for value in part.values())]).tolist()
        norm_value, numbers = values[0], iter(values[1:])
        rows = [{name: next(numbers) for name in part} for part in parts]
        applied = isfinite(norm_value) and all(isfinite(row["loss"]) for row in rows)
        if applied:
            self._optimizer.step()
            self._model.clamp_logit_scale_()
        else:
            statistics.restore()
        losses = weighted_mean((len(batch), row) for batch, row in zip(micro_batches, rows, strict=True))
        return StepReport(losses, norm_value, rate, applied)

    def _backward(self, batch: PairBatch, weight: float) -> dict[str, Tensor]:
        losses = forward(self._model, self._frontend, self._objective, batch, self._device, self._precision)
        (losses["loss"] * weight).backward()  # type: ignore[no-untyped-call]
        return {name: value.detach().float() for name, value in losses.items()}

    def _clip(self) -> Tensor:
        limit = float("inf") if self._config.max_grad_norm is None else self._config.max_grad_norm
        return nn.utils.clip_grad_norm_(trainable(self._model), limit)


def forward(
    model: Clap,
    frontend: Frontend,
    objective: Objective,
    batch: PairBatch,
    device: torch.device,
    precision: Resolved,
) -> dict[str, Tensor]:
    """The objective's scalars for a batch: features in float32, towers in `precision`."""
    batch = batch.to(device)
    with torch.no_grad():
        features = frontend(batch.audio)
    with autocast(device, precision):
        return objective(model, features, batch)


@torch.no_grad()
def validate(
    model: Clap,
    frontend: Frontend,
    objective: Objective,
    batches: Iterable[PairBatch],
    *,
    device: torch.device,
    precision: Resolved,
) -> dict[str, float]:
    """The objective's scalars over `batches` in evaluation mode, averaged over clips; empty if there is no batch."""
    model.eval()
    rows = []
    for batch in batches:
        losses = forward(model, frontend, objective, batch, device, precision)
        rows.append((len(batch), dict(zip(losses, torch.stack(list(losses.values())).tolist(), strict=True))))
    return weighted_mean(rows)


class _MovingStatistics:
    """Batch norms' moving statistics before a step: a clip of NaN would spoil them for good."""

    def __init__(self, model: nn.Module) -> None:
        norms = [module for module in model.modules() if isinstance(module, _NormBase) and module.training]
        self._buffers = [buffer for norm in norms for buffer in norm.buffers(recurse=False)]
        self._saved = [buffer.clone() for buffer in self._buffers]

    def restore(self) -> None:
        for buffer, saved in zip(self._buffers, self._saved, strict=True):
            buffer.copy_(saved)
