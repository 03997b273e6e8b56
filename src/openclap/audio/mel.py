"""Log-mel features: one module for every convention of the field, on CPU and GPU.

Each convention is a field of `MelConfig`, and the models' choices are named in `MEL_PRESETS`. The order of the steps:
scale the waveform and remove its mean; cut it into frames; remove each frame's mean, pre-emphasise, window; Fourier
transform; power; filter bank; logarithm; limits; number of frames; normalisation.

Speed (10 s at 48 kHz, 2 threads): frames are a view of the waveform, only those bins are squared that some filter uses,
and clips go through one by one. That takes 1.2 ms a clip, `torch.stft` 3.3 ms clip by clip and 6 ms as a batch, whose
large temporary tensors cost page faults; and it gives every clip the same numbers alone and in any batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from openclap.audio.filter_bank import mel_filter_bank
from openclap.audio.mel_config import MEL_PRESETS, MelConfig
from openclap.errors import AudioFormatError

__all__ = ["MEL_PRESETS", "LogMel", "MelConfig"]

_BLOCK_FRAMES = (
    1024  # on a CPU: 4 MiB a block at n_fft 1024; smaller blocks gain nothing, and make threads wait more often
)
_DEVICE_BLOCK_VALUES = 1 << 28  # elsewhere: frames of many clips at once, at most 1 GiB


class LogMel(nn.Module):
    """Waveforms to log-mel features, as the config says; always in float32, also under autocast.

    Window and filter bank follow the module's device, stay float32 whatever `.half()` or `.bfloat16()` asks, and are
    not part of its state: a checkpoint holds the config instead.
    """

    window: Tensor
    bank: Tensor
    bin_min: Tensor | None
    bin_max: Tensor | None

    def __init__(self, config: MelConfig) -> None:
        super().__init__()
        self.config = config
        bank, self.bins = _used_bins(mel_filters(config))
        self.register_buffer("window", _window(config), persistent=False)
        self.register_buffer("bank", bank, persistent=False)
        self.register_buffer("bin_min", _limit(config.bin_min), persistent=False)
        self.register_buffer("bin_max", _limit(config.bin_max), persistent=False)

    def frames(self, n_samples: int) -> int:
        """How many frames a clip of so many samples gives."""
        return self.config.count_frames(n_samples)

    def forward(
        self, waveforms: Float[Tensor, "*batch samples"], lengths: Sequence[int] | None = None
    ) -> Float[Tensor, "*batch frames mels"]:
        """Log-mel features of each clip.

        Args:
            waveforms: clips of one length.
            lengths: how many samples of each clip are the clip, where they differ. Its features are those that it has
                alone, and frames of 0 after them, which are normalised like the others.

        Raises:
            AudioFormatError: if the clips are too short for one frame.
        """
        n_samples = waveforms.shape[-1]
        shortest = min(lengths or [n_samples])
        if self.frames(shortest) == 0:
            needed = self.config.shortest_clip
            raise AudioFormatError("<waveforms>", f"{shortest} samples are too few for a frame, which takes {needed}")
        with torch.autocast(waveforms.device.type, enabled=False):
            clips = waveforms.reshape(-1, n_samples).float()
            frames = self.config.frames_cut(n_samples)
            at_once = self._clips_at_once(clips, frames)
            if lengths is None:
                parts = [self._energies(self._prepared(part), frames) for part in torch.split(clips, at_once)]
                features = self._finished(torch.cat(parts), None)
            else:
                starts = range(0, len(clips), at_once)
                parts = [self._own_energies(clips[i : i + at_once], lengths[i : i + at_once], frames) for i in starts]
                own = self._own_frames(lengths, frames).to(clips.device, non_blocking=True)
                features = self._finished(torch.cat(parts), own)
        return features.reshape(*waveforms.shape[:-1], *features.shape[1:])

    def extra_repr(self) -> str:
        """What `print` shows: the fields that matter at a glance."""
        c = self.config
        return f"{c.sample_rate_hz} Hz, n_fft={c.n_fft}, hop_length={c.hop_length}, n_mels={c.n_mels}, {c.mel_scale}"

    def _prepared(self, clips: Float[Tensor, "clips samples"]) -> Float[Tensor, "clips padded"]:
        """Scaled, centred and padded so that frame t begins at sample t·hop_length."""
        config = self.config
        if config.int16_scale:
            clips = clips * 32768.0
        if config.remove_waveform_mean:
            clips = clips - clips.mean(-1, keepdim=True)
        if config.framing == "centre":
            half = config.n_fft // 2
            mode = "reflect" if config.pad_mode == "reflect" else "constant"
            padded = F.pad(clips, (half, half), mode=mode)
            return padded[:, (config.n_fft - config.win_length) // 2 :]  # a shorter window stands in the middle
        if config.framing == "mirror-edges":
            before = config.win_length // 2 - config.hop_length // 2
            mirrored = clips.flip(-1)
            if before > 0:
                return torch.cat((mirrored[:, -before:], clips, mirrored), -1)
            return torch.cat((clips[:, -before:], mirrored), -1)
        return clips

    def _own_energies(
        self, clips: Float[Tensor, "clips samples"], lengths: Sequence[int], frames: int
    ) -> Float[Tensor, "clips {frames} mels"]:
        """The energies of each clip alone, and zeros after its own frames."""
        longest = max(lengths)
        prepared = [self._prepared(clip[None, :length])[0] for clip, length in zip(clips, lengths, strict=True)]
        counted = self.config.frames_cut(longest)
        energies = self._energies(pad_sequence(prepared, batch_first=True), counted)
        own = self._own_frames(lengths, counted).to(clips.device, non_blocking=True)
        return F.pad(energies.where(own, 0.0), (0, 0, 0, frames - counted))

    def _own_frames(self, lengths: Sequence[int], frames: int) -> Bool[Tensor, "clips {frames} 1"]:
        """Which of so many frames are the clips' own."""
        counts = torch.tensor([self.config.frames_cut(length) for length in lengths])
        return (torch.arange(frames) < counts[:, None])[:, :, None]

    def _clips_at_once(self, clips: Float[Tensor, "clips samples"], frames: int) -> int:
        if clips.device.type == "cpu":
            return 1
        return max(1, _DEVICE_BLOCK_VALUES // (frames * self.config.n_fft))

    def _energies(self, clips: Float[Tensor, "clips padded"], frames: int) -> Float[Tensor, "clips frames mels"]:
        """Mel energies; on a CPU, block by block."""
        framed = clips.unfold(-1, self.config.win_length, self.config.hop_length)[:, :frames]  # a view
        block = _BLOCK_FRAMES if clips.device.type == "cpu" else frames
        return torch.cat([self._block(part) for part in torch.split(framed, block, dim=1)], dim=1)

    def _block(self, frames: Float[Tensor, "*frames samples"]) -> Float[Tensor, "*frames mels"]:
        config = self.config
        if config.remove_frame_mean:
            frames = frames - frames.mean(-1, keepdim=True)
        if config.preemphasis:
            before = torch.cat((frames[..., :1], frames[..., :-1]), -1)
            frames = frames - config.preemphasis * before
        spectrum = torch.fft.rfft(frames * self.window, n=config.n_fft)[..., self.bins]
        power = torch.addcmul(spectrum.real * spectrum.real, spectrum.imag, spectrum.imag)
        if config.power != 2.0:
            power = power ** (config.power / 2.0)
        return power @ self.bank

    def _finished(
        self, energies: Float[Tensor, "clips frames mels"], own: Bool[Tensor, "clips frames 1"] | None
    ) -> Float[Tensor, "clips frames_ mels"]:
        return features_of(energies, self.config, own=own, bin_min=self.bin_min, bin_max=self.bin_max)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> LogMel:
        """Move with the module, and undo what a change of type would cost in precision."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.window.dtype != torch.float32:
            device = self.window.device
            self.window = _window(self.config).to(device)
            self.bank = _used_bins(mel_filters(self.config))[0].to(device)
            self.bin_min, self.bin_max = _limit(self.config.bin_min, device), _limit(self.config.bin_max, device)
        return self


def features_of(
    energies: Float[Tensor, "clips frames mels"],
    config: MelConfig,
    *,
    own: Bool[Tensor, "*clips frames 1"] | None = None,
    bin_min: Float[Tensor, "..."] | None = None,
    bin_max: Float[Tensor, "..."] | None = None,
) -> Float[Tensor, "clips frames_ mels"]:
    """Mel energies to features: the steps from the logarithm on.

    Args:
        energies: after the filter bank.
        config: which logarithm, how many frames, what they are normalised by.
        own: which of the frames are the clips' own, where they differ; the others are 0 before normalisation.
        bin_min: the config's `bin_min` as a tensor.
        bin_max: the config's `bin_max` as a tensor.
    """
    features = energies.clamp(min=config.amin)
    if config.log == "ln":
        features = features.log()
    else:
        features = features.log10().mul(10.0) - 10.0 * math.log10(max(config.amin, config.ref))
        if config.top_db is not None:
            features = features.maximum(features.amax((-2, -1), keepdim=True) - config.top_db)
    if bin_min is not None or bin_max is not None:
        features = features.clamp(bin_min, bin_max)
    if own is not None:
        features = features.where(own, 0.0)
    if config.frames is not None:
        features = F.pad(features[:, : config.frames], (0, 0, 0, max(0, config.frames - features.shape[1])))
    if config.normalise_mean is not None and config.normalise_std is not None:
        features = (features - config.normalise_mean) / (2.0 * config.normalise_std)
    return features


def mel_filters(config: MelConfig) -> Float64[np.ndarray, "bins mels"]:
    """The filter bank of a front-end's settings, in float64."""
    return mel_filter_bank(
        n_mels=config.n_mels,
        n_fft=config.n_fft,
        sample_rate_hz=config.bank_sample_rate_hz,
        f_min_hz=config.f_min_hz,
        f_max_hz=config.f_max_hz,
        scale=config.mel_scale,
        norm=config.mel_norm,
        triangles=config.mel_triangles,
    )


def _used_bins(bank: Float64[np.ndarray, "bins mels"]) -> tuple[Float[Tensor, "used mels"], slice]:
    """The rows of the bank from the first to the last that some filter uses, and which these are."""
    used = np.flatnonzero(bank.any(axis=1))
    bins = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)
    return torch.from_numpy(bank[bins]).float(), bins


def _window(config: MelConfig) -> Float[Tensor, " win_length"]:
    n, periodic = config.win_length, config.window_periodic
    if config.window == "rectangular":
        return torch.ones(n)
    if config.window == "hamming":
        return torch.hamming_window(n, periodic=periodic, dtype=torch.float64).float()
    hann = torch.hann_window(n, periodic=periodic, dtype=torch.float64)
    return (hann**0.85 if config.window == "povey" else hann).float()


def _limit(limit: float | tuple[float, ...] | None, device: torch.device | None = None) -> Tensor | None:
    return None if limit is None else torch.tensor(limit, dtype=torch.float32, device=device)
