"""What a run minimises: the protocol that the training loop knows, and the registry of objectives.

The loop knows nothing of contrast or masks, and an objective knows nothing of devices, ranks or files. A new objective
is one file in this package that registers a factory: `factory(loss, **options) -> Objective`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from openclap.config import Config
from openclap.errors import ConfigError
from openclap.losses.base import PairLoss, losses
from openclap.models.clap import Clap
from openclap.registry import Registry
from openclap.types import NegativeOutput, PairBatch, TextBatch


class Objective(Protocol):
    """A batch to what is minimised.

    Attributes:
        reads_text: whether batches must have texts; clips need no captions where nobody reads them.
    """

    reads_text: bool

    def check(self, model: Clap) -> None:
        """Make sure that this objective can train a model.

        Raises:
            ConfigError: if it cannot; says what to set.
        """
        ...

    def __call__(
        self, model: Clap, features: Float[Tensor, "batch views frames mels"], batch: PairBatch
    ) -> dict[str, Tensor]:
        """Scalars of the batch, float32: "loss", which carries the gradient, and named parts to log, which need not.

        Args:
            model: both towers; in training mode while it trains, in evaluation mode for validation.
            features: log-mel of `batch.audio`.
            batch: the pairs, on the model's device.
        """
        ...


class ObjectiveConfig(Config):
    """Which objective.

    Attributes:
        name: a registered objective.
        loss: the registered loss between audio and text embeddings, "infonce" or "siglip"; "mae" has no texts, and
            does not read it.
        options: what the objective takes besides.
    """

    name: str = "contrastive"
    loss: str = "infonce"
    options: dict[str, Any] = Field(default_factory=dict)


ObjectiveFactory = Callable[..., Objective]

objectives: Registry[ObjectiveFactory] = Registry("objective", "openclap.training.objectives")


def build_objective(config: ObjectiveConfig) -> Objective:
    """The objective that `config` names.

    Raises:
        UnknownNameError: if the objective or its loss is not registered.
        ConfigError: if the objective does not take an option, or not its value.
    """
    factory = objectives.get(config.name)
    loss: PairLoss = losses.get(config.loss)
    try:
        return factory(loss, **config.options)
    except TypeError as error:
        raise ConfigError(f"objective.options do not fit the objective {config.name!r}: {error}") from error


def texts_of(batch: PairBatch) -> TextBatch:
    """The texts of a batch, for an objective that reads them.

    Raises:
        ConfigError: if it has none.
    """
    if batch.text is None:
        raise ConfigError(
            "this objective reads texts, but the batch has none: take the objective 'mae' for sound alone"
        )
    return batch.text


def negatives_of(model: Clap, batch: PairBatch) -> NegativeOutput | None:
    """What a model gives for the batch's negative captions; None where it has none."""
    if batch.negatives is None:
        return None
    text = batch.negatives.text
    vectors = model.encode_text(text.input_ids, text.attention_mask)
    second = None if model.mlp_heads is None else model.mlp_heads.text(vectors)
    return NegativeOutput(vectors, batch.negatives.clip, second)


def check_text(model: Clap, name: str) -> None:
    """Make sure that a model has a text tower for the objective of this name.

    Raises:
        ConfigError: if it has none.
    """
    if not model.has_text:
        raise ConfigError(f"objective {name!r} needs a text tower, but model.text is null: name one, or set text_init")
