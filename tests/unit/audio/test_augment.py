"""Changes by chance to a clip's samples."""

from __future__ import annotations

import numpy as np

from openclap.audio.augment import AugmentConfig, augment


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


CLIP = np.arange(1, 101, dtype=np.float32) / 100


def test_by_default_nothing_is_changed():
    assert augment(CLIP, AugmentConfig(), rng()) is CLIP


def test_a_rolled_clip_is_the_same_circle_begun_elsewhere():
    rolled = augment(CLIP, AugmentConfig(roll=True), rng())
    start = int(np.flatnonzero(rolled == CLIP[0])[0])
    assert start != 0
    assert np.array_equal(np.roll(rolled, -start), CLIP)
    assert np.array_equal(CLIP, np.arange(1, 101, dtype=np.float32) / 100)  # not in place


def test_gains_lie_between_a_half_and_one_and_a_half_and_mostly_near_one():
    gains = np.array([augment(CLIP, AugmentConfig(gain=True), rng(seed))[99] for seed in range(500)])
    assert 0.5 < gains.min() < 0.8
    assert 1.2 < gains.max() < 1.5
    # A beta(10, 10) has a standard deviation of 0.109, and its mean over 500 draws one of 0.005.
    assert abs(gains.mean() - 1) < 0.02
    assert 0.09 < gains.std() < 0.13


def test_the_same_seed_gives_the_same_change():
    config = AugmentConfig(roll=True, gain=True)
    assert np.array_equal(augment(CLIP, config, rng(1)), augment(CLIP, config, rng(1)))
    assert not np.array_equal(augment(CLIP, config, rng(1)), augment(CLIP, config, rng(2)))
    assert augment(CLIP, config, rng()).dtype == np.float32
