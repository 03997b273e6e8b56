"""How well two fingerprints agree at a shift in time, and what that says of whether they are of one recording."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openclap.data.overlap.fingerprint import FRAME_S, Fingerprint

_ALIKE = 8  # bits near each other in time and frequency say the same: so many count as one
_HOPELESS = 0.55  # a share that no frame to either side makes a good one: a frame is a sixth of what it looks at
_FEWEST_PEAKS, _FEWEST_BITS = 3, 100  # at 100 bits, all alike, the score is 0.72
_ONES = np.array([number.bit_count() for number in range(1 << 16)], np.uint8)


@dataclass(frozen=True)
class Agreement:
    """Two sounds laid over each other.

    Attributes:
        score: the share less two standard deviations of what chance does to so many bits: near 0.5 or below for
            different recordings, near 1 for the same.
        share: of the bits that both have, how many agree.
        bits: how many both have.
        offset_s: where the second begins in the first's time; negative if the first is a part of it.
        overlap_s: how long both sound.
    """

    score: float
    share: float
    bits: int
    offset_s: float
    overlap_s: float


def agreement(first: Fingerprint, second: Fingerprint, shift: int) -> Agreement:
    """The best agreement at `shift`, or a frame beside it.

    Args:
        first: a fingerprint.
        second: another.
        shift: frames from the first's begin to the second's.
    """
    found = _at(first, second, shift)
    if found.share < _HOPELESS:
        return found
    beside = (_at(first, second, shift + near) for near in (-1, 1))
    return max(found, *beside, key=lambda one: one.score)


def can_tell(found: Fingerprint) -> bool:
    """Whether a fingerprint holds enough for an agreement to mean something; that of a click does not."""
    return len(found.peaks) >= _FEWEST_PEAKS and _count(found.mask) >= _FEWEST_BITS


def _at(first: Fingerprint, second: Fingerprint, shift: int) -> Agreement:
    begin, end = max(0, shift), min(len(first.bits), len(second.bits) + shift)
    if begin >= end:
        return Agreement(0.0, 0.0, 0, shift * FRAME_S, 0.0)
    here, there = slice(begin, end), slice(begin - shift, end - shift)
    mask = first.mask[here] & second.mask[there]
    bits = _count(mask)
    share = 1.0 - _count((first.bits[here] ^ second.bits[there]) & mask) / bits if bits else 0.0
    score = max(0.0, share - math.sqrt(_ALIKE / bits)) if bits else 0.0
    return Agreement(score, share, bits, shift * FRAME_S, (end - begin) * FRAME_S)


def _count(words: npt.NDArray[np.uint64]) -> int:
    return int(_ONES[words.view(np.uint16)].sum(dtype=np.int64))
