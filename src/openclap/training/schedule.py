"""The learning rate as a function of how much of the run is done, whatever the run is measured in."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from openclap.config import Config
from openclap.errors import ConfigError


class ScheduleConfig(Config):
    """Warm-up, then decay.

    Attributes:
        shape: what follows the warm-up: half a "cosine", a "linear" fall, "constant", or "plateau": constant, and
            multiplied by `plateau_factor` whenever validation has stopped to get better (`Plateau`).
        warmup: share of the run in which the rate rises linearly from zero.
        warmup_steps: the same in optimiser steps, in place of `warmup`.
        final: the rate at the end, as a share of the peak ("cosine" and "linear").
        plateau_factor: what the rate is multiplied by at a plateau.
        plateau_patience: validations in a row without a better loss that make a plateau.
    """

    shape: Literal["cosine", "linear", "constant", "plateau"] = "cosine"
    warmup: float = Field(default=0.05, ge=0, lt=1)
    warmup_steps: int | None = Field(default=None, ge=0)
    final: float = Field(default=0.0, ge=0, le=1)
    plateau_factor: float = Field(default=0.1, gt=0, lt=1)
    plateau_patience: int = Field(default=5, gt=0)

    def over(self, total_steps: int | None) -> ScheduleConfig:
        """The same schedule with its warm-up as a share of a run of so many steps.

        Raises:
            ConfigError: if the warm-up is given in steps, and the run has no more, or is ended by the clock alone.
        """
        if self.warmup_steps is None:
            return self
        if total_steps is None or self.warmup_steps >= total_steps:
            length = "is ended by the clock alone" if total_steps is None else f"has {total_steps} steps"
            raise ConfigError(
                f"schedule.warmup_steps is {self.warmup_steps}, but the run {length}: set schedule.warmup_steps to "
                "null and schedule.warmup to a share of the run, or make the run longer (trainer.max_epochs)"
            )
        return self.model_copy(update={"warmup": self.warmup_steps / total_steps, "warmup_steps": None})


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
    """The learning rate at `progress` in [0, 1], as a share of its peak; what plateaus take off comes on top."""
    if progress < config.warmup:
        return progress / config.warmup
    if config.shape in {"constant", "plateau"}:
        return 1.0
    decayed = (progress - config.warmup) / (1 - config.warmup)
    share = 0.5 * (1 + math.cos(math.pi * decayed)) if config.shape == "cosine" else 1 - decayed
    return config.final + (1 - config.final) * share
