"""The front-end is its parts in order, the same for a file, its bytes and its samples, each time."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from openclap.audio.decode import decode
from openclap.audio.frontend import FRONTEND_PRESETS, Frontend, FrontendConfig, int16_round_trip
from openclap.audio.length import fit_length
from openclap.audio.resample import resample
from openclap.errors import ConfigError

NOISE = (0.1 * np.random.default_rng(0).standard_normal((2, 3 * 44_100))).astype(np.float32)


@pytest.fixture(scope="module")
def stereo_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audio") / "noise.wav"
    soundfile.write(path, NOISE.T, 44_100, subtype="FLOAT")
    return path


@pytest.mark.parametrize("name", FRONTEND_PRESETS)
def test_every_preset_takes_a_file_to_features(name: str, stereo_file: Path) -> None:
    frontend = Frontend(FRONTEND_PRESETS[name])
    config = frontend.config
    clip = frontend.load(stereo_file)
    own = 3 * config.sample_rate_hz  # the file's three seconds
    assert clip.samples.shape == (own if config.length.keeps_samples else config.window_samples,)
    assert not clip.is_longer
    features = frontend(frontend.batch([clip] * 2))
    assert features.shape == (2, frontend.views, config.frames, config.mel.n_mels)
    assert features.isfinite().all()
    assert FrontendConfig.read(config.plain()) == config


def test_loading_is_decode_resample_fit(stereo_file: Path) -> None:
    config = FRONTEND_PRESETS["msclap-2023"].model_copy(update={"mel": FRONTEND_PRESETS["laion"].mel})
    samples = Frontend(config).load(stereo_file).samples
    waveform = resample(decode(stereo_file), 48_000)
    np.testing.assert_array_equal(samples, fit_length(waveform.samples, config.window_samples, config.length))


def test_a_file_its_bytes_and_its_samples_are_the_same_sound(stereo_file: Path) -> None:
    frontend = Frontend(FRONTEND_PRESETS["laion"])
    expected = frontend.load(stereo_file).samples
    for source, rate in (
        (stereo_file.read_bytes(), None),
        (io.BytesIO(stereo_file.read_bytes()), None),
        (NOISE, 44_100),
    ):
        clip = frontend.load(source, sample_rate_hz=rate)
        np.testing.assert_array_equal(clip.samples, expected)


def test_only_a_generator_makes_crops_random(stereo_file: Path) -> None:
    frontend = Frontend(FRONTEND_PRESETS["laion"].model_copy(update={"window_s": 1.0}))
    first = frontend.load(stereo_file)
    assert first.is_longer
    np.testing.assert_array_equal(frontend.load(stereo_file).samples, first.samples)
    one = frontend.load(stereo_file, generator=torch.Generator().manual_seed(1)).samples
    same = frontend.load(stereo_file, generator=torch.Generator().manual_seed(1)).samples
    other = frontend.load(stereo_file, generator=torch.Generator().manual_seed(2)).samples
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_range_is_loaded_from_its_place(stereo_file: Path) -> None:
    config = FRONTEND_PRESETS["msclap-2022"].model_copy(update={"window_s": 0.5})
    clip = Frontend(config).load(stereo_file, start_s=1.0, duration_s=0.5)
    np.testing.assert_array_equal(clip.samples, NOISE.mean(0)[44_100 : 44_100 + 22_050])
    assert not clip.is_longer


def test_reading_leaves_the_length_alone(stereo_file: Path) -> None:
    waveform = Frontend(FRONTEND_PRESETS["laion"]).read(stereo_file)
    assert waveform.sample_rate_hz == 48_000
    assert waveform.duration_s == pytest.approx(3.0)


def test_the_16_bit_round_trip_clips_and_rounds_towards_zero() -> None:
    samples = np.array([2.0, -2.0, 0.5, -0.5, 1.9 / 32767, -1.9 / 32767], np.float32)
    expected = np.array([32767, -32767, 16383, -16383, 1, -1], np.float32) / np.float32(32767)
    np.testing.assert_array_equal(int16_round_trip(samples), expected)


def test_the_round_trip_is_made_once_and_where_the_config_says(stereo_file: Path) -> None:
    with_trip = Frontend(FRONTEND_PRESETS["laion"])
    without = Frontend(FRONTEND_PRESETS["laion"].model_copy(update={"int16_round_trip": False}))
    exact = without.load(stereo_file).samples
    np.testing.assert_array_equal(with_trip.load(stereo_file).samples, int16_round_trip(exact))
    np.testing.assert_array_equal(with_trip.read(stereo_file).samples, without.read(stereo_file).samples)


def test_a_batch_knows_which_clips_were_longer() -> None:
    frontend = Frontend(FRONTEND_PRESETS["msclap-2022"].model_copy(update={"window_s": 0.1}))
    batch = frontend.batch([frontend.fit(np.ones(n, np.float32)) for n in (100, 4410, 9000)])
    assert batch.is_longer.tolist() == [False, False, True]
    assert batch.waveforms.shape == (3, 4410)


def test_a_window_too_short_for_a_frame_is_refused() -> None:
    with pytest.raises(ConfigError, match="too short for one frame"):
        FrontendConfig.read({"window_s": 0.001})
