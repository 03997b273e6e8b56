"""The learning rate falls where validation stalls, and only there."""

from __future__ import annotations

import pytest

from openclap.training.plateau import Plateau
from openclap.training.schedule import ScheduleConfig

CONFIG = ScheduleConfig(shape="plateau", plateau_patience=2, plateau_factor=0.1)


def _after(losses, config=CONFIG):
    state = Plateau()
    for loss in losses:
        state = state.after(loss, config)
    return state


def test_while_the_loss_falls_the_rate_stays():
    assert _after([3.0, 2.0, 1.0, 0.5]).factor == 1


def test_after_as_many_validations_without_a_better_loss_as_patience_the_rate_falls_once():
    assert _after([1.0, 1.0]).factor == 1
    assert _after([1.0, 1.0, 1.2]).factor == pytest.approx(0.1)
    assert _after([1.0, 1.0, 1.2, 1.1]).factor == pytest.approx(0.1)
    assert _after([1.0, 1.0, 1.2, 1.1, 1.1]).factor == pytest.approx(0.01)


def test_a_better_loss_starts_the_count_again():
    assert _after([1.0, 1.1, 0.9, 1.0]).factor == 1


def test_a_hair_less_is_not_better():
    assert _after([1.0, 0.99999, 0.99998]).factor == pytest.approx(0.1)


def test_other_schedules_do_not_look():
    assert _after([1.0] * 9, ScheduleConfig()) == Plateau()
