"""What a run tells whoever listens: to log, to show progress, to plot. Listening changes nothing of the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from openclap.training.precision import Resolved


@dataclass(frozen=True)
class RunInfo:
    """What is known when a run starts.

    Attributes:
        name: of the run.
        out: its directory.
        start_step: steps done already; above 0 when resumed.
        total_steps: steps at its end, or None if only the clock ends it.
        clips_per_step: clips in one optimiser step.
        steps_per_epoch: optimiser steps in one pass over the training clips.
        parameters: how many there are.
        trainable_parameters: how many of them learn.
        device: where it runs.
        precision: of matrix products.
        notices: what a person should know of the settings before the first step.
    """

    name: str
    out: Path
    start_step: int
    total_steps: int | None
    clips_per_step: int
    steps_per_epoch: float
    parameters: int
    trainable_parameters: int
    device: str
    precision: Resolved
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepRecord:
    """One step that was taken, or skipped.

    Attributes:
        step: steps done, this one included.
        progress: share of the run that is done.
        losses: the objective's named scalars.
        rate: learning rate of the projections.
        grad_norm: before clipping.
        applied: False if it was skipped for not being finite.
        clips_per_s: over the steps since the last log, waiting for data included.
        data_share: share of that time spent waiting for data.
        elapsed_s: seconds of training.
        ids: the examples in it.
    """

    step: int
    progress: float
    losses: Mapping[str, float]
    rate: float
    grad_norm: float
    applied: bool
    clips_per_s: float
    data_share: float
    elapsed_s: float
    ids: tuple[str, ...]


@dataclass(frozen=True)
class RunEnd:
    """What is known when a run ends without an error.

    Attributes:
        step: steps done.
        elapsed_s: seconds of training.
        stopped: whether it was asked to end before its time.
    """

    step: int
    elapsed_s: float
    stopped: bool


class Hook:
    """Listens to a run. Every method does nothing here: override the ones that matter."""

    def on_start(self, info: RunInfo) -> None:
        """The first step is about to be taken."""

    def on_step(self, record: StepRecord) -> None:
        """A step was taken or skipped."""

    def on_log(self, record: StepRecord) -> None:
        """The step's numbers are to be written down: every `log_every` steps, at the last, and when one is skipped."""

    def on_metrics(self, step: int, metrics: Mapping[str, float]) -> None:
        """The model was validated or evaluated after `step` steps."""

    def on_save(self, step: int, directory: Path, *, best: bool) -> None:
        """A checkpoint was written; `best` says whether it is the best so far."""

    def on_notice(self, step: int, message: str) -> None:
        """Something that a person should know: an unreadable clip, a skipped step; before the first step, a setting."""

    def on_end(self, end: RunEnd) -> None:
        """The run has ended, in time or on request, and its last checkpoint is written."""

    def close(self) -> None:
        """Let go of files and the screen: called last, also after an error."""


class Hooks(Hook):
    """Tells each of several hooks, in order."""

    def __init__(self, hooks: Iterable[Hook]) -> None:
        self._hooks = tuple(hooks)

    def on_start(self, info: RunInfo) -> None:
        """Pass it on."""
        for hook in self._hooks:
            hook.on_start(info)

    def on_step(self, record: StepRecord) -> None:
        """Pass it on."""
        for hook in self._hooks:
            hook.on_step(record)

    def on_log(self, record: StepRecord) -> None:
        """Pass it on."""
        for hook in self._hooks:
            hook.on_log(record)

    def on_metrics(self, step: int, metrics: Mapping[str, float]) -> None:
        """Pass it on."""
        for hook in self._hooks:
            hook.on_metrics(step, metrics)

    def on_save(self, step: int, directory: Path, *, best: bool) -> None:
        """Pass it on."""
        for hook in self._hooks:
            hook.on_save(step, directory, best=best)

    def on_notice(self, step: int, message: str) -> None:
        """Pass it on."""
        for hook in self._hooks:
            hook.on_notice(step, message)

    def on_end(self, end: RunEnd) -> None:
        """Pass it on."""
        for hook in self._hooks:
            hook.on_end(end)

    def close(self) -> None:
        """Pass it on."""
        for hook in self._hooks:
            hook.close()
