"""The picture shows when and at which frequency a sound is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from openclap.errors import AudioNotFoundError
from openclap.serving.spectrogram import draw

RATE_HZ = 32_000


def tone(path: Path, hz: float, seconds: float, silence_s: float = 0.0, rate_hz: int = RATE_HZ) -> Path:
    """A tone after silence, written to `path`."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    samples = np.concatenate([np.zeros(round(silence_s * rate_hz)), 0.5 * np.sin(2 * np.pi * hz * time_s)])
    soundfile.write(path, samples.astype(np.float32), rate_hz)
    return path


@pytest.mark.parametrize("hz", [200, 1_000, 5_000, 10_000])
def test_a_tone_lies_where_the_axis_says(tmp_path: Path, hz: int) -> None:
    picture = draw(tone(tmp_path / "a.wav", hz, 1.0))
    place = dict(picture.ticks)[hz]
    loudest = picture.levels.mean(axis=1).argmax()
    assert loudest + 0.5 == pytest.approx(place * len(picture.levels), abs=1.0)  # the nearest band


def test_sound_after_silence_lies_in_the_second_half(tmp_path: Path) -> None:
    picture = draw(tone(tmp_path / "a.wav", 1_000, 1.0, silence_s=1.0))
    half = picture.levels.shape[1] // 2
    assert picture.levels[:, : half - 20].max() == 0
    assert picture.levels[:, half + 20 :].max() == 255
    assert picture.duration_s == 2.0


def test_silence_is_dark(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE_HZ * 2, np.float32), RATE_HZ)
    assert draw(tmp_path / "a.wav", start_s=0.5, duration_s=1.0).levels.max() == 0


def test_a_range_is_drawn_alone(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.wav", 1_000, 1.0, silence_s=3.0)
    picture = draw(path, start_s=3.0, duration_s=0.5)
    assert picture.duration_s == 0.5
    assert picture.levels.max(axis=0).min() > 100


def test_a_long_recording_keeps_its_short_sounds(tmp_path: Path) -> None:
    samples = np.zeros(8_000 * 300, np.float32)
    samples[8_000 * 200 : 8_000 * 200 + 400] = 0.5 * np.sin(np.arange(400))
    soundfile.write(tmp_path / "a.flac", samples, 8_000)
    picture = draw(tmp_path / "a.flac", columns=300)
    assert picture.levels.shape[1] == 300
    assert picture.levels[:, 200].max() == 255
    assert picture.duration_s == 300.0


@pytest.mark.parametrize("rate_hz", [1_000, 8_000, 22_050, 48_000, 192_000])
def test_no_band_is_empty_at_any_rate(tmp_path: Path, rate_hz: int) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, rate_hz).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", noise, rate_hz)
    picture = draw(tmp_path / "a.wav")
    assert picture.levels.mean(axis=1).min() > 100
    assert all(0 < hz < rate_hz / 2 for hz, _ in picture.ticks)


@pytest.mark.parametrize("n_samples", [1, 20, 700])
def test_the_shortest_clips_are_drawn(tmp_path: Path, n_samples: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(n_samples, 0.3, np.float32), RATE_HZ)
    picture = draw(tmp_path / "a.wav")
    assert picture.levels.max() == 255


def test_missing_sound_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AudioNotFoundError):
        draw(tmp_path / "missing.wav")
