"""Clips to embeddings one after another: decoded ahead in the background, embedded in batches that may span clips."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, Float32

from openclap.audio.decode import AudioSource, source_name
from openclap.errors import AudioError
from openclap.inference.ahead import read_ahead
from openclap.inference.batching import grouped
from openclap.inference.windows import Window


@dataclass(frozen=True, eq=False)
class WindowEmbedding:
    """One window of a sound: where it lies, in seconds, and its unit vector."""

    start_s: float
    end_s: float
    vector: Float32[np.ndarray, " embed"]


@dataclass(frozen=True, eq=False)
class ClipEmbedding:
    """One clip of many.

    Attributes:
        index: its place among the clips that were given.
        source: its path, or what stands for it in messages.
        vector: its unit vector; None if it could not be used.
        windows: its windows in order; none if it could not be used.
        error: why it could not be used.
    """

    index: int
    source: str
    vector: Float32[np.ndarray, " embed"] | None
    windows: tuple[WindowEmbedding, ...]
    error: AudioError | None = None


def stream(
    clips: Iterable[AudioSource],
    *,
    read: Callable[[AudioSource], Iterator[Window]],
    embed: Callable[[list[Window]], Float32[np.ndarray, "windows embed"]],
    batch: int,
    readers: int = 1,
    keep_errors: bool,
) -> Iterator[ClipEmbedding]:
    """The embedding of each clip, in order; what is held at once does not grow with the clips or their length.

    Args:
        clips: sounds; asked for in the background.
        read: a clip's windows; runs in the background, for several clips at once.
        embed: unit vectors of at most `batch` windows.
        batch: how many windows are embedded at once.
        readers: threads that read clips.
        keep_errors: give a clip that cannot be used with its error, and go on, where it would be raised.

    Raises:
        AudioError: of the first clip that cannot be used, after what came before it.
    """
    collected: list[WindowEmbedding] = []
    parts = read_ahead(enumerate(clips), partial(_parts, read), readers=readers, depth=readers + 2 * batch, held=batch)
    for group in grouped(parts, batch):
        windows = [part.window for part in group if part.window is not None]
        vectors = iter(embed(windows) if windows else ())
        for part in group:
            if part.window is not None:
                collected.append(WindowEmbedding(part.window.start_s, part.window.end_s, next(vectors)))
                if not part.window.is_last:
                    continue
                mean = np.stack([window.vector for window in collected]).mean(axis=0, dtype=np.float64)
                yield ClipEmbedding(part.index, part.source, unit(mean), tuple(collected))
            elif keep_errors:
                yield ClipEmbedding(part.index, part.source, None, (), part.error)
            elif part.error is not None:
                raise part.error
            collected = []


def unit(vectors: Float[np.ndarray, "*rows embed"]) -> Float32[np.ndarray, "*rows embed"]:
    """The vectors at unit length, float32."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Float32[np.ndarray, "*rows embed"] = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return scaled


@dataclass(frozen=True, eq=False)
class _Part:
    """A window of a clip, or why there is none."""

    index: int
    source: str
    window: Window | None
    error: AudioError | None = None


def _parts(read: Callable[[AudioSource], Iterator[Window]], numbered: tuple[int, AudioSource]) -> Iterator[_Part]:
    index, clip = numbered
    name = source_name(clip)
    try:
        for window in read(clip):
            yield _Part(index, name, window)
    except AudioError as error:
        yield _Part(index, name, None, error)
