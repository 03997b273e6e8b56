"""Mel filter banks in float64, in the three conventions of the field.

- Slaney: librosa's and torchlibrosa's default. Linear below 1 kHz, logarithmic above; triangles straight in hertz, each
  scaled to unit area. Source: M. Slaney, "Auditory Toolbox", Interval Research report 1998-010.
- HTK: torchaudio's default. 2595 log10(1 + f / 700); triangles straight in hertz, peak 1. Source: the HTK Book, 5.4.
- Kaldi: HTK's scale with triangles straight in mel. Source: Kaldi, `feat/mel-computations.cc`.

Written from these formulas; the tests compare with vectors that librosa and torchaudio made.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float64

MelScale: TypeAlias = Literal["slaney", "htk"]
MelNorm: TypeAlias = Literal["slaney", "none"]
Triangles: TypeAlias = Literal["hz", "mel"]

_SLANEY_HZ_PER_MEL = 200.0 / 3.0
_SLANEY_KNEE_HZ = 1000.0
_SLANEY_KNEE_MEL = _SLANEY_KNEE_HZ / _SLANEY_HZ_PER_MEL
_SLANEY_LOG_STEP = np.log(6.4) / 27.0


def hz_to_mel(hz: Float64[np.ndarray, "..."], scale: MelScale) -> Float64[np.ndarray, "..."]:
    """Frequencies in mel."""
    if scale == "htk":
        return np.asarray(2595.0 * np.log10(1.0 + hz / 700.0))
    above = _SLANEY_KNEE_MEL + np.log(np.maximum(hz, _SLANEY_KNEE_HZ) / _SLANEY_KNEE_HZ) / _SLANEY_LOG_STEP
    return np.where(hz < _SLANEY_KNEE_HZ, hz / _SLANEY_HZ_PER_MEL, above)


def mel_to_hz(mel: Float64[np.ndarray, "..."], scale: MelScale) -> Float64[np.ndarray, "..."]:
    """Mel in hertz."""
    if scale == "htk":
        return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))
    above = _SLANEY_KNEE_HZ * np.exp(_SLANEY_LOG_STEP * (np.maximum(mel, _SLANEY_KNEE_MEL) - _SLANEY_KNEE_MEL))
    return np.where(mel < _SLANEY_KNEE_MEL, mel * _SLANEY_HZ_PER_MEL, above)


def mel_edges_hz(n_mels: int, f_min_hz: float, f_max_hz: float, scale: MelScale) -> Float64[np.ndarray, " edges"]:
    """The n_mels + 2 corner frequencies: filter m rises from edge m, peaks at edge m + 1 and falls to edge m + 2."""
    lowest, highest = hz_to_mel(np.array([f_min_hz, f_max_hz]), scale)
    return mel_to_hz(np.linspace(lowest, highest, n_mels + 2), scale)


def mel_filter_bank(
    *,
    n_mels: int,
    n_fft: int,
    sample_rate_hz: int,
    f_min_hz: float,
    f_max_hz: float,
    scale: MelScale = "slaney",
    norm: MelNorm = "slaney",
    triangles: Triangles = "hz",
) -> Float64[np.ndarray, "bins mels"]:
    """Weights that turn a power spectrum of n_fft // 2 + 1 bins into mel energies.

    Args:
        n_mels: number of filters.
        n_fft: length of the Fourier transform, in samples.
        sample_rate_hz: rate that the bins are taken to belong to.
        f_min_hz: lowest frequency; the first filter rises from it.
        f_max_hz: highest frequency; the last filter falls to it.
        scale: how the filters are spaced.
        norm: "slaney" gives every triangle an area of 1 (over hertz), "none" a peak of 1.
        triangles: what the sides are straight over.
    """
    edges = mel_edges_hz(n_mels, f_min_hz, f_max_hz, scale)
    bins = np.linspace(0.0, sample_rate_hz / 2.0, n_fft // 2 + 1)
    at, corner = (bins, edges) if triangles == "hz" else (hz_to_mel(bins, scale), hz_to_mel(edges, scale))
    rising = (at[:, None] - corner[:-2]) / np.diff(corner)[:-1]
    falling = (corner[2:] - at[:, None]) / np.diff(corner)[1:]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    if norm == "slaney":
        weights *= 2.0 / (edges[2:] - edges[:-2])
    return np.asarray(weights)
