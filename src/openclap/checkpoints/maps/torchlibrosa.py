"""The front-end that LAION-CLAP and MS-CLAP keep in their files: torchlibrosa's Fourier and filter matrices.

They follow from the front-end's settings, and openclap computes features without them. So they are checked against
the settings that it will use, and made anew when a file is written.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from openclap.audio.filter_bank import mel_filter_bank
from openclap.audio.mel import MelConfig
from openclap.checkpoints.maps.rules import Fixed, has_value

# Both are float64 rounded to float32, theirs by repeated products. A filter bank that reaches 1 kHz higher or lower
# is 1e-3 away.
_TOLERANCE = 1e-6


def torchlibrosa_buffers(mel: MelConfig, prefix: str) -> list[Fixed]:
    """What torchlibrosa's `Spectrogram` and `LogmelFilterBank` hold for these settings; `prefix` ends in a dot."""
    stft = f"{prefix}spectrogram_extractor.stft"
    return [
        Fixed(f"{stft}.conv_real.weight", lambda: _fourier(mel)[0], _TOLERANCE),
        Fixed(f"{stft}.conv_imag.weight", lambda: _fourier(mel)[1], _TOLERANCE),
        Fixed(f"{prefix}logmel_extractor.melW", lambda: _filters(mel), _TOLERANCE),
    ]


def fits(mel: MelConfig, tensors: Mapping[str, Tensor], prefix: str) -> bool:
    """Whether the buffers in a file are of these settings; those that are absent fit any."""
    return all(
        has_value(tensors[rule.theirs], rule.value(), rule.tolerance)
        for rule in reversed(torchlibrosa_buffers(mel, prefix))  # the small one first
        if rule.theirs in tensors
    )


def has_buffers(names: Mapping[str, Tensor], prefix: str) -> bool:
    """Whether a file says which filters it was trained with."""
    return f"{prefix}logmel_extractor.melW" in names


def _fourier(mel: MelConfig) -> tuple[Tensor, Tensor]:
    """Windowed cosines and negative sines, (bins, 1, n_fft); a shorter window stands in the middle."""
    n = mel.n_fft
    window = torch.zeros(n, dtype=torch.float64)
    start = (n - mel.win_length) // 2
    window[start : start + mel.win_length] = torch.hann_window(mel.win_length, periodic=True, dtype=torch.float64)
    angles = 2 * torch.pi * torch.arange(n, dtype=torch.float64) / n
    steps = torch.arange(n // 2 + 1)[:, None] * torch.arange(n) % n  # only n angles occur, so only they are computed
    cosines, sines = angles.cos()[steps], -angles.sin()[steps]
    return (cosines * window).float()[:, None], (sines * window).float()[:, None]


def _filters(mel: MelConfig) -> Tensor:
    bank = mel_filter_bank(
        n_mels=mel.n_mels,
        n_fft=mel.n_fft,
        sample_rate_hz=mel.bank_sample_rate_hz,
        f_min_hz=mel.f_min_hz,
        f_max_hz=mel.f_max_hz,
    )
    return torch.from_numpy(bank).float()
