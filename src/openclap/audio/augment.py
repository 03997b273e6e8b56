"""What is done to a clip's samples by chance in training, so that no two passes hear quite the same.

Source: AudioMAE's pre-training, arXiv 2207.06405, as its public code has it (`roll_mag_aug`); written anew.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from openclap.config import Config

_GAIN_SHAPE = 10.0


class AugmentConfig(Config):
    """Which changes; none of them by default.

    Attributes:
        roll: turn the clip round in a circle, so that it begins anywhere. What comes before what is lost.
        gain: make it softer or louder, by a factor between 0.5 and 1.5 that is mostly near 1.
    """

    roll: bool = False
    gain: bool = False


def augment(
    samples: Float32[np.ndarray, " samples"], config: AugmentConfig, rng: np.random.Generator
) -> Float32[np.ndarray, " samples"]:
    """The samples, changed; as many as before, and never in place.

    Args:
        samples: of a clip.
        config: which changes.
        rng: where the chance comes from.
    """
    if config.roll:
        samples = np.roll(samples, int(rng.integers(len(samples))))
    if config.gain:
        samples = samples * np.float32(rng.beta(_GAIN_SHAPE, _GAIN_SHAPE) + 0.5)
    return samples
