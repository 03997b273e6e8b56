"""Learning curves of a run, drawn from its log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openclap.atomic import file_written_whole
from openclap.optional import require
from openclap.training.hooks import Hook, RunEnd
from openclap.training.log import read_log

_SMOOTHING = 0.9
"""Weight of the past in the drawn running mean of a step's numbers."""

Series = tuple[list[int], list[float]]


class Curves(Hook):
    """Draws `curves.png` at the end of a run, also of one that was stopped.

    Args:
        log: the run's `log.jsonl`.
        path: the picture.

    Raises:
        MissingExtraError: without the extra `train`; now, not after hours of training.
    """

    def __init__(self, log: Path, path: Path) -> None:
        require("matplotlib", extra="train", purpose="trainer.curves")
        self._log, self._path = log, path

    def on_end(self, end: RunEnd) -> None:  # noqa: ARG002
        """Draw."""
        draw_curves(self._log, self._path)


def draw_curves(log: Path, path: Path) -> None:
    """Write a picture of loss, validation metrics, learning rate with gradient norm, and speed over steps.

    Args:
        log: a `log.jsonl`.
        path: where to; the ending says the format.

    Raises:
        MissingExtraError: without the extra `train`.
    """
    require("matplotlib", extra="train", purpose="drawing curves")
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # no pyplot: no global state, and no display
    from matplotlib.figure import Figure

    events = list(read_log(log))
    steps = [event for event in events if event["kind"] == "step"]
    metrics = [event for event in events if event["kind"] == "metrics"]
    figure = Figure(figsize=(11, 7), layout="constrained")
    FigureCanvasAgg(figure)
    loss, accuracy, rate, speed = figure.subplots(2, 2).flat

    _plot(loss, series(steps, "loss"), "training", smooth=True)
    _plot(loss, series(metrics, "validation/loss"), "validation")
    loss.set_title("loss")
    # Only shares fit one axis; other metrics have their own scale, and are in the log.
    for name in _names(metrics):
        found = series(metrics, name)
        if name != "validation/loss" and all(0 <= value <= 1 for value in found[1]):
            _plot(accuracy, found, name.removeprefix("validation/").replace("_", " "))
    accuracy.set_title("validation")
    _plot(rate, series(steps, "rate"), "learning rate")
    rate.set_title("learning rate and gradient norm")
    norm = rate.twinx()
    _plot(norm, series(steps, "grad_norm"), "gradient norm", smooth=True, color="tab:orange")
    norm.set_yscale("log")
    _plot(speed, series(steps, "clips_per_s"), "clips per second")
    speed.set_title("speed")
    speed.set_ylim(bottom=0)
    for axes in (loss, accuracy, rate, norm, speed):
        axes.set_xlabel("step")
        if axes is not norm:
            axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="upper left" if axes is norm else "best", fontsize="small")
    with file_written_whole(path) as fresh:
        figure.savefig(fresh, dpi=120)


def series(events: Sequence[dict[str, Any]], name: str) -> Series:
    """Steps and values of one name, where it has a number."""
    points = [(event["step"], event[name]) for event in events if isinstance(event.get(name), int | float)]
    return [step for step, _ in points], [value for _, value in points]


def _names(events: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for event in events for name in event if name not in {"kind", "step"}))


def _plot(axes: Any, points: Series, label: str, *, smooth: bool = False, color: str | None = None) -> None:
    steps, values = points
    if not steps:
        return
    if smooth and len(steps) > 20:
        (line,) = axes.plot(steps, values, alpha=0.25, color=color)
        axes.plot(steps, _running_mean(values), label=label, color=line.get_color())
    else:
        axes.plot(steps, values, label=label, color=color, marker="o" if len(steps) < 20 else None, markersize=3)


def _running_mean(values: Sequence[float]) -> list[float]:
    """Exponential running mean, without the pull towards its start."""
    total, weight, means = 0.0, 0.0, []
    for value in values:
        total = _SMOOTHING * total + (1 - _SMOOTHING) * value
        weight = _SMOOTHING * weight + (1 - _SMOOTHING)
        means.append(total / weight)
    return means
