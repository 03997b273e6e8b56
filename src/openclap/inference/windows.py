"""Long sound as fixed windows: where they lie, and how they are read in bounded memory.

Windows follow each other at `hop_s`; the last one is moved back so that it ends where the sound ends. All of the sound
is heard, no window is padded, and a sound barely longer than one window gets nearly the vector of that window.

The sound is decoded once, in blocks, and resampled as they come: the windows hold the very samples of resampling all of
it at once, in linear time, and memory holds a few blocks however long it is. Where the last window lies is known when
the sound has ended, so that nothing rests on a header's word for its length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from pydantic import Field
from torch import Tensor

from openclap.audio.decode import AudioSource
from openclap.audio.frontend import Frontend
from openclap.config import Config
from openclap.types import Clip

_BLOCK_S = 10.0  # what is decoded at once: long enough that a block's overhead is nothing, 2 MB at 48 kHz


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
        clip: what `Frontend.fit` gives.
        is_last: whether it is the sound's last window.
    """

    start_s: float
    end_s: float
    clip: Clip
    is_last: bool


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
    rate_hz, window = frontend.config.sample_rate_hz, frontend.config.window_samples
    hop = window if config.hop_s is None else max(1, round(config.hop_s * rate_hz))
    array_rate_hz = sample_rate_hz if isinstance(source, np.ndarray | Tensor) else None
    block_s = max(_BLOCK_S, frontend.config.window_s)
    blocks = frontend.read_blocks(source, sample_rate_hz=array_rate_hz, block_s=block_s)
    for start, samples, is_last in cut((block.samples for block in blocks), window, hop):
        yield Window(start / rate_hz, (start + len(samples)) / rate_hz, frontend.fit(samples), is_last)


def cut(
    blocks: Iterable[Float32[np.ndarray, " samples"]], window: int, hop: int
) -> Iterator[tuple[int, Float32[np.ndarray, " samples"], bool]]:
    """Each window's first sample, its samples, and whether it is the last: a sound's blocks in, its windows out.

    A sound no longer than one window is one window, as long as it is.

    Args:
        blocks: the sound's samples, in parts of any length.
        window: a window's length in samples.
        hop: samples from one window's start to the next.
    """
    held, begin = np.zeros(0, np.float32), 0  # the samples still needed, and where in the sound they begin
    start = 0
    for block in blocks:
        held = np.concatenate([held, block])
        end = begin + len(held)
        while start + window < end:  # not at the end: a window that ends there is the last one
            yield start, held[start - begin : start - begin + window], False
            start += hop
        needed = max(begin, min(start, end - window))  # the last window may begin before the next start
        held, begin = held[needed - begin :], needed
    yield begin + max(0, len(held) - window), held[-window:], True
