"""Features that are made once are those that the front-end makes, and are cut, turned and made louder as sound is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from jaxtyping import Float32

from openclap.audio.augment import AugmentConfig, augment, augment_features
from openclap.audio.frontend import FRONTEND_PRESETS, Frontend, FrontendConfig
from openclap.audio.mel import MEL_PRESETS
from openclap.audio.precomputed import PrecomputedFeatures

KALDI = MEL_PRESETS["audiomae"].model_copy(update={"frames": None})
HOP = KALDI.hop_length
KALDI_FRONTEND = FrontendConfig(window_s=1.0, mel=KALDI)
KEEPING = FrontendConfig.read({"window_s": 1.0, "length": {"short": "keep"}, "mel": KALDI.plain()})
EVERY = {**FRONTEND_PRESETS, "Kaldi": KALDI_FRONTEND, "kept length": KEEPING}


def sound(n_samples: int, seed: int = 0) -> Float32[np.ndarray, " samples"]:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, n_samples).astype(np.float32)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize("name", EVERY)
def test_clips_that_fit_the_window_have_the_front_ends_own_features(name: str) -> None:
    frontend = Frontend(EVERY[name])
    precomputed = PrecomputedFeatures(frontend)
    window = frontend.config.window_samples
    sounds = [sound(length) for length in (window // 3, window, window // 2 + 7)]
    expected = frontend.batch([frontend.fit(samples) for samples in sounds])
    batch = precomputed.batch([precomputed.clip(precomputed.of(samples)) for samples in sounds])
    assert len(batch) == 3
    assert torch.equal(frontend(batch), frontend(expected))
    assert torch.equal(batch.is_longer, expected.is_longer)
    assert (batch.frames is None) == (expected.frames is None)
    assert batch.frames is None or expected.frames is None or torch.equal(batch.frames, expected.frames)


@pytest.mark.parametrize("name", EVERY)
def test_longer_clips_have_as_many_frames_and_say_so(name: str) -> None:
    frontend = Frontend(EVERY[name])
    precomputed = PrecomputedFeatures(frontend)
    samples = sound(2 * frontend.config.window_samples + 11)
    expected = frontend.batch([frontend.fit(samples, generator())])
    batch = precomputed.batch([precomputed.clip(precomputed.of(samples), generator())])
    assert batch.is_longer.tolist() == [True]
    assert frontend(batch).shape == frontend(expected).shape


def test_a_part_of_a_longer_clip_is_what_stands_there() -> None:
    # Kaldi's frames lie within the clip, and each is freed of its own mean: nothing of a part depends on the rest.
    frontend = Frontend(KALDI_FRONTEND)
    precomputed = PrecomputedFeatures(frontend)
    samples = sound(40_000)
    found = precomputed.clip(precomputed.of(samples), generator()).views
    surplus = KALDI.frames_cut(40_000) - KALDI.frames_cut(16_000)
    start = int(torch.randint(surplus + 1, (), generator=generator())) * HOP
    assert start > 0
    expected = frontend.log_mel(torch.from_numpy(samples[start : start + 16_000].copy()))
    # Of another mean of the waveform only rounding is left, 1e-7 of values up to 3.
    np.testing.assert_allclose(found[0], expected.numpy(), atol=2e-5)


def test_without_chance_the_part_is_the_one_that_the_length_policy_takes() -> None:
    centred = FrontendConfig.read(KALDI_FRONTEND.plain() | {"length": {"crop": "centre"}})
    samples = sound(16_000 + 20 * HOP)
    for config, start in ((KALDI_FRONTEND, 0), (centred, 10)):
        precomputed = PrecomputedFeatures(Frontend(config))
        features = precomputed.of(samples)
        window = config.frames
        np.testing.assert_array_equal(precomputed.clip(features).views[0], features[start : start + window])


def test_views_of_a_fused_clip_are_those_that_the_front_end_makes() -> None:
    frontend = Frontend(FRONTEND_PRESETS["laion-fusion"])
    precomputed = PrecomputedFeatures(frontend)
    samples = sound(600_000)
    kept = precomputed.of(samples)
    kept.flags.writeable = False  # as a cache hands it out
    found, expected = precomputed.clip(kept, generator()), frontend.fit(samples, generator())
    np.testing.assert_array_equal(found.views, expected.views)


def test_frames_that_are_added_are_those_that_the_front_end_adds() -> None:
    frontend = Frontend(FRONTEND_PRESETS["audiomae"])
    precomputed = PrecomputedFeatures(frontend)
    views = precomputed.clip(precomputed.of(sound(200_000)), generator()).views
    assert views.shape == (1, 1024, 128)
    assert np.all(views[0, 998:] == np.float32(KALDI.no_energy))
    assert KALDI.no_energy == pytest.approx(4.2677393 / (2 * 4.5689974))


def test_turned_features_are_those_of_turned_sound_but_at_the_seam() -> None:
    frontend = Frontend(KALDI_FRONTEND)
    samples = sound(KALDI.win_length + 99 * HOP)  # 100 frames, and nothing left over
    features = frontend.log_mel(torch.from_numpy(samples)).numpy()
    turned = augment_features(features, AugmentConfig(roll=True), KALDI, np.random.default_rng(0))
    places = int(np.random.default_rng(0).integers(100))
    assert 3 < places < 97
    sound_turned = torch.from_numpy(np.roll(samples, places * HOP))
    expected = frontend.log_mel(sound_turned).numpy()
    np.testing.assert_allclose(turned[places:], expected[places:], atol=2e-5)
    assert not np.allclose(turned[:places], expected[:places], atol=0.1)  # the samples after the last hop come between


@pytest.mark.parametrize("mel", [KALDI, MEL_PRESETS["laion"], MEL_PRESETS["laion"].model_copy(update={"power": 1.0})])
def test_louder_features_are_those_of_louder_sound(mel) -> None:
    frontend = Frontend(FrontendConfig(window_s=1.0, mel=mel))
    samples = sound(frontend.config.window_samples)
    config = AugmentConfig(gain=True)
    features = frontend.log_mel(torch.from_numpy(samples)).numpy()
    for seed in range(3):
        louder = augment(samples, config, np.random.default_rng(seed))
        expected = frontend.log_mel(torch.from_numpy(louder)).numpy()
        found = augment_features(features, config, mel, np.random.default_rng(seed))
        assert not np.array_equal(found, features)
        np.testing.assert_allclose(found, expected, atol=5e-4)  # dB; float32 rounds energies before the logarithm


def test_what_holds_no_energy_gets_none_by_a_gain() -> None:
    frontend = Frontend(KALDI_FRONTEND)
    features = frontend.log_mel(torch.zeros(16_000)).numpy()
    assert np.allclose(features, KALDI.floor, atol=1e-5)
    for seed in range(4):
        found = augment_features(features, AugmentConfig(gain=True), KALDI, np.random.default_rng(seed))
        assert np.array_equal(found, features)


def test_features_are_not_changed_in_place() -> None:
    features = sound(800).reshape(100, 8)
    before = features.copy()
    config = AugmentConfig(roll=True, gain=True)
    assert not np.array_equal(augment_features(features, config, KALDI, np.random.default_rng(0)), before)
    assert np.array_equal(features, before)
    assert augment_features(features, AugmentConfig(), KALDI, np.random.default_rng(0)) is features
