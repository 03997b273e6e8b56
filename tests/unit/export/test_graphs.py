"""Inside the graph a clip gets its length as the front-end gives it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from openclap.audio.frontend import Frontend, FrontendConfig
from openclap.audio.length import LengthConfig, fit_length
from openclap.audio.mel import MEL_PRESETS, MelConfig
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


@torch.no_grad()
@pytest.mark.parametrize("count", [100, 400, 5_000, 16_000, 20_000])
def test_audiomaes_padding_is_the_front_ends(count):
    mel = MEL_PRESETS["audiomae"].model_copy(update={"frames": 128})
    frontend = Frontend(FrontendConfig(window_s=1.0, length=LengthConfig(short="zero-pad-features"), mel=mel))
    torch.manual_seed(0)
    model = Clap(ClapConfig(audio=EncoderConfig(name="vit-micro"), text=None)).eval()
    clips = 0.1 + 0.1 * np.random.default_rng(0).standard_normal((2, count)).astype(np.float32)
    expected = model.encode_audio(frontend(frontend.batch([frontend.fit(clip) for clip in clips])))
    found = AudioGraph(frontend, model)(torch.from_numpy(clips))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)  # Fourier transforms of other orders


@pytest.mark.parametrize("short", ["keep", "zero-pad-features"])
def test_what_the_graph_does_not_know_is_refused_by_name(short):
    mel = MelConfig(sample_rate_hz=16_000, f_max_hz=8_000.0)
    frontend = Frontend(FrontendConfig(window_s=0.1, length=LengthConfig(short=short), mel=mel))
    encoder = EncoderConfig(name="vit-micro", options={"n_mels": 64})
    with pytest.raises(
        ConfigError, match=f"length.short is '{short}' with mel.framing 'centre', which export does not"
    ):
        AudioGraph(frontend, Clap(ClapConfig(audio=encoder, text=None)))
