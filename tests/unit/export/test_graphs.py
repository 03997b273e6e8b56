"""Inside the graph a clip gets its length as the front-end gives it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from openclap.audio.frontend import Frontend, FrontendConfig
from openclap.audio.length import LengthConfig, fit_length
from openclap.audio.mel import MelConfig
from openclap.errors import ConfigError
from openclap.export.graphs import AudioGraph, fit
from openclap.models.clap import Clap, ClapConfig, EncoderConfig


@pytest.mark.parametrize("short", ["repeat-pad", "repeat", "zero-pad"])
@pytest.mark.parametrize("crop", ["first", "centre"])
@pytest.mark.parametrize("count", [1, 7, 4799, 4800, 4801, 10_000])
def test_every_length_policy_is_the_front_ends(short, crop, count):
    config = FrontendConfig(window_s=0.1, length=LengthConfig(short=short, crop=crop))
    clips = np.random.default_rng(0).standard_normal((2, count)).astype(np.float32)
    expected = [fit_length(clip, config.window_samples, config.length) for clip in clips]
    np.testing.assert_array_equal(fit(torch.from_numpy(clips), config).numpy(), expected)


@pytest.mark.parametrize("short", ["keep", "zero-pad-features"])
def test_clips_that_keep_their_length_are_refused_by_name(short):
    mel = MelConfig(sample_rate_hz=16_000, f_max_hz=8_000.0)
    frontend = Frontend(FrontendConfig(window_s=0.1, length=LengthConfig(short=short), mel=mel))
    encoder = EncoderConfig(name="vit-micro", options={"n_mels": 64})
    with pytest.raises(ConfigError, match=f"frontend.length.short is '{short}', which export does not know"):
        AudioGraph(frontend, Clap(ClapConfig(audio=encoder, text=None)))
