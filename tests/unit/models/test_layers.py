"""The layers' index arithmetic against its definition, and augmentation that does what it says."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from openclap.models.layers.drop_path import DropPath
from openclap.models.layers.spec_augment import SpecAugment, SpecAugmentConfig
from openclap.models.layers.windows import compose, merge_order, relative_position_index, shift_mask, window_order

GRIDS = st.sampled_from([(8, 4, 0), (8, 4, 2), (16, 4, 2), (16, 8, 4), (4, 4, 0), (12, 4, 1)])


@given(GRIDS)
def test_window_order_rolls_and_cuts(grid: tuple[int, int, int]) -> None:
    side, window, shift = grid
    order = window_order(side, window, shift).view(-1, window, window)
    raster = torch.arange(side * side).view(side, side)
    rolled = torch.roll(raster, (-shift, -shift), (0, 1))
    per_row = side // window
    for number, found in enumerate(order):
        top, left = number // per_row * window, number % per_row * window
        assert torch.equal(found, rolled[top : top + window, left : left + window])


@given(GRIDS, GRIDS)
def test_compose_takes_one_order_into_another(a: tuple[int, int, int], b: tuple[int, int, int]) -> None:
    here, there = window_order(*a), window_order(16, 4, 1)
    if len(here) != len(there):
        there = window_order(a[0], 2, 1)
    assert torch.equal(here[compose(here, there)], there)


def test_merge_order_puts_four_neighbours_together() -> None:
    order = merge_order(4, torch.tensor([3, 0, 1, 2]))
    # The lower right four first, each in the original's order: upper left, lower left, upper right, lower right.
    assert order.tolist() == [10, 14, 11, 15, 0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13]


def test_the_mask_parts_tokens_that_were_rolled_in_from_the_other_side() -> None:
    side, window, shift = 8, 4, 2
    mask = shift_mask(side, window, shift)[:, 0]
    order = window_order(side, window, shift).view(-1, window * window)
    for number, tokens in enumerate(order):
        rows, columns = tokens // side, tokens % side
        near = ((rows[:, None] - rows).abs() < window) & ((columns[:, None] - columns).abs() < window)
        assert torch.equal(mask[number] == 0, near)


def test_relative_positions_of_equal_offset_share_a_row() -> None:
    window = 3
    index = relative_position_index(window).view(window, window, window, window)
    assert index.unique().numel() == (2 * window - 1) ** 2
    assert index[0, 0, 1, 1] == index[1, 1, 2, 2]
    assert index[0, 0, 0, 1] != index[0, 1, 0, 0]
    assert index[0, 0, 0, 0] == (2 * window - 1) ** 2 // 2


def test_drop_path_keeps_the_mean_and_drops_whole_samples() -> None:
    torch.manual_seed(0)
    layer = DropPath(0.25)
    out = layer(torch.ones(4000, 2, 3))
    per_sample = out.flatten(1)
    assert torch.equal(per_sample.amin(1), per_sample.amax(1))
    assert per_sample[:, 0].unique().tolist() == pytest.approx([0, 4 / 3])
    assert out.mean().item() == pytest.approx(1, abs=0.03)  # 4000 draws: 3.5 standard errors of 0.009
    assert torch.equal(layer.eval()(torch.ones(2, 2, 3)), torch.ones(2, 2, 3))


def test_spec_augment_draws_stripes_no_wider_than_told() -> None:
    torch.manual_seed(0)
    config = SpecAugmentConfig(time_width=8, time_stripes=1, mel_width=4, mel_stripes=1)
    out = SpecAugment(config)(torch.ones(500, 1, 40, 16))[:, 0]
    silent_frames = (out == 0).all(dim=2).sum(dim=1)
    silent_mels = (out == 0).all(dim=1).sum(dim=1)
    assert set(silent_frames.tolist()) == set(range(8))
    assert set(silent_mels.tolist()) == set(range(4))
    assert ((out == 0) | (out == 1)).all()
    runs = F.pad((out == 0).all(dim=2).int(), (1, 0)).diff(dim=1).eq(1).sum(dim=1)
    assert runs.max() <= 1  # one stripe is one piece


def test_spec_augment_leaves_features_alone_in_use_and_fits_short_ones() -> None:
    layer = SpecAugment(SpecAugmentConfig())
    short = torch.ones(3, 1, 5, 4)
    assert layer(short).shape == short.shape
    assert torch.equal(layer.eval()(short), short)
