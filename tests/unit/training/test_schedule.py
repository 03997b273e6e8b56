"""The learning rate over a run, and where a run ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openclap.errors import ConfigError
from openclap.training.schedule import DurationConfig, ScheduleConfig, rate_factor

PROGRESS = st.floats(min_value=0, max_value=1)


def test_the_rate_rises_linearly_through_the_warm_up():
    config = ScheduleConfig(warmup=0.2)
    assert rate_factor(config, 0.0) == 0
    assert rate_factor(config, 0.05) == pytest.approx(0.25)
    assert rate_factor(config, 0.2) == pytest.approx(1)


def test_a_cosine_is_half_way_down_in_the_middle_and_ends_at_its_final_share():
    config = ScheduleConfig(warmup=0, final=0.1)
    assert rate_factor(config, 0.5) == pytest.approx(0.55)
    assert rate_factor(config, 1.0) == pytest.approx(0.1)


def test_a_constant_rate_stays():
    config = ScheduleConfig(shape="constant", warmup=0.1)
    assert rate_factor(config, 0.1) == rate_factor(config, 1.0) == 1


@given(PROGRESS, PROGRESS, st.sampled_from(["cosine", "linear"]))
def test_after_the_warm_up_the_rate_never_rises_and_stays_in_its_bounds(first, second, shape):
    config = ScheduleConfig(shape=shape, warmup=0.1, final=0.05)
    early, late = (rate_factor(config, 0.1 + 0.9 * p) for p in sorted((first, second)))
    assert 1 + 1e-12 >= early >= late >= 0.05 - 1e-12


def test_a_run_ends_at_the_first_of_its_limits():
    assert DurationConfig(max_steps=100, max_epochs=2).total_steps(steps_per_epoch=30) == 60
    assert DurationConfig(max_steps=50, max_epochs=2).total_steps(steps_per_epoch=30) == 50
    assert DurationConfig(max_epochs=0.5).total_steps(steps_per_epoch=3) == 2
    assert DurationConfig(max_minutes=1).total_steps(steps_per_epoch=3) is None


def test_progress_follows_the_limit_that_is_nearest():
    config = DurationConfig(max_steps=100, max_minutes=1)
    assert config.progress(50, 100, elapsed_s=6) == pytest.approx(0.5)
    assert config.progress(5, 100, elapsed_s=45) == pytest.approx(0.75)
    assert config.progress(5, 100, elapsed_s=90) == 1


def test_a_run_without_an_end_is_refused():
    with pytest.raises(ConfigError, match="max_steps, max_epochs or max_minutes"):
        DurationConfig.read({})


def test_a_warm_up_in_steps_is_the_same_rise():
    config = ScheduleConfig(warmup_steps=50).over(1000)
    assert rate_factor(config, 25 / 1000) == pytest.approx(0.5)
    assert rate_factor(config, 50 / 1000) == pytest.approx(1)


@pytest.mark.parametrize("total", [None, 49, 50])
def test_a_warm_up_that_would_never_end_is_refused(total):
    with pytest.raises(ConfigError, match="warmup_steps is 50"):
        ScheduleConfig(warmup_steps=50).over(total)
