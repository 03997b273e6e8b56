"""Any clip gets the asked length, by the policy's rule, and the same way each time."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from openclap.audio.length import LengthConfig, fit_length

THREE = np.array([1, 2, 3], np.float32)


@pytest.mark.parametrize(
    ("short", "expected"),
    [
        ("repeat-pad", [1, 2, 3, 1, 2, 3, 0, 0]),
        ("repeat", [1, 2, 3, 1, 2, 3, 1, 2]),
        ("zero-pad", [1, 2, 3, 0, 0, 0, 0, 0]),
        ("keep", [1, 2, 3, 0, 0, 0, 0, 0]),  # as a clip too short for one frame gets enough for it
    ],
)
def test_short_clips_are_filled_by_their_policy(
    short: Literal["repeat-pad", "repeat", "zero-pad", "keep"], expected: list[int]
) -> None:
    assert fit_length(THREE, 8, LengthConfig(short=short)).tolist() == expected


@pytest.mark.parametrize(("n_samples", "fitted"), [(3, 5), (5, 5), (6, 6), (8, 8), (9, 8)])
def test_a_kept_clip_has_its_own_length_between_what_features_need_and_the_window(n_samples: int, fitted: int) -> None:
    for short in ("keep", "zero-pad-features"):
        assert LengthConfig.read({"short": short}).fitted_samples(n_samples, window=8, least=5) == fitted
    assert LengthConfig(short="zero-pad").fitted_samples(n_samples, window=8, least=5) == 8


def test_long_clips_are_cropped_at_the_first_or_the_centre() -> None:
    ten = np.arange(10, dtype=np.float32)
    assert fit_length(ten, 4, LengthConfig(crop="first")).tolist() == [0, 1, 2, 3]
    assert fit_length(ten, 4, LengthConfig(crop="centre")).tolist() == [3, 4, 5, 6]


def test_a_clip_of_the_right_length_is_the_very_same() -> None:
    assert fit_length(THREE, 3, LengthConfig()) is THREE


def test_random_crops_reach_every_place_and_follow_their_generator() -> None:
    ten = np.arange(10, dtype=np.float32)
    generator = torch.Generator().manual_seed(0)
    starts = [int(fit_length(ten, 8, LengthConfig(), generator)[0]) for _ in range(200)]
    assert set(starts) == {0, 1, 2}
    again = torch.Generator().manual_seed(0)
    assert starts == [int(fit_length(ten, 8, LengthConfig(), again)[0]) for _ in range(200)]


def test_a_short_clip_draws_nothing_from_the_generator() -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    fit_length(THREE, 8, LengthConfig(), generator)
    assert torch.equal(generator.get_state(), before)


@given(
    n=st.integers(1, 50),
    wanted=st.integers(1, 50),
    short=st.sampled_from(["repeat-pad", "repeat", "zero-pad"]),
    crop=st.sampled_from(["first", "centre"]),
)
def test_every_policy_gives_the_length_and_only_samples_of_the_clip(n: int, wanted: int, short: str, crop: str) -> None:
    samples = np.arange(1, n + 1, dtype=np.float32)
    fitted = fit_length(samples, wanted, LengthConfig.read({"short": short, "crop": crop}))
    assert fitted.shape == (wanted,)
    assert fitted.dtype == np.float32
    assert set(fitted.tolist()) <= {0.0, *samples.tolist()}
    assert n > wanted or np.array_equal(fitted[:n], samples)  # a short clip begins with itself


def test_an_empty_clip_is_refused() -> None:
    with pytest.raises(ValueError, match="0 samples"):
        fit_length(np.zeros(0, np.float32), 8, LengthConfig())
