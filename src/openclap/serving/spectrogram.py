"""A clip's log-mel spectrogram as the bytes of a picture, made by the front-end that models hear through.

The settings are for the eye, not a model's: the sound's own rate, so that nothing above a model's limit is hidden, and
as many columns as a page has room for. Of a long recording a column is the loudest of its frames: a short sound stays
to be seen.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch.nn import functional as F

from openclap.audio.decode import audio_info, decode, decode_blocks
from openclap.audio.filter_bank import hz_to_mel
from openclap.audio.mel import LogMel, MelConfig
from openclap.types import Waveform

RANGE_DB = 80.0
"""From the loudest point of a picture down to its darkest."""

_WINDOW_S = 0.045
_SHORTEST_HOP_S = 0.002
_MOST_MELS = 128
_FRAMES_A_BLOCK = 2048
_FAINTEST_PEAK_DB = -20.0  # silence is drawn dark, not as loud as its own loudest point
_TICKS_HZ = (50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000)


@dataclass(frozen=True)
class Spectrogram:
    """A picture of a clip.

    Attributes:
        levels: 255 is the loudest point, 0 is `RANGE_DB` below it and everything fainter; the highest band comes first.
        duration_s: what the columns span.
        peak_db: the loudest point, where 0 is full scale of one band.
        ticks: (frequency in Hz, its place from the top as a share of the height).
    """

    levels: UInt8[np.ndarray, "bands columns"]
    duration_s: float
    peak_db: float
    ticks: tuple[tuple[int, float], ...]

    def head(self) -> dict[str, Any]:
        """All but the levels, as plain values."""
        bands, columns = self.levels.shape
        return {
            "bands": bands,
            "columns": columns,
            "duration_s": self.duration_s,
            "peak_db": round(self.peak_db, 1),
            "range_db": RANGE_DB,
            "ticks": [{"hz": hz, "place": round(place, 4)} for hz, place in self.ticks],
        }


def draw(
    source: str | os.PathLike[str], *, start_s: float = 0.0, duration_s: float | None = None, columns: int = 1200
) -> Spectrogram:
    """The spectrogram of a clip, in at most `columns` columns.

    A whole file is read block by block, so that hours of sound take no more memory than minutes.

    Raises:
        AudioError: if the sound cannot be used.
    """
    info = audio_info(source)
    if start_s == 0 and duration_s is None:
        n_samples = info.frames
        clip = None
    else:
        clip = decode(source, start_s=start_s, duration_s=duration_s, allow_silent=True)
        n_samples = len(clip.samples)
    config = _config(info.sample_rate_hz, n_samples / columns)
    block_s = _FRAMES_A_BLOCK * config.hop_length / info.sample_rate_hz
    blocks = decode_blocks(source, block_s=block_s) if clip is None else _cut(clip, _FRAMES_A_BLOCK * config.hop_length)
    frames, counted = _features(blocks, LogMel(config))
    pooled = _loudest(frames, columns)
    peak_db = float(pooled.max())
    levels = np.clip((pooled - max(peak_db, _FAINTEST_PEAK_DB)) / RANGE_DB + 1.0, 0.0, 1.0) * 255.0
    picture = np.ascontiguousarray(np.rint(levels).astype(np.uint8).T[::-1])
    return Spectrogram(picture, counted / info.sample_rate_hz, peak_db, _ticks(config))


def _config(sample_rate_hz: int, samples_a_column: float) -> MelConfig:
    """Frames of about 45 ms that leave no sample out; no more bands than the transform has bins to fill them."""
    n_fft = 2 ** max(6, round(math.log2(_WINDOW_S * sample_rate_hz)))
    hop_length = math.ceil(max(samples_a_column, _SHORTEST_HOP_S * sample_rate_hz))
    return MelConfig(
        sample_rate_hz=sample_rate_hz,
        n_mels=min(_MOST_MELS, n_fft // 4),
        n_fft=n_fft,
        win_length=n_fft,
        hop_length=min(hop_length, n_fft // 2),
        f_min_hz=0.0,
        f_max_hz=sample_rate_hz / 2,
        mel_norm="none",
    )


def _cut(clip: Waveform, n_samples: int) -> Iterator[Waveform]:
    for first in range(0, len(clip.samples), n_samples):
        yield Waveform(clip.samples[first : first + n_samples], clip.sample_rate_hz)


def _features(blocks: Iterator[Waveform], log_mel: LogMel) -> tuple[Float32[np.ndarray, "frames mels"], int]:
    """The frames of all blocks after each other, and how many samples they had."""
    config, parts, counted = log_mel.config, [], 0
    with torch.inference_mode():
        for block in blocks:
            counted += len(block.samples)
            samples = torch.from_numpy(np.require(block.samples, requirements="W"))
            wanted = math.ceil(len(samples) / config.hop_length)
            if len(samples) < config.n_fft:  # too short to be mirrored at its ends
                samples = F.pad(samples, (0, config.n_fft - len(samples)))
            parts.append(log_mel(samples)[:wanted].numpy())
    return np.concatenate(parts), counted


def _loudest(frames: Float32[np.ndarray, "frames mels"], columns: int) -> Float32[np.ndarray, "columns mels"]:
    if len(frames) <= columns:
        return frames
    edges = np.linspace(0, len(frames), columns, endpoint=False).astype(int)
    return np.asarray(np.maximum.reduceat(frames, edges, axis=0))


def _ticks(config: MelConfig) -> tuple[tuple[int, float], ...]:
    """Where round frequencies lie: band m peaks at the m-th of n + 1 equal steps in mel."""
    top = float(hz_to_mel(np.array(config.f_max_hz), config.mel_scale))
    places = {hz: float(hz_to_mel(np.array(float(hz)), config.mel_scale)) / top for hz in _TICKS_HZ}
    steps = config.n_mels + 1
    heights = {hz: (place * steps - 0.5) / config.n_mels for hz, place in places.items() if hz < config.f_max_hz}
    return tuple((hz, 1.0 - height) for hz, height in heights.items() if 0.0 < height < 1.0)
