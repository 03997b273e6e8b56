"""From a sound to features: decode, mix down, resample, fit the length, log-mel, in this order and nowhere else.

The same object serves training and use; only training hands it a generator, for random crops.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Float32
from pydantic import Field, model_validator
from torch import Tensor, nn

from openclap.audio.decode import decode, decode_blocks
from openclap.audio.length import LengthConfig, fit_length
from openclap.audio.mel import MEL_PRESETS, LogMel, MelConfig
from openclap.audio.resample import resample, resample_blocks
from openclap.audio.source import AudioSource
from openclap.config import Config
from openclap.types import AudioBatch, Waveform


class FrontendConfig(Config):
    """How sound becomes features.

    Attributes:
        window_s: the length that every clip is given, in seconds.
        length: how it is given it.
        mel: the features.
        int16_round_trip: round the samples to 16 bits (towards zero, clipped at full scale) after resampling, as
            LAION-CLAP does in training and in use.
    """

    window_s: float = 10.0
    length: LengthConfig = Field(default_factory=LengthConfig)
    mel: MelConfig = Field(default_factory=MelConfig)
    int16_round_trip: bool = False

    @model_validator(mode="after")
    def _check(self) -> FrontendConfig:
        if self.frames == 0:
            raise ValueError(f"window_s {self.window_s} is too short for one frame of {self.mel.win_length} samples")
        return self

    @property
    def sample_rate_hz(self) -> int:
        """Rate of the waveforms in a batch."""
        return self.mel.sample_rate_hz

    @property
    def window_samples(self) -> int:
        """Samples of a clip after the length policy."""
        return round(self.window_s * self.sample_rate_hz)

    @property
    def frames(self) -> int:
        """Frames of a clip's features."""
        return self.mel.count_frames(self.window_samples)


class Frontend(nn.Module):
    """Sound to features; without parameters and without state, so that its config is all there is to save.

    `read`, `fit` and `batch` work on the CPU, in any process; the module itself runs wherever its batch is.
    """

    def __init__(self, config: FrontendConfig) -> None:
        super().__init__()
        self.config = config
        self.log_mel = LogMel(config.mel)

    def load(
        self,
        source: AudioSource,
        *,
        sample_rate_hz: int | None = None,
        start_s: float = 0.0,
        duration_s: float | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Float32[np.ndarray, " window"], bool]:
        """One clip of exactly `config.window_samples` samples, and whether the sound was longer.

        Args:
            source: as for `openclap.audio.decode.decode`.
            sample_rate_hz: the rate of an array, in Hz.
            start_s: where in the source to begin, in seconds.
            duration_s: how much of it to take, in seconds; None for the rest.
            generator: where a random crop's place is drawn from; None crops as `config.length.crop` says.

        Raises:
            AudioError: if the sound cannot be used.
        """
        waveform = self.read(source, sample_rate_hz=sample_rate_hz, start_s=start_s, duration_s=duration_s)
        return self.fit(waveform.samples, generator)

    def read(
        self,
        source: AudioSource,
        *,
        sample_rate_hz: int | None = None,
        start_s: float = 0.0,
        duration_s: float | None = None,
        allow_silent: bool = False,
    ) -> Waveform:
        """The whole sound, or a range of it, mono and at the front-end's rate; of any length.

        Raises:
            AudioError: if the sound cannot be used.
        """
        waveform = decode(
            source,
            sample_rate_hz=sample_rate_hz,
            start_s=start_s,
            duration_s=duration_s,
            allow_silent=allow_silent,
        )
        return resample(waveform, self.config.sample_rate_hz)

    def read_blocks(
        self, source: AudioSource, *, sample_rate_hz: int | None = None, block_s: float
    ) -> Iterator[Waveform]:
        """The very samples of `read` of the whole sound, in consecutive blocks of about `block_s` seconds.

        For sound of any length: it is decoded once, as the blocks are asked for, and a few of them stand in memory.

        Raises:
            AudioError: if the sound cannot be used; see `openclap.audio.decode.decode_blocks` for when.
        """
        blocks = decode_blocks(source, sample_rate_hz=sample_rate_hz, block_s=block_s)
        return resample_blocks(blocks, self.config.sample_rate_hz)

    def fit(
        self, samples: Float32[np.ndarray, " samples"], generator: torch.Generator | None = None
    ) -> tuple[Float32[np.ndarray, " window"], bool]:
        """Samples at the front-end's rate with the model's length, and whether they were longer.

        The 16-bit round trip, where the config asks for it, is made here, once.
        """
        fitted = fit_length(samples, self.config.window_samples, self.config.length, generator)
        if self.config.int16_round_trip:
            fitted = int16_round_trip(fitted)
        return fitted, len(samples) > self.config.window_samples

    def batch(self, clips: Sequence[tuple[npt.NDArray[Any], bool]]) -> AudioBatch:
        """What `load` or `fit` gave for several clips, as one batch."""
        waveforms = torch.from_numpy(np.stack([samples for samples, _ in clips]))
        return AudioBatch(waveforms, torch.tensor([is_longer for _, is_longer in clips], dtype=torch.bool))

    def forward(self, audio: AudioBatch) -> Float[Tensor, "batch views frames mels"]:
        """Log-mel features of a batch, one view a clip."""
        features: Tensor = self.log_mel(audio.waveforms)
        return features[:, None]


def int16_round_trip(samples: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " samples"]:
    """The samples as a 16-bit file would give them back: ×32767, clipped, cut towards zero, ÷32767."""
    quantised = (np.clip(samples, -1.0, 1.0) * np.float32(32767.0)).astype(np.int16)
    return np.asarray(quantised.astype(np.float32) / np.float32(32767.0))


FRONTEND_PRESETS: dict[str, FrontendConfig] = {
    "laion": FrontendConfig(mel=MEL_PRESETS["laion"], int16_round_trip=True),
    "laion-fusion": FrontendConfig(mel=MEL_PRESETS["laion-fusion"], int16_round_trip=True),
    "msclap-2022": FrontendConfig(window_s=5.0, length=LengthConfig(short="repeat"), mel=MEL_PRESETS["msclap-2022"]),
    "msclap-2023": FrontendConfig(window_s=7.0, length=LengthConfig(short="repeat"), mel=MEL_PRESETS["msclap-2023"]),
    "audiomae": FrontendConfig(length=LengthConfig(short="zero-pad"), mel=MEL_PRESETS["audiomae"]),
}
"""The models' own front-ends. Where they crop at random in use (LAION, MS-CLAP), these take the first part.

AudioMAE pads features, not samples: its clips shorter than 10 s end in frames of 0, these in frames of silence.
"""
