"""The graph's log-mel is the front-end's, for every convention that a published model uses."""

from __future__ import annotations

import pytest
import torch

from openclap.audio.mel import MEL_PRESETS, LogMel, MelConfig
from openclap.errors import ConfigError
from openclap.export.mel import GraphLogMel

OTHERS = {
    "librosa": MelConfig(sample_rate_hz=22_050, n_fft=2048, win_length=1200, hop_length=512, f_max_hz=8000, top_db=80),
    "magnitude": MelConfig(power=1.0, pad_mode="zeros", log="ln", bin_min=-6.0, bin_max=2.0),
    "gaps": MelConfig(sample_rate_hz=16_000, n_fft=400, win_length=390, hop_length=500, f_max_hz=8000, n_mels=20),
    "prime": MelConfig(sample_rate_hz=16_000, n_fft=211, win_length=200, hop_length=80, f_max_hz=8000, n_mels=10),
    "kaldi": MelConfig(int16_scale=True, window="povey", framing="snip-edges", remove_frame_mean=True, preemphasis=0.97,
                       log="ln", amin=2.0**-23, f_min_hz=20.0),
}  # fmt: skip
CONFIGS = MEL_PRESETS | OTHERS


@pytest.mark.parametrize("name", CONFIGS)
def test_features_are_those_of_log_mel(name):
    config = CONFIGS[name]
    samples = config.sample_rate_hz
    clips = 0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(0))
    clips[1] += 0.4 * torch.sin(torch.arange(samples) * 0.1)
    log_mel = LogMel(config)
    expected, found = log_mel(clips), GraphLogMel(log_mel, samples)(clips)
    assert found.shape == expected.shape
    # Both are float32 sums of some thousand products: 1e-6 of an energy, 1e-5 in dB; noise leaves no band near silence.
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=2e-4)


def test_framing_that_no_published_model_uses_is_refused_by_name():
    config = MelConfig(framing="mirror-edges")
    with pytest.raises(ConfigError, match="mirror-edges"):
        GraphLogMel(LogMel(config), 48_000)
