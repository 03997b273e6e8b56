"""Pictures: a report's confusion matrices and spectrograms, and features of a model, as PNG files (extra `eval`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from openclap.optional import require
from openclap.types import Waveform

_SMALLEST_DB = -80.0  # below the loudest: what is fainter is drawn black


def draw_confusion(matrix: Sequence[Sequence[float]], classes: Sequence[str], path: Path) -> None:
    """Write a confusion matrix: a row a true class, each row as shares of that class's clips.

    Raises:
        MissingExtraError: without the extra `eval`.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    side = 2.2 + 0.2 * len(classes)
    figure = _figure(side, side, layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    places = np.arange(len(classes))
    axes.set_xticks(places, classes, rotation=90, fontsize=8)
    axes.set_yticks(places, classes, fontsize=8)
    axes.set_xlabel("what the model says")
    axes.set_ylabel("what it is")
    figure.colorbar(image, ax=axes, shrink=0.5, aspect=40, label="share of the true class's clips")
    if len(classes) <= 12:
        for row, column in np.argwhere(counts > 0):
            colour = "white" if shares[row, column] > 0.5 else "black"
            text = f"{counts[row, column]:g}"
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    figure.savefig(path, dpi=110)


def draw_spectrogram(waveform: Waveform, path: Path) -> None:
    """Write a small spectrogram without axes: time to the right, frequency upwards on a mel-like scale.

    Raises:
        MissingExtraError: without the extra `eval`.
    """
    power_db = mel_like_spectrogram(waveform)
    figure = _figure(3.6, 1.3, layout=None)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.imshow(power_db, origin="lower", aspect="auto", cmap="magma", vmin=_SMALLEST_DB, vmax=0)
    figure.savefig(path, dpi=100)


def draw_features(panels: Sequence[tuple[str, np.ndarray]], duration_s: float, path: Path) -> None:
    """Write log-mel features one below the other, all on one scale; what is NaN stays grey.

    Args:
        panels: titles and features of one shape, (frames, mels).
        duration_s: what their frames span together.
        path: of the PNG file.

    Raises:
        MissingExtraError: without the extra `eval`.
    """
    figure = _figure(8.0, 1.9 * len(panels) + 0.3, layout="constrained")
    low, high = np.nanpercentile(np.stack([features for _, features in panels]), [1, 99])
    for place, (title, features) in enumerate(panels):
        axes = figure.add_subplot(len(panels), 1, place + 1, facecolor="0.75")
        extent = (0, duration_s, 0, features.shape[1])
        axes.imshow(
            np.ma.masked_invalid(features.T), origin="lower", aspect="auto", cmap="magma", vmin=low, vmax=high,
            extent=extent, interpolation="nearest",
        )  # fmt: skip
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_ylabel("mel bin")
    axes.set_xlabel("seconds")
    figure.savefig(path, dpi=110, format="png")


def mel_like_spectrogram(waveform: Waveform, columns: int = 360, rows: int = 96) -> np.ndarray:
    """Power in dB below the loudest point, (rows, columns) of a picture; frequencies are spread as mels are."""
    samples = waveform.samples
    window = np.hanning(1024).astype(np.float32)
    padded = np.pad(samples, (0, max(0, 1024 - len(samples))))
    starts = np.linspace(0, len(padded) - 1024, columns).astype(int)
    frames = padded[starts[:, None] + np.arange(1024)] * window
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    mels = np.linspace(0, _mel(waveform.sample_rate_hz / 2), rows)
    bins = 700 * (10 ** (mels / 2595) - 1) * 1024 / waveform.sample_rate_hz
    spread = np.stack([np.interp(bins, np.arange(power.shape[1]), frame) for frame in power], axis=1)
    power_db = 10 * np.log10(spread + 1e-12)
    return np.asarray(power_db - power_db.max())


def _mel(frequency_hz: float) -> float:
    return float(2595 * np.log10(1 + frequency_hz / 700))  # the HTK formula


def _figure(width: float, height: float, layout: Literal["constrained"] | None) -> Any:
    """A figure that no display and no global state of matplotlib is needed for."""
    require("matplotlib", extra="eval", purpose="drawing a report's pictures")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure
