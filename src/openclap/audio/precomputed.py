"""Features made once and kept, for clips that training hears again and again: cut, turned and made louder afterwards.

What differs from features made anew from changed samples: parts of a longer clip begin at a whole frame, and frames at
their edges hear their neighbours, where a clip that is cut there is mirrored or filled up; `top_db` looks at the whole
clip; turning takes along what the length policy repeated or added; and a sound is longer than the window only from a
whole frame on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32

from openclap.audio.frontend import Frontend, int16_round_trip
from openclap.audio.fusion import fused_views
from openclap.audio.length import crop_start
from openclap.audio.mel import LogMel
from openclap.types import AudioBatch, Clip, ReadyFeatures

_NO_SAMPLES = np.empty(0, np.float32)


class PrecomputedFeatures:
    """What stands in for a front-end's samples: features of whole sounds, and clips and batches made of them.

    Args:
        frontend: whose features they are; they are made on the CPU.
    """

    def __init__(self, frontend: Frontend) -> None:
        self._frontend, self._config = frontend, frontend.config
        self._log_mel = LogMel(frontend.config.mel.model_copy(update={"frames": None}))
        self._window = frontend.config.mel.frames_cut(frontend.config.window_samples)

    def of(self, samples: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, "frames mels"]:
        """The features of a sound: of a short one with the length that the policy gives it, of a longer one all.

        Args:
            samples: of any length, at the front-end's rate.
        """
        if len(samples) <= self._config.window_samples:
            samples = self._frontend.fit(samples).samples
        elif self._config.int16_round_trip:
            samples = int16_round_trip(samples)
        features: Float32[np.ndarray, "frames mels"] = self._log_mel(torch.tensor(samples)).numpy()
        return features

    def clip(self, features: Float32[np.ndarray, "frames mels"], generator: torch.Generator | None = None) -> Clip:
        """A clip with the model's length; with fusion, its views.

        Args:
            features: what `of` gave, or as many frames made of that.
            generator: as for `Frontend.fit`.
        """
        config, surplus = self._config, len(features) - self._window
        if config.fusion is not None:
            # Torch takes no read-only array, as a cache hands out.
            whole = torch.from_numpy(np.require(features, requirements="W"))
            views = fused_views(whole, self._window, config.fusion, generator).numpy()
            return Clip(_NO_SAMPLES, surplus > 0, views)
        if surplus > 0:
            start = crop_start(surplus, config.length, generator)
            features = features[start : start + self._window]
        views = features[None]
        if config.mel.frames is not None:
            views = self._with_frames(views, config.mel.frames)
        return Clip(_NO_SAMPLES, surplus > 0, views)

    def batch(self, clips: Sequence[Clip]) -> AudioBatch:
        """What `clip` gave for several sounds, as one batch, whose features are what the front-end gives for it."""
        views = [clip.views for clip in clips if clip.views is not None]
        frames = None
        if self._config.keeps_length:
            lengths = [view.shape[1] for view in views]
            frames = torch.tensor(lengths)
            views = [self._with_frames(view, max(lengths)) for view in views]
        return AudioBatch(
            waveforms=torch.empty(len(clips), 0),
            is_longer=torch.tensor([clip.is_longer for clip in clips], dtype=torch.bool),
            ready=ReadyFeatures(torch.arange(len(clips)), torch.from_numpy(np.stack(views))),
            frames=frames,
        )

    def _with_frames(
        self, views: Float32[np.ndarray, "views frames mels"], frames: int
    ) -> Float32[np.ndarray, "views {frames} mels"]:
        missing = frames - views.shape[1]
        if missing <= 0:
            return views[:, :frames]
        return np.pad(views, ((0, 0), (0, missing), (0, 0)), constant_values=self._config.mel.no_energy)
