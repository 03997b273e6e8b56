"""Features against what other projects' own code gave for the same signal (see data/make_vectors.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from openclap.audio.mel import MEL_PRESETS, LogMel, MelConfig

VECTORS = np.load(Path(__file__).with_name("data") / "log_mel.npz")
LAION = MEL_PRESETS["laion"]
KALDI = MEL_PRESETS["audiomae"].model_copy(
    update={
        "window": "povey",
        "n_mels": 23,
        "remove_waveform_mean": False,
        "frames": None,
        "normalise_mean": None,
        "normalise_std": None,
    }
)
CASES: dict[str, tuple[MelConfig, int]] = {
    "torchlibrosa/laion": (LAION, 48_000),
    "laion_clap/get_mel": (MEL_PRESETS["laion-fusion"], 48_000),
    "msclap/2022": (MEL_PRESETS["msclap-2022"], 44_100),
    "msclap/2023": (MEL_PRESETS["msclap-2023"], 44_100),
    "librosa/top_db": (LAION.model_copy(update={"ref": 0.5, "top_db": 30.0, "pad_mode": "zeros"}), 48_000),
    "librosa/magnitude": (
        LAION.model_copy(update={"power": 1.0, "win_length": 800, "window": "hamming", "pad_mode": "zeros"}),
        48_000,
    ),
    "kaldi/default": (KALDI, 16_000),
    "kaldi/int16": (KALDI.model_copy(update={"n_mels": 80, "int16_scale": True}), 16_000),
    "kaldi/mirror": (
        KALDI.model_copy(
            update={"n_mels": 40, "framing": "mirror-edges", "window": "hamming", "preemphasis": 0.9},
        ),
        16_000,
    ),
    "audiomae": (MEL_PRESETS["audiomae"], 16_000),
}


@pytest.mark.parametrize("name", CASES)
def test_features_are_the_others_own(name: str) -> None:
    config, rate = CASES[name]
    expected = VECTORS[name]
    features = LogMel(config)(torch.from_numpy(VECTORS[f"signal/{rate}"])).numpy()
    if name == "audiomae":
        assert features.shape == (1024, 128)
        features = features[: len(expected)]
    assert features.shape == expected.shape
    # Where a band holds almost nothing, float32's rounding of the loud ones is all that is there (-90 dB below them):
    # compare the energies there, and their logarithms everywhere else.
    unit = 10 / np.log(10) if config.log == "db" else 1.0
    unit /= 2 * config.normalise_std if config.normalise_std is not None else 1.0
    quiet = expected < expected.max() - 8 * np.log(10) * unit  # 80 dB
    tolerance = {"db": 0.005, "ln": 0.001}[config.log]
    np.testing.assert_allclose(features[~quiet], expected[~quiet], atol=tolerance)
    np.testing.assert_allclose(features[quiet], expected[quiet], atol=60 * tolerance)
    assert np.abs(features - expected).mean() < tolerance / 5
