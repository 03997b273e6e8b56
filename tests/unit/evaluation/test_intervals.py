"""Intervals are as wide as statistics says."""

from __future__ import annotations

import numpy as np
import pytest

from openclap.evaluation.intervals import draw_weights, percentiles, weighted_means, weighted_medians


def test_the_interval_of_a_share_is_that_of_the_binomial() -> None:
    hits = np.array([1.0] * 60 + [0.0] * 140)
    low, high = percentiles(weighted_means(hits, draw_weights(200, seed=0)))
    half = 1.96 * np.sqrt(0.3 * 0.7 / 200)
    # A thousand draws place a 2.5 % quantile to about a tenth of the interval's half.
    assert low == pytest.approx(0.3 - half, abs=0.01)
    assert high == pytest.approx(0.3 + half, abs=0.01)


def test_a_number_that_never_varies_has_an_interval_of_one_point() -> None:
    assert percentiles(weighted_means(np.ones(30), draw_weights(30, seed=0))) == (1.0, 1.0)


def test_a_seed_gives_the_same_draws_again() -> None:
    assert np.array_equal(draw_weights(10, seed=1), draw_weights(10, seed=1))
    assert not np.array_equal(draw_weights(10, seed=1), draw_weights(10, seed=2))


def test_weighted_medians_are_the_medians_of_the_clips_as_often_as_drawn() -> None:
    rng = np.random.default_rng(0)
    values, weights = rng.integers(1, 50, 11).astype(float), rng.integers(0, 4, (20, 11)).astype(float)
    weights[:, 0] += 1 - weights.sum(axis=1) % 2  # an odd number of clips has one middle
    expected = [np.median(np.repeat(values, row.astype(int))) for row in weights]
    assert weighted_medians(values, weights) == pytest.approx(expected)
