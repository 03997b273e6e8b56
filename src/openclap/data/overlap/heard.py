"""Clips' sounds to what is kept of them: fingerprint, hash of the samples, length; or why there is none."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from openclap.audio.decode import decode, decode_blocks
from openclap.audio.members import member_of
from openclap.audio.resample import resample_blocks
from openclap.data.example import Example
from openclap.data.measure import ContentHash
from openclap.data.overlap.fingerprint import SAMPLE_RATE_HZ, VERSION, Fingerprint, fingerprint
from openclap.errors import AudioError
from openclap.types import Waveform

S = TypeVar("S")
T = TypeVar("T")

_BLOCK_S = 30.0
_WAITING = 4  # clips a thread that are handed out or done ahead of their turn


@dataclass(frozen=True, eq=False)
class Heard:
    """What is kept of a clip's sound.

    Attributes:
        fingerprint: empty for sounds that could not be read, or are shorter than 0.1 s.
        content: hash of the decoded samples, as `openclap data check` takes it; "" for silence.
        duration_s: how long it is.
        error: why it could not be read, or None.
    """

    fingerprint: Fingerprint
    content: str = ""
    duration_s: float = 0.0
    error: str | None = None


def clip_key(example: Example) -> str | None:
    """What a clip's sound is known by: another size or time of change makes another key. None if there is no file."""
    member = member_of(example.audio)
    try:
        about = (example.audio if member is None else member.archive).stat()
    except (OSError, ValueError):
        return None
    # 15 digits: the six of a plain "g" do not tell two parts of a long recording apart.
    part = f"#{example.start_s:.15g},{'' if example.duration_s is None else f'{example.duration_s:.15g}'}"
    return f"{VERSION}:{example.audio.absolute()}{part}?{about.st_size}@{about.st_mtime_ns}"


def hear(example: Example) -> Heard:
    """What is kept of one clip; what cannot be read is told, not raised. A long file is never in memory at its rate."""
    try:
        content, peak, duration_s = ContentHash(), 0.0, 0.0

        def passed() -> Iterator[Waveform]:
            nonlocal peak, duration_s
            for block in _blocks(example):
                content.add(block)
                peak = max(peak, float(np.abs(block.samples).max(initial=0.0)))
                duration_s += block.duration_s
                yield block

        parts = [part.samples for part in resample_blocks(passed(), SAMPLE_RATE_HZ)]
    except AudioError as error:
        return Heard(_nothing(), error=f"{type(error).__name__}: {error.reason}")
    found = fingerprint(Waveform(np.concatenate(parts), SAMPLE_RATE_HZ))
    return Heard(found, content.hex() if peak > 0 else "", duration_s)


def in_order(do: Callable[[S], T], things: Iterable[S], threads: int) -> Iterator[T]:
    """`do` of each, in their order, by several threads and a few ahead: however many there are, few are in memory."""
    if threads <= 1:
        yield from map(do, things)
        return
    waiting: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="openclap-overlap")
    try:
        for thing in things:
            waiting.append(pool.submit(do, thing))
            if len(waiting) >= _WAITING * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)  # an interrupt waits for the clips in hand, not for all


def _blocks(example: Example) -> Iterator[Waveform]:
    if example.start_s == 0.0 and example.duration_s is None:
        return decode_blocks(example.audio, block_s=_BLOCK_S)
    whole = decode(example.audio, start_s=example.start_s, duration_s=example.duration_s, allow_silent=True)
    return iter((whole,))


def _nothing() -> Fingerprint:
    return Fingerprint(np.zeros(0, np.uint32), np.zeros(0, np.uint64), np.zeros(0, np.uint64))
