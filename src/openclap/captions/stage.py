"""What a caption stage is: something that looks at clips' texts and makes captions of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from openclap.config import digest
from openclap.data.example import Example, MadeCaption, NegativeCaption
from openclap.registry import Registry


@dataclass(frozen=True)
class Rejected:
    """A caption that was made and is not used.

    Attributes:
        text: the caption.
        reason: a short phrase that many may share ("too long"), for it is counted by.
    """

    text: str
    reason: str


@dataclass(frozen=True)
class Made:
    """What a stage made of one clip; all empty where it had nothing to do."""

    captions: tuple[MadeCaption, ...] = ()
    negatives: tuple[NegativeCaption, ...] = ()
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True)
class Estimate:
    """What a stage would take for some clips, before it is run.

    Attributes:
        clips: those that it would make something of.
        calls: requests to a service.
        tokens_in: tokens that such a service would read.
        tokens_out: tokens that it would write.
        seconds: how long it takes; None where a run of a few clips must tell.
        cost: in the currency of the prices that were given; None without prices.
        note: what else a person should know before starting.
    """

    clips: int
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float | None = None
    cost: float | None = None
    note: str = ""


class Stage(Protocol):
    """Makes captions of clips' texts; built by a registered factory from the options of a strict `Config`."""

    @property
    def name(self) -> str:
        """As registered; the `maker` of its captions."""
        ...

    @property
    def batch_size(self) -> int:
        """Clips a `make`."""
        ...

    @property
    def concurrency(self) -> int:
        """Calls of `make` at once, in threads; 1 for work that keeps the processor or a GPU busy."""
        ...

    @property
    def identity(self) -> dict[str, Any]:
        """All that could change what the stage makes, as plain values: its options, and its own version.

        What a journal holds of another identity is made anew; the pipeline puts the digest into each caption's details.
        """
        ...

    def estimate(self, examples: Sequence[Example]) -> Estimate:
        """What `make` would take for these clips; calls no service and runs no model."""
        ...

    def make(self, examples: Sequence[Example]) -> list[Made]:
        """What is made of each clip, in order; may be called by several threads at once.

        Raises:
            CaptionError: for what stops the whole run. What is wrong with one clip is a `Rejected` of that clip.
        """
        ...


stages: Registry[Callable[..., Stage]] = Registry("caption stage", "openclap.captions.stages")
"""Factories by name: `stages.get("template")(style="laion")`."""


def stage_digest(stage: Stage) -> str:
    """Twelve hex digits that stand for a stage and everything that decides what it makes."""
    return digest({"stage": stage.name, "identity": stage.identity})[:12]
