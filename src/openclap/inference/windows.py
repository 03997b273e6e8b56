"""Long sound as windows, or as the stretches of a fused model: where they lie, and how they are read in bounded memory.

Windows follow each other at `hop_s`; the last one is moved back so that it ends where the sound ends. All of the sound
is heard, no window is padded, and a sound barely longer than one window gets nearly the vector of that window. A model
with feature fusion hears much more than a window at once, in four views; there the same is done with stretches of
`stretch_s`, one after another.

The sound is decoded once, in blocks, and resampled as they come: the windows hold the very samples of resampling all of
it at once, in linear time, and memory holds a few blocks (with fusion, a few stretches) however long it is. Where the
last window lies is known when the sound has ended, so that nothing rests on a header's word for its length.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32
from pydantic import Field
from torch import Tensor

from openclap.audio.decode import AudioSource
from openclap.audio.frontend import Frontend, FrontendConfig
from openclap.config import Config
from openclap.errors import ConfigError
from openclap.types import Clip

_BLOCK_S = 10.0  # what is decoded at once: long enough that a block's overhead is nothing, 2 MB at 48 kHz


LongSound = Literal["auto", "windows", "fusion"]


class WindowConfig(Config):
    """How a sound longer than the model's window is heard.

    Attributes:
        hop_s: seconds from one window's start to the next; None is the window's own length: no overlap.
        long: "windows" takes one after another; "fusion" takes all of it at once, in the views of a front-end with
            fusion; "auto" is "fusion" where the front-end has it, else "windows".
        stretch_s: the most seconds that fusion takes at once [ours]; longer sound is cut into stretches of so many, and
            gets the mean of their vectors, as of windows.
    """

    hop_s: float | None = Field(default=None, gt=0)
    long: LongSound = "auto"
    stretch_s: float = Field(default=600.0, gt=0)

    def resolved(self, frontend: FrontendConfig) -> WindowConfig:
        """The same with what "auto" is for a front-end.

        Raises:
            ConfigError: if the front-end cannot do what is asked for.
        """
        long = self.long
        if long == "auto":
            long = "windows" if frontend.fusion is None else "fusion"
        elif long == "fusion" and frontend.fusion is None:
            raise ConfigError(
                "long is 'fusion', but this model's front-end has none (frontend.fusion is null): give long 'windows'"
            )
        if long == "fusion" and self.stretch_s <= frontend.window_s:
            raise ConfigError(
                f"stretch_s {self.stretch_s:g} must be longer than the model's window of {frontend.window_s:g} s, or "
                "nothing is left to fuse: give a longer one, or long 'windows'"
            )
        return self.model_copy(update={"long": long})


@dataclass(frozen=True, eq=False)
class Window:
    """One window or stretch of a sound, ready for the model.

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
    """All windows, or with fusion all stretches, of a sound in order, read as they are asked for.

    Args:
        source: as for `openclap.audio.decode.decode`.
        sample_rate_hz: the rate of an array; ignored for what knows its own.
        frontend: gives the rate, the window's length, and what is done to sound that is shorter or fused.
        config: how long sound is heard.

    Raises:
        ConfigError: if the front-end cannot do what the config asks for.
        AudioError: if the sound cannot be used; if its first part can, then after the windows of that.
    """
    rate_hz, window = frontend.config.sample_rate_hz, frontend.config.window_samples
    if config.resolved(frontend.config).long == "fusion":
        window = hop = round(config.stretch_s * rate_hz)
    else:
        hop = window if config.hop_s is None else max(1, round(config.hop_s * rate_hz))
    array_rate_hz = sample_rate_hz if isinstance(source, np.ndarray | Tensor) else None
    block_s = max(_BLOCK_S, frontend.config.window_s)
    blocks = frontend.read_blocks(source, sample_rate_hz=array_rate_hz, block_s=block_s)
    for start, samples, is_last in cut((block.samples for block in blocks), window, hop):
        found = Window(start / rate_hz, (start + len(samples)) / rate_hz, frontend.fit(samples), is_last)
        del samples  # a stretch is large, and the next one is made before this name is used again
        yield found


def cut(
    blocks: Iterable[Float32[np.ndarray, " samples"]], window: int, hop: int
) -> Iterator[tuple[int, Float32[np.ndarray, " samples"], bool]]:
    """Each window's first sample, its samples, and whether it is the last: a sound's blocks in, its windows out.

    A sound no longer than one window is one window, as long as it is.

    Args:
        blocks: the sound's samples, in parts of any length; at least one sample.
        window: a window's length in samples.
        hop: samples from one window's start to the next.
    """
    held: deque[Float32[np.ndarray, " samples"]] = deque()  # the blocks still needed
    begin = end = start = 0  # where in the sound they begin and end, and where the next window does
    for block in blocks:
        held.append(block)
        end += len(block)
        while start + window < end:  # not at the end: a window that ends there is the last one
            yield start, _between(held, start - begin, window), False
            start += hop
        needed = min(start, end - window)  # the last window may begin before the next start
        while begin + len(held[0]) <= needed:
            begin += len(held.popleft())
    start = max(0, end - window)
    yield start, _between(held, start - begin, window), True


def _between(
    blocks: Iterable[Float32[np.ndarray, " samples"]], start: int, length: int
) -> Float32[np.ndarray, " between"]:
    """A range of the samples that the blocks hold together; as much of it as there is."""
    parts = []
    for block in blocks:
        part = block[max(0, start) : max(0, start + length)]
        start -= len(block)
        if len(part):
            parts.append(part)
    return np.concatenate(parts) if len(parts) > 1 else parts[0]
