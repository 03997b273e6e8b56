"""Log-mel features back to a sound that has about such features: rough, to be listened to and not to be measured.

What a log-mel spectrogram leaves out is invented: the fine structure of the spectrum, by the least-squares inverse of
the filter bank, and all phases, by Griffin and Lim's iteration ("Signal estimation from modified short-time Fourier
transform", 1984) with the momentum of Perraudin, Balazs and Søndergaard ("A fast Griffin-Lim algorithm", 2013). Expect
voices from a pipe. Times are right to half a frame.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.nn import functional as F

from openclap.audio.mel import mel_filters
from openclap.audio.mel_config import MelConfig

_MOMENTUM = 0.99


def invert_log_mel(
    features: Float[Tensor, "frames mels"],
    config: MelConfig,
    *,
    iterations: int = 64,
    generator: torch.Generator | None = None,
) -> Float[Tensor, " samples"]:
    """A waveform at the config's rate, within [-1, 1].

    Args:
        features: as `LogMel` makes them with this config; on the CPU.
        config: what made them.
        iterations: of the search for phases.
        generator: of the first phases; None starts from phases of 0, the same every time.
    """
    magnitudes = _magnitudes(features.float(), config)
    least = 2 + config.n_fft // 2 // config.hop_length  # fewer frames are too short for the edges to be mirrored
    magnitudes = F.pad(magnitudes, (0, max(0, least - len(features))))
    phases = torch.zeros_like(magnitudes)
    if generator is not None:
        phases = 2 * math.pi * torch.rand(magnitudes.shape, generator=generator)
    samples = _griffin_lim(magnitudes, torch.polar(torch.ones_like(phases), phases), config, iterations)
    if len(features) < least:
        samples = samples[: len(features) * config.hop_length]
    if config.int16_scale:
        samples = samples / 32768.0
    return samples / samples.abs().max().clamp(min=1.0)


def _magnitudes(features: Float[Tensor, "frames mels"], config: MelConfig) -> Float[Tensor, "bins frames"]:
    """The magnitude spectra that come nearest to the features, without the front-end's pre-emphasis."""
    if config.normalise_mean is not None and config.normalise_std is not None:
        features = features * (2.0 * config.normalise_std) + config.normalise_mean
    energies = features.exp() if config.log == "ln" else config.ref * 10.0 ** (features / 10.0)
    inverse = torch.linalg.pinv(torch.from_numpy(mel_filters(config))).float()
    magnitudes: Tensor = (energies @ inverse).clamp(min=0.0).T ** (1.0 / config.power)
    if config.preemphasis:
        angles = torch.linspace(0.0, math.pi, len(magnitudes))
        response = torch.polar(torch.full_like(angles, config.preemphasis), -angles)
        magnitudes = magnitudes / (1.0 - response).abs()[:, None]
    return magnitudes


def _griffin_lim(
    magnitudes: Float[Tensor, "bins frames"], phases: Complex[Tensor, "bins frames"], config: MelConfig, iterations: int
) -> Float[Tensor, " samples"]:
    window = torch.hann_window(config.win_length)
    sizes: dict[str, Any] = {
        "n_fft": config.n_fft,
        "hop_length": config.hop_length,
        "win_length": config.win_length,
        "window": window,
    }
    before = torch.zeros_like(phases)
    for _ in range(iterations):
        samples = torch.istft(magnitudes * phases, **sizes)
        found = torch.stft(samples, **sizes, return_complex=True)
        ahead = found + _MOMENTUM / (1 + _MOMENTUM) * (found - before)
        phases, before = ahead / ahead.abs().clamp(min=1e-16), found
    inverted: Tensor = torch.istft(magnitudes * phases, **sizes)
    return inverted
