"""Samples of any type and channel count as float32 mono: the one mix-down, in training and in use."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

_FULL_SCALE = {
    np.dtype(np.int8): 2.0**7,
    np.dtype(np.uint8): 2.0**7,
    np.dtype(np.int16): 2.0**15,
    np.dtype(np.int32): 2.0**31,
}


def as_float32(samples: npt.NDArray[Any]) -> Float32[np.ndarray, "..."]:
    """The samples as float32 with full scale at 1: integers are scaled (8-bit unsigned ones around 128).

    Raises:
        TypeError: for a type whose full scale nobody can know (booleans, 64-bit integers) or that holds no samples.
    """
    if samples.dtype.kind == "f":
        return samples.astype(np.float32, copy=False)
    scale = _FULL_SCALE.get(samples.dtype.newbyteorder("="))
    if scale is None:
        known = "float16, float32, float64, int8, uint8, int16 or int32"
        raise TypeError(f"samples of type {samples.dtype} have no known full scale: give {known}")
    centred = samples.astype(np.float32) - (128.0 if samples.dtype == np.uint8 else 0.0)
    return np.asarray(centred / np.float32(scale), dtype=np.float32)


def mix_down(channels: Float32[np.ndarray, "channels samples"]) -> Float32[np.ndarray, " samples"]:
    """The mean of all channels.

    Summed channel by channel: a mean over the short axis of interleaved samples takes several times as long.
    """
    mixed: npt.NDArray[Any] = np.array(channels[0], dtype=np.float32)  # contiguous
    if len(channels) == 1:
        return mixed
    for channel in channels[1:]:
        mixed += channel
    mixed /= len(channels)
    return mixed
