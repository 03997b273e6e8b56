"""The learning rate as a function of how much of the run is done, whatever the run is measured in."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from openclap.config import Config


class ScheduleConfig(Config):
    """Warm-up, then decay.

    Attributes:
        shape: what follows the warm-up: half a "cosine", a "linear" fall, or "constant".
        warmup: share of the run in which the rate rises linearly from zero.
        final: the rate at the end, as a share of the peak ("constant" ignores it).
    """

    shape: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = Field(default=0.05, ge=0, lt=1)
    final: float = Field(default=0.0, ge=0, le=1)


class DurationConfig(Config):
    """How long a run is: it ends at the first of the limits given, and the schedule runs towards that one.

    Attributes:
        max_steps: optimiser steps.
        max_epochs: passes over the training clips; a fraction is welcome.
        max_minutes: minutes of training, waiting for data included, validation and saving not. The learning rates then
            depend on the clock: resuming keeps the minutes used, but is not bit-exact.
    """

    max_steps: int | None = Field(default=None, gt=0)
    max_epochs: float | None = Field(default=None, gt=0)
    max_minutes: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _has_an_end(self) -> DurationConfig:
        if self.max_steps is None and self.max_epochs is None and self.max_minutes is None:
            raise ValueError("a run needs an end: give max_steps, max_epochs or max_minutes")
        return self

    def total_steps(self, steps_per_epoch: float) -> int | None:
        """The step at which the run ends, or None if only the clock ends it."""
        limits = [] if self.max_steps is None else [self.max_steps]
        if self.max_epochs is not None:
            limits.append(math.ceil(self.max_epochs * steps_per_epoch))
        return min(limits) if limits else None

    def progress(self, step: float, total_steps: int | None, elapsed_s: float) -> float:
        """Share of the run that is done, in [0, 1].

        Args:
            step: steps done; the middle of a step is half a step on.
            total_steps: as `total_steps` gives it.
            elapsed_s: seconds of training.
        """
        by_steps = 0.0 if total_steps is None else step / total_steps
        by_time = 0.0 if self.max_minutes is None else elapsed_s / (60 * self.max_minutes)
        return min(1.0, max(by_steps, by_time))


def rate_factor(config: ScheduleConfig, progress: float) -> float:
    """The learning rate at `progress` in [0, 1], as a share of its peak."""
    if progress < config.warmup:
        return progress / config.warmup
    if config.shape == "constant":
        return 1.0
    decayed = (progress - config.warmup) / (1 - config.warmup)
    share = 0.5 * (1 + math.cos(math.pi * decayed)) if config.shape == "cosine" else 1 - decayed
    return config.final + (1 - config.final) * share
