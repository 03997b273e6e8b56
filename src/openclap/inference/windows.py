"""Long sound as fixed windows: where they lie, and how they are read in bounded memory.

Windows follow each other at `hop_s`; the last one is moved back so that it ends where the sound ends. All of the sound
is heard, no window is padded, and a sound barely longer than one window gets nearly the vector of that window.

A long sound is read in blocks of whole windows. A block is decoded with a margin on both sides, resampled, and cut, on
the grid that resampling all of the sound at once would use: a window's samples are then the same, to the resampler's
rounding (4e-7). Where blocks begin depends on nothing but the sound's length and rate, so a file, its bytes and its
samples as an array give the same vectors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from pydantic import Field
from torch import Tensor

from openclap.audio.decode import AudioSource, audio_info, decode, source_name
from openclap.audio.frontend import Frontend
from openclap.config import Config
from openclap.errors import SilentAudioError

# Long enough that seeking costs little even in MP3, which is decoded from its beginning for each block; short enough
# that memory does not matter: 21 MB at 44.1 kHz.
_BLOCK_S = 120.0
_MARGIN_S = 0.1  # measured: with 0.02 s on both sides, what soxr's "HQ" gives in the middle no longer changes


class WindowConfig(Config):
    """How a sound longer than the model's window is cut.

    Attributes:
        hop_s: seconds from one window's start to the next; None is the window's own length: no overlap.
    """

    hop_s: float | None = Field(default=None, gt=0)


@dataclass(frozen=True, eq=False)
class Window:
    """One window of a sound, ready for the model.

    Attributes:
        start_s: where it begins in the sound, in seconds.
        end_s: where it ends; of a sound shorter than the window, where the sound ends.
        clip: what `Frontend.fit` gives: samples of the window's length, and whether the sound was longer.
        is_last: whether it is the sound's last window.
    """

    start_s: float
    end_s: float
    clip: tuple[Float32[np.ndarray, " window"], bool]
    is_last: bool


def window_starts(n_samples: int, window: int, hop: int) -> list[int]:
    """The first samples of all windows over a sound, the last of them aligned to the sound's end.

    A sound no longer than one window has one, at 0.
    """
    last = n_samples - window
    return [0] if last <= 0 else [*range(0, last, hop), last]


def read_windows(
    source: AudioSource, sample_rate_hz: int | None, frontend: Frontend, config: WindowConfig
) -> Iterator[Window]:
    """All windows of a sound in order, read as they are asked for.

    Args:
        source: as for `openclap.audio.decode.decode`.
        sample_rate_hz: the rate of an array; ignored for what knows its own.
        frontend: gives the rate, the window's length, and what is done to sound that is shorter.
        config: how windows follow each other.

    Raises:
        AudioError: if the sound cannot be used; if its first part can, then after the windows of that.
    """
    source = _readable_twice(source, sample_rate_hz)
    rate_hz, window = frontend.config.sample_rate_hz, frontend.config.window_samples
    hop = window if config.hop_s is None else max(1, round(config.hop_s * rate_hz))
    info = audio_info(source)
    if info.duration_s <= max(_BLOCK_S, frontend.config.window_s):
        samples = frontend.read(source).samples
        yield from _cut(samples, 0, window_starts(len(samples), window, hop), frontend, holds_end=True)
        return
    starts = window_starts(info.frames * rate_hz // info.sample_rate_hz, window, hop)
    together = max(1, int(_BLOCK_S * rate_hz) // hop)
    any_sound = False
    for first in range(0, len(starts), together):
        block = starts[first : first + together]
        begin, samples = _read_range(source, info.sample_rate_hz, frontend, block[0], block[-1] + window)
        holds_end = first + together >= len(starts)
        any_sound = any_sound or bool(samples.any())
        if holds_end and not any_sound:
            raise SilentAudioError(source_name(source), "every one of its samples is zero, once the channels are mixed")
        yield from _cut(samples, begin, block, frontend, holds_end=holds_end)


def _read_range(
    source: AudioSource, source_rate_hz: int, frontend: Frontend, start: int, end: int
) -> tuple[int, Float32[np.ndarray, " samples"]]:
    """The samples from `start` to `end` at the front-end's rate, and the number of the first one given."""
    rate_hz = frontend.config.sample_rate_hz
    common = math.gcd(source_rate_hz, rate_hz)
    step_in, step_out = source_rate_hz // common, rate_hz // common  # so many samples in are exactly so many out
    margin = math.ceil(_MARGIN_S * rate_hz)
    steps = max(0, start - margin) // step_out
    length_s = (end + margin) / rate_hz - steps * step_in / source_rate_hz
    waveform = frontend.read(source, start_s=steps * step_in / source_rate_hz, duration_s=length_s, allow_silent=True)
    skip = start - steps * step_out
    return start, waveform.samples[skip : skip + end - start]


def _cut(
    samples: Float32[np.ndarray, " samples"], begin: int, starts: list[int], frontend: Frontend, *, holds_end: bool
) -> Iterator[Window]:
    """The windows at `starts` out of samples that begin at `begin` in their sound."""
    rate_hz, window = frontend.config.sample_rate_hz, frontend.config.window_samples
    end = begin + len(samples)
    for position, wanted in enumerate(starts):
        # Some headers promise a little more sound than there is: the last window then moves back as well.
        start = max(begin, min(wanted, end - window))
        yield Window(
            start_s=start / rate_hz,
            end_s=min(start + window, end) / rate_hz,
            clip=frontend.fit(samples[start - begin : start - begin + window]),
            is_last=holds_end and position == len(starts) - 1,
        )


def _readable_twice(source: AudioSource, sample_rate_hz: int | None) -> AudioSource:
    """The source as something that can be read range by range at little cost."""
    if isinstance(source, np.ndarray | Tensor):
        return decode(source, sample_rate_hz=sample_rate_hz, allow_silent=True)
    read, seekable = getattr(source, "read", None), getattr(source, "seekable", None)
    if read is None or (seekable is not None and seekable()):
        return source
    data = read()
    return data if isinstance(data, bytes) else source  # a file of text is the decoder's to refuse
