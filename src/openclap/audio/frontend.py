"""From a sound to features: decode, mix down, resample, fit the length, log-mel, in this order and nowhere else.

The same object serves training and use; only training hands it a generator, for random crops and views.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Float32
from pydantic import Field, model_validator
from torch import Tensor, nn

from openclap.audio.decode import decode, decode_blocks
from openclap.audio.fusion import VIEWS, FusionConfig, fused_views
from openclap.audio.length import LengthConfig, fit_length
from openclap.audio.mel import MEL_PRESETS, LogMel, MelConfig
from openclap.audio.resample import resample, resample_blocks
from openclap.audio.source import AudioSource, source_name
from openclap.config import Config
from openclap.errors import EmptyAudioError
from openclap.types import AudioBatch, Clip, ReadyFeatures, Waveform


class FrontendConfig(Config):
    """How sound becomes features.

    Attributes:
        window_s: the length that every clip is given, in seconds.
        length: how it is given it.
        mel: the features.
        int16_round_trip: round the samples to 16 bits (towards zero, clipped at full scale) after resampling, as
            LAION-CLAP does in training and in use.
        fusion: how a clip longer than the window becomes four views; None for models without feature fusion, which
            take one part of it.
    """

    window_s: float = 10.0
    length: LengthConfig = Field(default_factory=LengthConfig)
    mel: MelConfig = Field(default_factory=MelConfig)
    int16_round_trip: bool = False
    fusion: FusionConfig | None = None

    @model_validator(mode="after")
    def _check(self) -> FrontendConfig:
        if self.frames == 0:
            raise ValueError(f"window_s {self.window_s} is too short for one frame of {self.mel.win_length} samples")
        if self.fusion is not None and self.mel.frames is not None:
            raise ValueError(f"mel.frames {self.mel.frames} cuts long clips, which fusion needs whole: set one to null")
        if self.fusion is not None and self.length.keeps_samples:
            raise ValueError(
                f"length.short is {self.length.short!r}, but fusion takes short clips in windows of one length: set "
                "length.short to 'repeat-pad', 'repeat' or 'zero-pad', or fusion to null"
            )
        if self.keeps_length and self.mel.frames is not None:
            raise ValueError(
                f"length.short is 'keep', but mel.frames {self.mel.frames} gives every clip that many: set mel.frames "
                "to null"
            )
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
        """Frames of the features of a clip that fills the window."""
        return self.mel.count_frames(self.window_samples)

    @property
    def cuts_window(self) -> bool:
        """Whether `mel.frames` cuts off more of each window than the one frame that some framings have more."""
        return self.mel.frames is not None and self.mel.frames_cut(self.window_samples) > self.mel.frames + 1

    @property
    def views(self) -> int:
        """Views of each clip: 4 with feature fusion, else 1."""
        return 1 if self.fusion is None else VIEWS

    @property
    def keeps_length(self) -> bool:
        """Whether the encoder hears a short clip in its own length."""
        return self.length.short == "keep"


class Frontend(nn.Module):
    """Sound to features; without parameters and without state, so that its config is all there is to save.

    `read`, `fit` and `batch` work on the CPU, in any process; the module itself runs wherever its batch is.
    """

    def __init__(self, config: FrontendConfig) -> None:
        super().__init__()
        self.config = config
        self.log_mel = LogMel(config.mel)

    @property
    def views(self) -> int:
        """Views of each clip: 4 with feature fusion, else 1."""
        return self.config.views

    def load(
        self,
        source: AudioSource,
        *,
        sample_rate_hz: int | None = None,
        start_s: float = 0.0,
        duration_s: float | None = None,
        generator: torch.Generator | None = None,
    ) -> Clip:
        """One clip with the model's length, and of a longer one with fusion its views.

        Args:
            source: as for `openclap.audio.decode.decode`.
            sample_rate_hz: the rate of an array, in Hz.
            start_s: where in the source to begin, in seconds.
            duration_s: how much of it to take, in seconds; None for the rest.
            generator: where the places of a random crop and of random views are drawn from; None takes them as
                `config.length.crop` and `config.fusion.positions` say.

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
        resampled = resample(waveform, self.config.sample_rate_hz)
        self._check_not_empty(len(resampled.samples), source)
        return resampled

    def read_blocks(
        self, source: AudioSource, *, sample_rate_hz: int | None = None, block_s: float
    ) -> Iterator[Waveform]:
        """The very samples of `read` of the whole sound, in consecutive blocks of about `block_s` seconds.

        For sound of any length: it is decoded once, as the blocks are asked for, and a few of them stand in memory.

        Raises:
            AudioError: if the sound cannot be used; see `openclap.audio.decode.decode_blocks` for when.
        """
        blocks = decode_blocks(source, sample_rate_hz=sample_rate_hz, block_s=block_s)
        n_samples = 0
        for block in resample_blocks(blocks, self.config.sample_rate_hz):
            n_samples += len(block.samples)
            yield block
        self._check_not_empty(n_samples, source)

    def fit(self, samples: Float32[np.ndarray, " samples"], generator: torch.Generator | None = None) -> Clip:
        """Samples at the front-end's rate with the model's length; with fusion, of longer ones also the views.

        The 16-bit round trip, where the config asks for it, is made here, once. The clip of a longer sound does not
        keep all of that in memory.

        Raises:
            ValueError: if there are no samples.
        """
        config = self.config
        is_longer = len(samples) > config.window_samples
        if is_longer and config.fusion is not None:
            whole = np.require(self._rounded(samples), requirements="W")  # torch takes no read-only array: a cache's
            features = self.log_mel(torch.from_numpy(whole).to(self.log_mel.window.device))
            views = fused_views(features, config.frames, config.fusion, generator).cpu().numpy()
            part = fit_length(whole, config.window_samples, config.length, generator)
            return Clip(part.copy(), len(features) > config.frames, views)
        n_samples = config.length.fitted_samples(len(samples), config.window_samples, config.mel.shortest_clip)
        fitted = self._rounded(fit_length(samples, n_samples, config.length, generator))
        return Clip(fitted.copy() if is_longer and fitted.base is not None else fitted, is_longer)

    def batch(self, clips: Sequence[Clip]) -> AudioBatch:
        """What `load` or `fit` gave for several clips, as one batch."""
        views = {row: clip.views for row, clip in enumerate(clips) if clip.views is not None}
        features = [torch.from_numpy(view) for view in views.values()]
        samples = [clip.samples for clip in clips]
        lengths = frames = None
        if self.config.keeps_length:
            frames = torch.tensor([self.log_mel.frames(len(clip)) for clip in samples])
        if self.config.length.keeps_samples:
            lengths = torch.tensor([len(clip) for clip in samples])
            samples = _filled_up(samples, self.config.window_samples if frames is None else int(lengths.max()))
        return AudioBatch(
            waveforms=torch.from_numpy(np.stack(samples)),
            is_longer=torch.tensor([clip.is_longer for clip in clips], dtype=torch.bool),
            ready=ReadyFeatures(torch.tensor(list(views)), torch.stack(features)) if views else None,
            lengths=lengths,
            frames=frames,
        )

    def forward(self, audio: AudioBatch) -> Float[Tensor, "batch views frames mels"]:
        """Log-mel features of a batch: one view a clip, or with fusion four, which are alike in a short clip.

        A clip that keeps its length has the features that it has alone, and frames of zeros after them.
        """
        if audio.ready is not None and len(audio.ready.rows) == len(audio):
            return audio.ready.features
        lengths = None if audio.lengths is None else audio.lengths.tolist()
        features: Tensor = self.log_mel(audio.waveforms, lengths)[:, None].expand(-1, self.views, -1, -1)
        return features if audio.ready is None else features.index_copy(0, audio.ready.rows, audio.ready.features)

    def _rounded(self, samples: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " samples"]:
        return int16_round_trip(samples) if self.config.int16_round_trip else samples

    def _check_not_empty(self, n_samples: int, source: AudioSource) -> None:
        if n_samples == 0:
            rate_hz = self.config.sample_rate_hz
            raise EmptyAudioError(source_name(source), f"is too short: no sample is left of it at {rate_hz} Hz")


def _filled_up(clips: Sequence[npt.NDArray[np.float32]], n_samples: int) -> list[npt.NDArray[np.float32]]:
    return [np.pad(clip, (0, n_samples - len(clip))) for clip in clips]


def int16_round_trip(samples: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " samples"]:
    """The samples as a 16-bit file would give them back: ×32767, clipped, cut towards zero, ÷32767."""
    rounded: Float32[np.ndarray, " samples"] = np.clip(samples, -1.0, 1.0)
    rounded *= np.float32(32767.0)
    np.trunc(rounded, out=rounded)  # in place: a long clip is large
    rounded /= np.float32(32767.0)
    return rounded


FRONTEND_PRESETS: dict[str, FrontendConfig] = {
    "laion": FrontendConfig(mel=MEL_PRESETS["laion"], int16_round_trip=True),
    "laion-fusion": FrontendConfig(mel=MEL_PRESETS["laion-fusion"], int16_round_trip=True, fusion=FusionConfig()),
    "msclap-2022": FrontendConfig(window_s=5.0, length=LengthConfig(short="repeat"), mel=MEL_PRESETS["msclap-2022"]),
    "msclap-2023": FrontendConfig(window_s=7.0, length=LengthConfig(short="repeat"), mel=MEL_PRESETS["msclap-2023"]),
    "audiomae": FrontendConfig(length=LengthConfig(short="zero-pad-features"), mel=MEL_PRESETS["audiomae"]),
}
"""The models' own front-ends. Where they crop at random in use (LAION, MS-CLAP), these take the first part."""
