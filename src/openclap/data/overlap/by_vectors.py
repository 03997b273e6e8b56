"""Overlap by vectors that some model gave: near-duplicates that it hears as one."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from openclap.data.overlap.ledger import Side
from openclap.data.overlap.near import near_pairs
from openclap.data.overlap.search import Search
from openclap.errors import DataError

_Owned: TypeAlias = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]

_BLOCK = 65_536


@dataclass(frozen=True, eq=False)
class SoundVectors:
    """Vectors of sounds, one a row.

    Attributes:
        vectors: of unit length.
        paths: the file of each.
        start_s: where in it the sound begins.
        end_s: where it ends.
    """

    vectors: Float[np.ndarray, "rows embed"]
    paths: Sequence[str]
    start_s: Sequence[float]
    end_s: Sequence[float]


def find_by_vectors(
    search: Search, train: Iterable[SoundVectors], against: Iterable[SoundVectors], folder: Path
) -> int:
    """How many training clips have no vector; every pair with a high cosine is noted.

    Rows of files that are in no manifest are left aside; a clip may have several rows (windows).

    Args:
        search: both sides, of which the evaluation sets' clips are in the ledger.
        train: vectors of training clips, in blocks of which one is in memory.
        against: the same of evaluation clips; not read where clips are compared within one side.
        folder: for a file of the vectors that each block is compared with.

    Raises:
        DataError: if no vector is of an evaluation clip, or the vectors do not fit together.
    """
    cosine = search.config.cosine
    assert cosine is not None  # or there were no such config
    for clip in search.numbered("train", "files"):
        search.ledger.add_sound("train", clip)
        search.ledger.add_clip("train", clip)
    if not search.within:
        for clip in search.numbered("against", "files of the evaluation sets"):
            search.ledger.add_sound("against", clip)
    kept = folder / "vectors.f32"
    side: Side = "train" if search.within else "against"
    owners, length = _keep(kept, _owned(search, side, train if search.within else against))
    if not len(owners):
        raise DataError("none of the vectors is of an evaluation clip: embed the evaluation manifests too")
    others = np.memmap(kept, np.float32, "r", shape=(len(owners), length))
    rows = _blocks(others, owners) if search.within else _owned(search, "train", train)
    having = np.zeros(sum(count for (of, _), count in search.clips.items() if of == "train"), bool)
    for block, numbers in rows:
        having[numbers] = True
        for here, there, cosines in near_pairs(block, others, cosine):
            for own, other, found in zip(numbers[here], owners[there], cosines, strict=True):
                if not search.within or other < own:
                    search.ledger.add_pair(int(own), int(other), "vectors", {"cosine": round(float(found), 4)})
    return int((~having).sum())


def _owned(search: Search, side: Side, blocks: Iterable[SoundVectors]) -> Iterator[_Owned]:
    """Rows of clips of one side, each with the clip's number; a row of several clips comes several times."""
    for block in blocks:
        places, numbers = [], []
        for place, (path, start_s, end_s) in enumerate(zip(block.paths, block.start_s, block.end_s, strict=True)):
            for number in search.ledger.with_sound(side, path, float(start_s), float(end_s)):
                places.append(place)
                numbers.append(number)
        if places:
            yield np.asarray(block.vectors[places], np.float32), np.array(numbers)


def _keep(path: Path, owned: Iterator[_Owned]) -> tuple[npt.NDArray[np.int64], int]:
    """Owners of the rows, and a row's length, after the rows have been put into a file."""
    owners, length = array("q"), 0
    with path.open("wb") as file:
        for rows, numbers in owned:
            if length and rows.shape[1] != length:
                raise DataError(f"vectors have {length} and {rows.shape[1]} numbers: they are of different models")
            length = rows.shape[1]
            owners.extend(numbers.tolist())
            file.write(np.ascontiguousarray(rows).data)
    return np.array(owners, np.int64), length


def _blocks(rows: npt.NDArray[np.float32], owners: npt.NDArray[np.int64]) -> Iterator[_Owned]:
    for first in range(0, len(rows), _BLOCK):
        yield rows[first : first + _BLOCK], owners[first : first + _BLOCK]
