"""Clips of any length to the model's: repeat-pad, repeat, zero-pad or keep what is short; crop what is long."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32

from openclap.config import Config


class LengthConfig(Config):
    """How a clip gets the model's length.

    Attributes:
        short: "repeat-pad" repeats the clip as often as it fits whole, then adds zeros (LAION-CLAP's `repeatpad`);
            "repeat" repeats it and cuts the last repeat (MS-CLAP); "zero-pad" adds zeros. The other two compute the
            features of the clip as it is: "zero-pad-features" adds frames of 0 to them, before they are normalised
            (AudioMAE); "keep" adds nothing, and the encoder hears as much as there is.
        crop: which part of a long clip is taken when there is no randomness: its "first", or its "centre".
    """

    short: Literal["repeat-pad", "repeat", "zero-pad", "zero-pad-features", "keep"] = "repeat-pad"
    crop: Literal["first", "centre"] = "first"

    @property
    def keeps_samples(self) -> bool:
        """Whether a short clip's samples stay as many as they are."""
        return self.short in {"zero-pad-features", "keep"}

    def fitted_samples(self, n_samples: int, window: int, least: int) -> int:
        """How many samples a clip has in the end.

        Args:
            n_samples: how many it comes with.
            window: how many the model's window has.
            least: how many features need, at most `window`.
        """
        return min(max(n_samples, least), window) if self.keeps_samples else window


def fit_length(
    samples: Float32[np.ndarray, " samples"],
    n_samples: int,
    config: LengthConfig,
    generator: torch.Generator | None = None,
) -> Float32[np.ndarray, " fitted"]:
    """The clip with exactly `n_samples` samples; the very same array if it has them already.

    Args:
        samples: a clip, not empty.
        n_samples: the length to give it.
        config: how.
        generator: a longer clip is cropped at a place drawn from it, all places alike; None takes `config.crop`.

    Raises:
        ValueError: if the clip is empty or the length not positive.
    """
    if len(samples) == 0 or n_samples <= 0:
        raise ValueError(f"a clip of {len(samples)} samples cannot be given {n_samples}")
    surplus = len(samples) - n_samples
    if surplus == 0:
        return samples
    if surplus > 0:
        start = crop_start(surplus, config, generator)
        return samples[start : start + n_samples]
    if config.short == "repeat":
        return np.resize(samples, n_samples)  # tiles, then cuts
    repeats = n_samples // len(samples) if config.short == "repeat-pad" else 1
    fitted = np.zeros(n_samples, np.float32)
    fitted[: repeats * len(samples)] = np.tile(samples, repeats)
    return fitted


def crop_start(surplus: int, config: LengthConfig, generator: torch.Generator | None) -> int:
    """The first of the samples (or frames) that are kept, where `surplus` of them are too many."""
    if generator is not None:
        return int(torch.randint(surplus + 1, (), generator=generator))
    return surplus // 2 if config.crop == "centre" else 0
