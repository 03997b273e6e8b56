"""Lower the learning rate where validation no longer gets better, as MS-CLAP does (arXiv 2309.05767, section 3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from openclap.training.schedule import ScheduleConfig

_RISE = 1e-4  # a loss counts as better when it is so much smaller, as a share of the best


@dataclass(frozen=True)
class Plateau:
    """What the validations so far say of the learning rate.

    Attributes:
        factor: what the rate is multiplied by now.
        best: the least loss so far; None before the first.
        waited: validations since then.
    """

    factor: float = 1.0
    best: float | None = None
    waited: int = 0

    def after(self, loss: float, config: ScheduleConfig) -> Plateau:
        """What is so after one more validation; the same where the schedule does not ask."""
        if config.shape != "plateau":
            return self
        if self.best is None or loss < self.best - _RISE * abs(self.best):
            return replace(self, best=loss, waited=0)
        if self.waited + 1 < config.plateau_patience:
            return replace(self, waited=self.waited + 1)
        return replace(self, factor=self.factor * config.plateau_factor, waited=0)
