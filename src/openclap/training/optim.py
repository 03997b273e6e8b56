"""Optimisers of a model's parameters: which are frozen, which decay, and at which rate each part learns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, Protocol

import torch
from pydantic import Field
from torch import nn

from openclap.config import Config
from openclap.errors import ConfigError
from openclap.models.clap import Clap
from openclap.training.muon import MuonWithAdamW

# Position tables by the names that encoders give them: learnt positions, Swin's and T5's relative biases, GPT-2's wpe.
_POSITION_TABLE = re.compile(r"(^|[._])(pos|position|positional|wpe|relative)([._]|$)")
# Tables by which tokens and patches enter an encoder: each row is a vector of its own.
_TOKEN_TABLE = re.compile(r"embed|(^|[._])(wte|shared)([._]|$)")
_ENCODERS = ("audio_encoder", "text_encoder")
_MATRICES = ", matrices"


class Optimizer(Protocol):
    """What training asks of an optimiser: every `torch.optim.Optimizer`, and `MuonWithAdamW`."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Groups with their learning rates."""
        ...

    def step(self) -> Any:
        """Apply the gradients."""
        ...

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        ...


class EncoderOptimConfig(Config):
    """How one encoder learns.

    Attributes:
        lr_factor: its learning rate as a share of `optim.lr` (a pretrained encoder wants less than fresh projections).
        frozen: it learns nothing, and runs in evaluation mode: no dropout, no moving statistics.
    """

    lr_factor: float = Field(default=1.0, gt=0)
    frozen: bool = False


class OptimConfig(Config):
    """AdamW, or AdamW with Muon for the matrices inside the encoders.

    Attributes:
        name: "adamw"; or "muon", where few steps must go far (see `openclap.training.muon`): two-dimensional weights of
            the encoders are Muon's, but for tables of tokens, patches and positions; all else stays AdamW's.
        lr: peak learning rate of the projections, the logit scale, and encoders with a factor of 1.
        weight_decay: decoupled, of matrices and kernels; norms, biases, position tables and the logit scale have none.
        beta1: decay of AdamW's first moment.
        beta2: decay of AdamW's second moment; 0.98 rather than 0.999 lets contrastive training recover from odd
            batches.
        eps: added to the root of the second moment.
        momentum: Muon's.
        muon_lr_factor: learning rate of Muon's matrices as a share of `lr`, on top of their encoder's own factor.
        max_grad_norm: gradients are scaled to have at most this norm over all parameters; None clips nothing.
        audio_encoder: how the audio encoder learns.
        text_encoder: how the text encoder learns.
    """

    name: Literal["adamw", "muon"] = "adamw"
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.98, ge=0, lt=1)
    eps: float = Field(default=1e-8, gt=0)
    momentum: float = Field(default=0.95, ge=0, lt=1)
    muon_lr_factor: float = Field(default=1.0, gt=0)
    max_grad_norm: float | None = Field(default=1.0, gt=0)
    audio_encoder: EncoderOptimConfig = EncoderOptimConfig()
    text_encoder: EncoderOptimConfig = EncoderOptimConfig()

    def frozen(self) -> tuple[str, ...]:
        """Names of the encoders that do not learn."""
        return tuple(name for name in _ENCODERS if getattr(self, name).frozen)


def freeze(model: Clap, config: OptimConfig) -> None:
    """Make the frozen encoders' parameters need no gradient, and all others need one."""
    model.requires_grad_(True)
    for name in config.frozen():
        model.get_submodule(name).requires_grad_(False)


def set_training_mode(model: Clap, config: OptimConfig) -> None:
    """Put the model into training mode, and its frozen encoders into evaluation mode."""
    model.train()
    for name in config.frozen():
        model.get_submodule(name).eval()


def parameter_groups(model: Clap, config: OptimConfig) -> list[dict[str, Any]]:
    """Groups: each trainable parameter in exactly one, by the part it belongs to, whether it decays, and whose it is.

    A group has `params`, `name`, `lr_factor`, `lr` (the peak) and `weight_decay`; Muon's names end in ", matrices".

    Raises:
        ConfigError: if nothing is left to train.
    """
    groups: dict[str, dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        part = next((encoder for encoder in _ENCODERS if name.startswith(f"{encoder}.")), "projections")
        factor = getattr(config, part).lr_factor if part in _ENCODERS else 1.0
        decays = _decays(name, parameter)
        label = part if decays else f"{part}, no decay"
        if config.name == "muon" and part in _ENCODERS and _is_inner_matrix(name, parameter):
            label, factor = f"{part}{_MATRICES}", factor * config.muon_lr_factor
        group = groups.setdefault(
            label,
            {
                "params": [],
                "name": label,
                "lr_factor": factor,
                "lr": config.lr * factor,
                "weight_decay": config.weight_decay if decays else 0.0,
            },
        )
        group["params"].append(parameter)
    if not groups:
        raise ConfigError("optim: every parameter is frozen, so there is nothing to train")
    return list(groups.values())


def build_optimizer(model: Clap, config: OptimConfig) -> Optimizer:
    """The optimiser over the groups of `model`, whose frozen encoders are frozen by this.

    Raises:
        ConfigError: if nothing is left to train, or Muon would have nothing to do, or this torch has none.
    """
    freeze(model, config)
    groups = parameter_groups(model, config)
    matrices = [group for group in groups if group["name"].endswith(_MATRICES)]
    others = [group for group in groups if not group["name"].endswith(_MATRICES)]
    adamw = torch.optim.AdamW(others, lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps, fused=True)
    if config.name == "adamw":
        return adamw
    if not matrices:
        raise ConfigError("optim.name is 'muon', but no encoder that learns has matrices: set it to 'adamw'")
    return MuonWithAdamW(matrices, adamw, lr=config.lr, momentum=config.momentum)


def set_rate(optimizer: Optimizer, config: OptimConfig, factor: float) -> float:
    """Set every group's learning rate to its peak times `factor`; gives the rate of the projections."""
    for group in optimizer.param_groups:
        group["lr"] = config.lr * group["lr_factor"] * factor
    return config.lr * factor


def trainable(model: nn.Module) -> Iterator[nn.Parameter]:
    """The parameters that learn."""
    return (parameter for parameter in model.parameters() if parameter.requires_grad)


def _decays(name: str, parameter: nn.Parameter) -> bool:
    is_matrix = parameter.ndim >= 2  # norms, biases, scales and single learnt vectors have fewer dimensions
    return is_matrix and _POSITION_TABLE.search(name) is None


def _is_inner_matrix(name: str, parameter: nn.Parameter) -> bool:
    return parameter.ndim == 2 and _decays(name, parameter) and _TOKEN_TABLE.search(name) is None
