"""Chance as a function of seed and step."""

from __future__ import annotations

import torch

from openclap.training.randomness import seeded

CPU = torch.device("cpu")


def draw(*place: int) -> torch.Tensor:
    with seeded(CPU, *place):
        return torch.rand(4)


def test_the_same_seed_and_step_draw_the_same():
    assert torch.equal(draw(1, 5), draw(1, 5))


def test_another_step_or_another_seed_draws_otherwise():
    draws = [draw(1, 5), draw(1, 6), draw(2, 5), draw(5, 1)]
    assert len({tuple(values.tolist()) for values in draws}) == 4


def test_the_callers_own_random_numbers_are_not_disturbed():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    draw(1, 5)
    assert torch.equal(torch.rand(3), expected)
