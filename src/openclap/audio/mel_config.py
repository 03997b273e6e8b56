"""The conventions of a log-mel spectrogram, each a field, and the models' choices among them."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import model_validator

from openclap.audio.filter_bank import MelNorm, MelScale, Triangles
from openclap.config import Config


class MelConfig(Config):
    """Every convention of a log-mel spectrogram.

    Attributes:
        sample_rate_hz: rate of the waveforms.
        n_mels: number of filters.
        n_fft: length of the Fourier transform; frames are padded with zeros to it.
        win_length: length of a frame and of its window, in samples.
        hop_length: samples from a frame to the next.
        f_min_hz: lowest frequency of the filter bank.
        f_max_hz: highest frequency of the filter bank.
        filter_bank_sample_rate_hz: rate that the filters are built for; None for the waveforms' own. Another one moves
            every filter by the ratio of the two (MS-CLAP's HTSAT: filters for 32 kHz on sound of 44.1 kHz).
        mel_scale: spacing of the filters.
        mel_norm: "slaney" for triangles of area 1, "none" for a peak of 1.
        mel_triangles: sides straight over "hz" (librosa, torchaudio) or over "mel" (Kaldi).
        power: exponent of the magnitude spectrum: 2 for energy, 1 for magnitude.
        window: its shape; Povey is Kaldi's hann ** 0.85.
        window_periodic: a period of win_length (librosa, torch) or of win_length - 1, "symmetric" (Kaldi).
        framing: "centre": frame t is centred on sample t·hop_length, with the ends padded; "snip-edges": only frames
            that fit whole (Kaldi's default); "mirror-edges": Kaldi's snip_edges=false.
        pad_mode: what "centre" pads with: a reflection without the edge sample, or zeros.
        int16_scale: take full scale as 32768 instead of 1, as Kaldi reads its files.
        remove_waveform_mean: subtract the mean of the whole clip.
        remove_frame_mean: subtract the mean of each frame (Kaldi's remove_dc_offset).
        preemphasis: x[i] - preemphasis·x[i - 1] in each frame, its first sample against itself; 0 for none.
        log: "db" for 10·log10, whatever the power; "ln" for the natural logarithm.
        amin: energies below are raised to it: the floor of the logarithm.
        ref: the energy that is 0 dB.
        top_db: nothing is left further below a clip's own maximum; None for no such limit.
        bin_min: limit from below on log-mel values, before normalisation: one number, or one a mel bin.
        bin_max: the same from above.
        frames: every clip is cut, or padded with zeros, to this many frames before normalisation (AudioMAE); None for
            as many as it has.
        normalise_mean: m in (x - m) / (2·s); None for no normalisation.
        normalise_std: s in it.
    """

    sample_rate_hz: int = 48_000
    n_mels: int = 64
    n_fft: int = 1024
    win_length: int = 1024
    hop_length: int = 480
    f_min_hz: float = 50.0
    f_max_hz: float = 14_000.0
    filter_bank_sample_rate_hz: int | None = None
    mel_scale: MelScale = "slaney"
    mel_norm: MelNorm = "slaney"
    mel_triangles: Triangles = "hz"
    power: float = 2.0
    window: Literal["hann", "hamming", "povey", "rectangular"] = "hann"
    window_periodic: bool = True
    framing: Literal["centre", "snip-edges", "mirror-edges"] = "centre"
    pad_mode: Literal["reflect", "zeros"] = "reflect"
    int16_scale: bool = False
    remove_waveform_mean: bool = False
    remove_frame_mean: bool = False
    preemphasis: float = 0.0
    log: Literal["db", "ln"] = "db"
    amin: float = 1e-10
    ref: float = 1.0
    top_db: float | None = None
    bin_min: float | tuple[float, ...] | None = None
    bin_max: float | tuple[float, ...] | None = None
    frames: int | None = None
    normalise_mean: float | None = None
    normalise_std: float | None = None

    @model_validator(mode="after")
    def _check(self) -> MelConfig:
        for name in ("sample_rate_hz", "n_mels", "n_fft", "win_length", "hop_length", "power", "amin", "ref"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, but is {getattr(self, name)}")
        if self.win_length > self.n_fft:
            raise ValueError(f"win_length {self.win_length} does not fit into n_fft {self.n_fft}")
        nyquist_hz = self.bank_sample_rate_hz / 2
        if not 0 <= self.f_min_hz < self.f_max_hz <= nyquist_hz:
            limits = f"0 to {nyquist_hz} Hz, half the filter bank's sample rate"
            raise ValueError(f"f_min_hz {self.f_min_hz} and f_max_hz {self.f_max_hz} must rise within {limits}")
        if self.log == "ln" and (self.top_db is not None or self.ref != 1.0):
            raise ValueError("ref and top_db belong to log 'db'")
        if (self.normalise_mean is None) != (self.normalise_std is None) or self.normalise_std == 0:
            raise ValueError("normalise_mean and normalise_std are given together, the latter not 0")
        for name in ("bin_min", "bin_max"):
            limit = getattr(self, name)
            if isinstance(limit, tuple) and len(limit) != self.n_mels:
                raise ValueError(f"{name} has {len(limit)} numbers for {self.n_mels} mel bins")
        return self

    @property
    def bank_sample_rate_hz(self) -> int:
        """The rate that the filters are built for."""
        return self.filter_bank_sample_rate_hz or self.sample_rate_hz

    def count_frames(self, n_samples: int) -> int:
        """How many frames a clip of so many samples gives, 0 if it is too short for any."""
        if n_samples < self.shortest_clip:
            return 0
        if self.frames is not None:
            return self.frames
        return self.frames_cut(n_samples)

    @property
    def shortest_clip(self) -> int:
        """The fewest samples that can be framed."""
        if self.framing != "centre":
            return self.win_length  # also where the edges are mirrored: a mirror image is no longer than its clip
        return self.n_fft // 2 + 1 if self.pad_mode == "reflect" else 1

    def gain_shift(self, factor: float) -> float:
        """What a gain of the waveform adds to its features, where no limit (amin, bin_min, bin_max) is met."""
        shift = self.power * (math.log(factor) if self.log == "ln" else 10.0 * math.log10(factor))
        return shift if self.normalise_std is None else shift / (2.0 * self.normalise_std)

    @property
    def floor(self) -> float:
        """The feature of an energy of `amin` and less."""
        log = math.log(self.amin) if self.log == "ln" else 10.0 * math.log10(self.amin / max(self.amin, self.ref))
        return self._normalised(log)

    @property
    def no_energy(self) -> float:
        """What frames hold that `frames` adds to a clip: 0, normalised."""
        return self._normalised(0.0)

    def frames_cut(self, n_samples: int) -> int:
        """How many frames the waveform itself is cut into, before `frames` cuts or pads them."""
        if self.framing == "centre":
            return 1 + n_samples // self.hop_length
        if self.framing == "snip-edges":
            return 1 + (n_samples - self.win_length) // self.hop_length
        return (n_samples + self.hop_length // 2) // self.hop_length

    def _normalised(self, feature: float) -> float:
        if self.normalise_mean is None or self.normalise_std is None:
            return feature
        return (feature - self.normalise_mean) / (2.0 * self.normalise_std)


MEL_PRESETS: dict[str, MelConfig] = {
    # laion_clap's HTSAT and PANN towers, through torchlibrosa.
    "laion": MelConfig(),
    # laion_clap's `get_mel` for fused clips, through torchaudio: another filter bank.
    "laion-fusion": MelConfig(mel_scale="htk", mel_norm="none"),
    # msclap's CNN14, through torchlibrosa.
    "msclap-2022": MelConfig(sample_rate_hz=44_100, hop_length=320),
    # msclap's HTSAT: its rate and limits come from a file of its own (32 kHz, 14 kHz), not the model's (44.1, 8 kHz).
    "msclap-2023": MelConfig(sample_rate_hz=44_100, hop_length=320, filter_bank_sample_rate_hz=32_000),
    # AudioMAE, and FLAP upon it: torchaudio's Kaldi fbank with a Hann window, normalised by AudioSet's numbers.
    "audiomae": MelConfig(
        sample_rate_hz=16_000,
        n_mels=128,
        n_fft=512,
        win_length=400,
        hop_length=160,
        f_min_hz=20.0,
        f_max_hz=8_000.0,
        mel_scale="htk",
        mel_norm="none",
        mel_triangles="mel",
        window_periodic=False,
        framing="snip-edges",
        remove_waveform_mean=True,
        remove_frame_mean=True,
        preemphasis=0.97,
        log="ln",
        amin=2.0**-23,  # float32's epsilon
        frames=1024,
        normalise_mean=-4.2677393,
        normalise_std=4.5689974,
    ),
}
"""The models' own conventions."""
