"""What a reader keeps of a sound between epochs, and makes clips of: its waveform, or its features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import torch
from jaxtyping import Float32

from openclap.audio.augment import AugmentConfig, augment, augment_features
from openclap.audio.frontend import Frontend
from openclap.audio.precomputed import PrecomputedFeatures
from openclap.types import AudioBatch, Clip

Reads = Literal["waveforms", "features"]


class Kept(Protocol):
    """One of the two ways; what is kept of a sound is a row of numbers."""

    def make(self, samples: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " values"]:
        """What is kept of a sound; chance has no part in it."""
        ...

    def clip(
        self,
        kept: Float32[np.ndarray, " values"],
        augment_seed: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Clip:
        """The clip that is made of it this time.

        Args:
            kept: what `make` gave.
            augment_seed: of what is done to it by chance; None does nothing.
            generator: as for `Frontend.fit`.
        """
        ...

    def batch(self, clips: Sequence[Clip]) -> AudioBatch:
        """Several such clips as a batch."""
        ...


def kept_of(reads: Reads, frontend: Frontend, config: AugmentConfig) -> Kept:
    """The way that a reader was told to go."""
    return KeptFeatures(frontend, config) if reads == "features" else KeptWaveforms(frontend, config)


class KeptWaveforms:
    """Samples at the front-end's rate; features are made of the batch, wherever the model is."""

    def __init__(self, frontend: Frontend, config: AugmentConfig) -> None:
        self._frontend, self._config = frontend, config
        self.batch = frontend.batch

    def make(self, samples: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " values"]:
        """The samples themselves."""
        return samples

    def clip(
        self,
        kept: Float32[np.ndarray, " values"],
        augment_seed: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Clip:
        """The samples, changed by chance, with the model's length."""
        if augment_seed is not None:
            kept = augment(kept, self._config, np.random.default_rng(augment_seed))
        return self._frontend.fit(kept, generator)


class KeptFeatures:
    """Log-mel of the whole sound, made once by the reader."""

    def __init__(self, frontend: Frontend, config: AugmentConfig) -> None:
        self._features, self._mel, self._config = PrecomputedFeatures(frontend), frontend.config.mel, config
        self.batch = self._features.batch

    def make(self, samples: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " values"]:
        """The features, frame after frame in a row."""
        return self._features.of(samples).reshape(-1)

    def clip(
        self,
        kept: Float32[np.ndarray, " values"],
        augment_seed: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Clip:
        """The features, changed by chance, with the model's length."""
        features = kept.reshape(-1, self._mel.n_mels)
        if augment_seed is not None:
            features = augment_features(features, self._config, self._mel, np.random.default_rng(augment_seed))
        return self._features.clip(features, generator)
