"""What is done to a clip's samples by chance in training, so that no two passes hear quite the same.

Source: AudioMAE's pre-training, arXiv 2207.06405, as its public code has it (`roll_mag_aug`); written anew.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from openclap.audio.mel_config import MelConfig
from openclap.config import Config

_GAIN_SHAPE = 10.0
_FLOOR_MARGIN = 1e-4
"""Features this near the floor are at it: float32 rounds the logarithm of its energy."""


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
        samples = samples * np.float32(_gain(rng))
    return samples


def augment_features(
    features: Float32[np.ndarray, "frames mels"], config: AugmentConfig, mel: MelConfig, rng: np.random.Generator
) -> Float32[np.ndarray, "frames mels"]:
    """The features, changed as `augment` changes samples, but turned by whole frames; never in place.

    Args:
        features: log-mel of a clip.
        config: which changes.
        mel: what the features are, which says what a gain does to them.
        rng: where the chance comes from.
    """
    if config.roll:
        features = np.roll(features, int(rng.integers(len(features))), axis=0)
    if config.gain:
        floor = np.float32(mel.floor + _FLOOR_MARGIN)
        louder = features + np.float32(mel.gain_shift(_gain(rng)))
        features = np.where(features > floor, louder.clip(min=floor), features)  # no gain makes anything of nothing
    return features


def _gain(rng: np.random.Generator) -> float:
    return float(rng.beta(_GAIN_SHAPE, _GAIN_SHAPE)) + 0.5
