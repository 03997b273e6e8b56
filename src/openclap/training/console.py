"""A run on the screen: one moving line on a terminal, a plain line for each log elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from openclap.training.hooks import Hook, RunEnd, RunInfo, StepRecord

_SHOWN = 8
"""How many metrics one line shows; all of them are in log.jsonl."""


class ConsoleHook(Hook):
    """Shows step, loss, clips per second and time left.

    Args:
        console: where to; the caller's, since a library does not own the screen.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._info: RunInfo | None = None
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def on_start(self, info: RunInfo) -> None:
        """Say what runs, and show the bar."""
        self._info = info
        about = (
            f" · {info.parameters / 1e6:.1f} M parameters, {info.trainable_parameters / 1e6:.1f} M learn"
            f" · {info.device}, {info.precision}"
            f" · {info.clips_per_step} clips a step, {info.steps_per_epoch:.4g} steps an epoch · {info.out}"
        )
        self._console.print(Text.assemble((info.name, "bold"), about), soft_wrap=True)
        if info.start_step:
            self._console.print(f"resumed at step {info.start_step}", highlight=False)
        if self._console.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                TextColumn("{task.percentage:>3.0f} % · {task.fields[numbers]} ·"),
                TimeElapsedColumn(),
                TextColumn("· left"),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._task = self._progress.add_task("training", total=1.0, numbers="…")
            self._progress.start()

    def on_step(self, record: StepRecord) -> None:
        """Move the bar."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=record.progress, numbers=self._numbers(record))

    def on_log(self, record: StepRecord) -> None:
        """Off a terminal, write a line."""
        if self._progress is None:
            left = _minutes(record.elapsed_s * (1 - record.progress) / max(record.progress, 1e-9))
            self._console.print(f"{self._numbers(record)} · left {left}", highlight=False, markup=False, soft_wrap=True)

    def on_metrics(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write an evaluation's numbers."""
        shown = [f"{name.removeprefix('validation/')} {value:.4g}" for name, value in metrics.items()]
        more = [] if len(shown) <= _SHOWN else [f"and {len(shown) - _SHOWN} more"]
        line = " · ".join([f"step {step} validated", *shown[:_SHOWN], *more])
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def on_notice(self, step: int, message: str) -> None:
        """Write the message."""
        self._console.print(f"step {step}: {message}", style="yellow", highlight=False, markup=False, soft_wrap=True)

    def on_save(self, step: int, directory: Path, *, best: bool) -> None:  # noqa: ARG002
        """Say that there is a new best; a checkpoint that is only newer needs no line."""
        if best:
            self._console.print(f"step {step}: saved as the best so far", highlight=False, markup=False, soft_wrap=True)

    def on_end(self, end: RunEnd) -> None:
        """Say how it ended."""
        self._stop()
        how = "stopped on request, and saved" if end.stopped else "done"
        line = f"{how}: {end.step} steps in {_minutes(end.elapsed_s)} of training"
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Leave the screen as it was."""
        self._stop()

    def _numbers(self, record: StepRecord) -> str:
        total = "" if self._info is None or self._info.total_steps is None else f"/{self._info.total_steps}"
        loss = record.losses.get("loss", float("nan"))
        return f"step {record.step}{total} · loss {loss:.4f} · {record.clips_per_s:.1f} clips/s"

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
