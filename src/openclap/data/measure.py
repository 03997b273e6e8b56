"""What one clip's sound is like, in plain numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from openclap.audio.decode import audio_info, decode
from openclap.data.example import Example
from openclap.errors import AudioError
from openclap.types import Waveform

_CLIPPED_AT = 0.999


@dataclass(frozen=True)
class ClipFacts:
    """What was measured of a clip; of one that cannot be read, only `error` and `reason` are set.

    Attributes:
        error: the name of the error that reading raised, or None.
        reason: what it said.
        sample_rate_hz: of the file.
        channels: of the file.
        format: container and coding.
        duration_s: of the clip, which may be a range of the file.
        peak: largest magnitude after the mix-down; 1 is full scale.
        clipped: share of the samples at full scale.
        content: hash of the decoded samples and their rate.
    """

    error: str | None = None
    reason: str | None = None
    sample_rate_hz: int = 0
    channels: int = 0
    format: str = ""
    duration_s: float = 0.0
    peak: float = 0.0
    clipped: float = 0.0
    content: str = ""


class ContentHash:
    """SHA-256 of a sound's decoded mono samples and their rate, taken block by block."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._begun = False

    def add(self, block: Waveform) -> None:
        """Go on with the next samples."""
        if not self._begun:
            self._digest.update(f"{block.sample_rate_hz}:".encode())
            self._begun = True
        self._digest.update(np.ascontiguousarray(block.samples).data)

    def hex(self) -> str:
        """The hash of all so far."""
        return self._digest.hexdigest()


def measure_clip(example: Example) -> ClipFacts:
    """The facts of one clip; what cannot be read is told, not raised."""
    try:
        info = audio_info(example.audio)
        waveform = decode(example.audio, start_s=example.start_s, duration_s=example.duration_s, allow_silent=True)
    except AudioError as error:
        return ClipFacts(error=type(error).__name__, reason=error.reason)
    magnitude = np.abs(waveform.samples)
    content = ContentHash()
    content.add(waveform)
    return ClipFacts(
        sample_rate_hz=info.sample_rate_hz,
        channels=info.channels,
        format=info.format,
        duration_s=waveform.duration_s,
        peak=float(magnitude.max()),
        clipped=float(np.mean(magnitude >= _CLIPPED_AT)),
        content=content.hex(),
    )


def measure_clips(
    examples: Sequence[Example], *, threads: int = 1, progress: Callable[[int, int], None] | None = None
) -> list[ClipFacts]:
    """The facts of every clip, in their order.

    Args:
        examples: the clips.
        threads: how many are measured at once; decoding and hashing leave Python's lock free.
        progress: called with how many are done, and of how many, after each.
    """
    facts: list[ClipFacts] = []
    for fact in _mapped(examples, threads):
        facts.append(fact)
        if progress is not None:
            progress(len(facts), len(examples))
    return facts


def _mapped(examples: Sequence[Example], threads: int) -> Iterator[ClipFacts]:
    if threads <= 1:
        yield from map(measure_clip, examples)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="openclap-check")
    try:
        yield from pool.map(measure_clip, examples)
    finally:
        pool.shutdown(cancel_futures=True)  # an interrupt waits for the clips in hand, not for all
