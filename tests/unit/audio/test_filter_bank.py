"""Filter banks against librosa's and torchaudio's own (see data/make_vectors.py), and what a mel filter must be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from openclap.audio.filter_bank import MelNorm, MelScale, hz_to_mel, mel_edges_hz, mel_filter_bank, mel_to_hz

VECTORS = Path(__file__).with_name("data") / "log_mel.npz"
SCALES: tuple[MelScale, ...] = ("slaney", "htk")
NORMS: tuple[MelNorm, ...] = ("slaney", "none")
LAION = {"n_mels": 64, "n_fft": 1024, "sample_rate_hz": 48_000, "f_min_hz": 50.0, "f_max_hz": 14_000.0}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("norm", NORMS)
def test_the_bank_is_librosas(scale: MelScale, norm: MelNorm) -> None:
    expected = np.load(VECTORS)[f"bank/librosa/{scale}/{norm}"]
    # librosa computes in float64, too: only the order of operations differs.
    np.testing.assert_allclose(mel_filter_bank(**LAION, scale=scale, norm=norm), expected, rtol=1e-9, atol=1e-13)


def test_the_bank_with_sides_straight_in_mel_is_kaldis() -> None:
    expected = np.load(VECTORS)["bank/kaldi"]  # without the bin of half the rate
    bank = mel_filter_bank(
        n_mels=128,
        n_fft=512,
        sample_rate_hz=16_000,
        f_min_hz=20.0,
        f_max_hz=8_000.0,
        scale="htk",
        norm="none",
        triangles="mel",
    )
    # torchaudio computes it in float32, where mel of about 2800 have steps of 2e-4, and sides are 22 mel wide.
    np.testing.assert_allclose(bank[:-1], expected, atol=1e-4)
    np.testing.assert_allclose(bank[-1], 0, atol=1e-12)


@pytest.mark.parametrize("scale", SCALES)
def test_the_scales_invert_and_rise(scale: MelScale) -> None:
    hz = np.linspace(0, 20_000, 999)
    mel = hz_to_mel(hz, scale)
    assert (np.diff(mel) > 0).all()
    np.testing.assert_allclose(mel_to_hz(mel, scale), hz, atol=1e-8)


def test_known_points_of_the_scales() -> None:
    assert hz_to_mel(np.array([1000.0]), "slaney")[0] == pytest.approx(15.0)  # the knee
    assert hz_to_mel(np.array([6400.0]), "slaney")[0] == pytest.approx(42.0)  # 27 steps above it
    assert hz_to_mel(np.array([1000.0]), "htk")[0] == pytest.approx(1000.0, abs=0.02)  # how the scale was anchored


@pytest.mark.parametrize("scale", SCALES)
def test_neighbours_add_up_to_one_between_the_outer_peaks(scale: MelScale) -> None:
    bank = mel_filter_bank(**LAION, scale=scale, norm="none")
    edges = mel_edges_hz(64, 50.0, 14_000.0, scale)
    bins = np.linspace(0, 24_000, 513)
    inside = (bins >= edges[1]) & (bins <= edges[-2])
    np.testing.assert_allclose(bank[inside].sum(1), 1.0, atol=1e-12)
    assert not bank[(bins < 50) | (bins > 14_000)].any()


def test_slaneys_norm_gives_every_filter_the_same_area() -> None:
    bank = mel_filter_bank(**{**LAION, "n_fft": 1 << 16}, norm="slaney")  # fine bins, to integrate over
    np.testing.assert_allclose(bank.sum(0) * 48_000 / (1 << 16), 1.0, atol=1e-3)
