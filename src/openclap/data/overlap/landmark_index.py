"""The landmarks of many clips, kept on the disk and mapped: which of the clips may be in a sound, and where.

Plain sorted arrays (a place for each hash, and 8 bytes a landmark) are a fifth of what a database would take, are
looked up for a whole clip in one step, and need no more memory than the system has to spare: a segment is sorted in
memory once it is full, and then only mapped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from openclap.data.overlap.fingerprint import HASHES, Fingerprint, landmarks

SEGMENT = 1 << 24
"""Landmarks sorted at once: 0.5 GiB of memory while it lasts."""

_CHUNK_FRAMES = 12_000  # two minutes of a long recording at a time
_COMMON = 4096  # a hash that so many landmarks of a segment have says nothing
_SHIFTS = 1 << 24  # frames that a shift may have to either side: 46 hours
_LEAST_VOTES = 2
_MOST = 16  # clips in each chunk
_LOOKED_AT = 1024  # clips and shifts
_MOST_SHIFTS = 3  # of one clip: what repeats itself fits at many


@dataclass(frozen=True)
class Candidate:
    """A clip that may be in a sound.

    Attributes:
        clip: its number.
        shift: frames from the sound's begin to the clip's.
        votes: landmarks that agree on the shift, or on it and the next.
    """

    clip: int
    shift: int
    votes: int


class LandmarkIndex:
    """Clips by their landmarks: first all are added, then it is closed, then asked.

    Args:
        folder: an empty one, for its files.
        segment: landmarks that are sorted at once.
    """

    def __init__(self, folder: Path, segment: int = SEGMENT) -> None:
        self._folder, self._segment = folder, segment
        self._held: list[tuple[npt.NDArray[Any], npt.NDArray[Any]]] = []
        self._n_held = 0
        self._segments: list[tuple[npt.NDArray[Any], npt.NDArray[Any]]] = []

    def add(self, clip: int, found: Fingerprint) -> None:
        """Put a clip in under its number, below 2**32."""
        hashes, frames = landmarks(found)
        self._held.append((hashes.astype(np.uint32), np.uint64(clip) << np.uint64(32) | frames.astype(np.uint64)))
        self._n_held += len(hashes)
        if self._n_held >= self._segment:
            self.close()

    def close(self) -> None:
        """Sort what has been added and not been sorted yet."""
        if not self._n_held:
            return
        hashes = np.concatenate([hashes for hashes, _ in self._held])
        places = np.concatenate([places for _, places in self._held])
        self._held, self._n_held = [], 0
        order = np.argsort(hashes, kind="stable")
        begins = np.zeros(HASHES + 1, np.int64)
        np.cumsum(np.bincount(hashes, minlength=HASHES), out=begins[1:])
        number = len(self._segments)
        self._segments.append(
            (self._mapped(f"begins-{number}", begins), self._mapped(f"places-{number}", places[order]))
        )

    def candidates(self, found: Fingerprint, before: int | None = None) -> list[Candidate]:
        """The clips with the most votes, of each two minutes of a sound; for one clip there may be several shifts.

        Args:
            found: of the sound.
            before: only clips with a lower number are looked at, so that no others take their places.
        """
        hashes, frames = landmarks(found)
        chosen: list[Candidate] = []
        for begin in range(0, int(frames.max(initial=-1)) + 1, _CHUNK_FRAMES):
            chunk = (frames >= begin) & (frames < begin + _CHUNK_FRAMES)
            hits = np.concatenate([np.zeros(0, np.int64), *self._hits(hashes[chunk], frames[chunk], before)])
            chosen.extend(_voted(hits))
        return chosen

    def _hits(
        self, hashes: npt.NDArray[Any], frames: npt.NDArray[Any], before: int | None
    ) -> Iterator[npt.NDArray[np.int64]]:
        """Clip and shift, in one number, of every landmark of the index that has one of the hashes."""
        for begins, places in self._segments:
            first, counts = begins[hashes], begins[hashes + 1] - begins[hashes]
            counts[counts > _COMMON] = 0
            total = int(counts.sum())
            asked = np.repeat(np.arange(len(hashes)), counts)
            within = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
            hit = places[np.repeat(first, counts) + within]
            if before is not None:
                earlier = hit < np.uint64(before << 32)
                hit, asked = hit[earlier], asked[earlier]
            shift = frames[asked] - (hit & np.uint64(0xFFFFFFFF)).astype(np.int64) + _SHIFTS
            yield ((hit >> np.uint64(32)).astype(np.int64) << 25) | shift

    def _mapped(self, name: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        path = self._folder / f"{name}.npy"
        np.save(path, values)
        mapped: npt.NDArray[Any] = np.load(path, mmap_mode="r")
        return mapped


def _voted(hits: npt.NDArray[np.int64]) -> list[Candidate]:
    """The clips that most hits are for, each at its best shifts; a peak may fall into the frame beside its own."""
    if not len(hits):
        return []
    values, counts = np.unique(hits, return_counts=True)
    after = np.minimum(np.arange(len(values)) + 1, len(values) - 1)
    votes = counts + np.where(values[after] == values + 1, counts[after], 0)
    best = np.flatnonzero(votes >= _LEAST_VOTES)
    chosen: defaultdict[int, list[Candidate]] = defaultdict(list)
    for place in best[np.argsort(-votes[best], kind="stable")[:_LOOKED_AT]]:
        clip, shift = int(values[place] >> 25), int(values[place] & (2 * _SHIFTS - 1)) - _SHIFTS
        if len(chosen) == _MOST and clip not in chosen:
            break
        if len(chosen[clip]) < _MOST_SHIFTS:
            chosen[clip].append(Candidate(clip, shift, int(votes[place])))
    return [candidate for found in chosen.values() for candidate in found]
