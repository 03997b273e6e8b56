"""Vectors near each other: every pair whose cosine reaches a threshold, exactly, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from openclap.errors import DataError

_ROWS = 2048
_OTHERS = 8192  # a product of 2,048 by 8,192 in float32 is 64 MiB


def near_pairs(
    rows: Float[np.ndarray, "rows embed"], others: Float[np.ndarray, "others embed"], cosine: float
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
    """Places in `rows`, places in `others`, and cosines, of all pairs at or above `cosine`; block by block.

    Args:
        rows: vectors of unit length, of any float type (float16 is computed in float32).
        others: the same; may be mapped from a file.
        cosine: the threshold.

    Raises:
        DataError: if vectors are of different lengths, or not of unit length.
    """
    if rows.shape[1] != others.shape[1]:
        raise DataError(f"vectors have {rows.shape[1]} and {others.shape[1]} numbers: they are of different models")
    for first in range(0, len(rows), _ROWS):
        block = _unit(rows[first : first + _ROWS])
        for begin in range(0, len(others), _OTHERS):
            cosines = block @ _unit(others[begin : begin + _OTHERS]).T
            here, there = np.nonzero(cosines >= cosine)
            if len(here):
                yield here + first, there + begin, cosines[here, there]


def _unit(vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    vectors = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(vectors, axis=1)
    if len(lengths) and not np.allclose(lengths, 1.0, atol=1e-2):  # float16 rounds to 1e-3
        raise DataError(f"vectors must have length 1, but one has {lengths[np.argmax(abs(lengths - 1))]:.3g}")
    return vectors
