"""Log-mel features back to sound."""

from __future__ import annotations

import math

import pytest
import torch

from openclap.audio.invert import invert_log_mel
from openclap.audio.mel import MEL_PRESETS, LogMel

PRESETS = ("audiomae", "laion")


def tones(rate_hz: int, *frequencies_hz: float) -> torch.Tensor:
    """A second of each, one after the other."""
    time_s = torch.arange(rate_hz) / rate_hz
    return torch.cat([0.3 * torch.sin(2 * math.pi * hz * time_s) for hz in frequencies_hz])


@pytest.mark.parametrize("preset", PRESETS)
def test_a_tone_comes_back_at_its_pitch_and_in_its_place(preset):
    config = MEL_PRESETS[preset].model_copy(update={"frames": None})
    rate_hz = config.sample_rate_hz
    features = LogMel(config)(tones(rate_hz, 500.0, 2000.0))
    sound = invert_log_mel(features, config, iterations=16)
    assert abs(len(sound) - 2 * rate_hz) <= 2 * config.n_fft
    for second, pitch_hz in enumerate((500.0, 2000.0)):
        part = sound[second * rate_hz + rate_hz // 4 :][: rate_hz // 2]
        strongest_hz = float(torch.fft.rfft(part).abs().argmax()) * rate_hz / len(part)
        assert strongest_hz == pytest.approx(pitch_hz, rel=0.06)  # a mel band is that wide


@pytest.mark.parametrize("preset", PRESETS)
def test_the_sound_has_about_the_features_that_it_was_made_of(preset):
    config = MEL_PRESETS[preset].model_copy(update={"frames": None})
    samples = tones(config.sample_rate_hz, 400.0, 1500.0) + 0.05 * torch.randn(
        2 * config.sample_rate_hz, generator=torch.Generator().manual_seed(0)
    )
    mel = LogMel(config)
    features = mel(samples)
    sound = invert_log_mel(features, config)
    again = mel(sound)
    count = min(len(features), len(again)) - 8
    difference = (features[4:count] - again[4:count]).abs().mean() / features.std()
    assert float(difference) < 0.5  # rough: half of what features vary by


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("frames", [1, 2, 4])
def test_a_clip_of_few_frames_has_a_sound_too(preset, frames):
    config = MEL_PRESETS[preset].model_copy(update={"frames": None})
    features = LogMel(config)(tones(config.sample_rate_hz, 500.0))[10 : 10 + frames]
    sound = invert_log_mel(features, config, iterations=4)
    assert 0 < len(sound) <= frames * config.hop_length
    assert float(sound.abs().max()) > 1e-3


def test_it_is_the_same_every_time_and_stays_within_full_scale():
    config = MEL_PRESETS["laion"]
    features = LogMel(config)(tones(config.sample_rate_hz, 440.0)) + 60
    sound = invert_log_mel(features, config, iterations=2)
    assert sound.equal(invert_log_mel(features, config, iterations=2))
    assert float(sound.abs().max()) == pytest.approx(1.0)
    other = invert_log_mel(features, config, iterations=2, generator=torch.Generator().manual_seed(1))
    assert not sound.equal(other)
