"""Resampling keeps what both rates can hold, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from openclap.audio.resample import resample
from openclap.errors import AudioFormatError
from openclap.types import Waveform


def tone(hz: float, rate: int, seconds: float = 1.0) -> Waveform:
    return Waveform(np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate).astype(np.float32), rate)


def test_the_same_rate_gives_the_same_object() -> None:
    waveform = tone(440, 48_000)
    assert resample(waveform, 48_000) is waveform


@pytest.mark.parametrize(("old", "new"), [(44_100, 48_000), (48_000, 16_000), (8_000, 44_100), (22_050, 32_000)])
def test_a_tone_stays_the_same_tone(old: int, new: int) -> None:
    resampled = resample(tone(1000, old), new)
    expected = tone(1000, new).samples
    assert (resampled.sample_rate_hz, resampled.samples.dtype, len(resampled.samples)) == (new, np.float32, new)
    error = (resampled.samples - expected)[new // 10 : -new // 10]  # without the ends, where the filter sees a step
    assert 10 * np.log10(np.mean(error**2) / np.mean(expected**2)) < -100  # dB; HQ means 20 bits, of float32's 24


def test_what_the_lower_rate_cannot_hold_is_gone() -> None:
    resampled = resample(tone(10_000, 48_000), 16_000)
    assert np.abs(resampled.samples[1600:-1600]).max() < 1e-5


def test_a_rate_that_is_none_is_refused() -> None:
    with pytest.raises(AudioFormatError, match="rate"):
        resample(tone(440, 8_000), 0)
