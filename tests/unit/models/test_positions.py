from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from openclap.models.layers.patches import patchify, unpatchify
from openclap.models.layers.positions import PositionTable, position_table

EXACT = {"atol": 1e-6, "rtol": 0.0}  # both are float64 rounded to float32; libraries differ in the last bit of a sine


def flexible(dim: int, height: int, width: int) -> npt.NDArray[Any]:
    """AudioMAE's `get_2d_sincos_pos_embed_flexible`, computed entry by entry from what it does."""
    quarter = dim // 4
    table = np.zeros((height * width, dim))
    for y in range(height):
        for x in range(width):
            for i in range(quarter):
                frequency = 10000 ** (-i / quarter)
                row = table[y * width + x]
                row[i], row[quarter + i] = np.sin(x * frequency), np.cos(x * frequency)
                row[2 * quarter + i], row[3 * quarter + i] = np.sin(y * frequency), np.cos(y * frequency)
    return table


def test_the_grid_is_the_published_function_of_64_times_and_8_bands() -> None:
    expected = torch.from_numpy(flexible(32, 64, 8)).float()
    torch.testing.assert_close(position_table("grid", 512, 8, 32), expected, **EXACT)


def test_the_published_table_takes_time_for_frequency() -> None:
    """Its patches come as 64 times of 8 bands, but it asks for the positions of 8 rows of 64."""
    expected = torch.from_numpy(flexible(32, 8, 64)).float()
    torch.testing.assert_close(position_table("audiomae", 512, 8, 32), expected, **EXACT)


def test_in_the_grid_the_first_half_is_frequency_and_the_second_time() -> None:
    table = position_table("grid", 5 * 8, 8, 16).view(5, 8, 16)
    assert torch.equal(table[0, :, :8], table[3, :, :8])  # the same bands at another time
    assert torch.equal(table[:, 0, 8:], table[:, 6, 8:])  # the same times in another band
    assert not torch.equal(table[0, :, 8:], table[3, :, 8:])


@pytest.mark.parametrize("kind", ["grid", "audiomae"])
def test_every_token_has_a_position_of_its_own(kind: Any) -> None:
    table = position_table(kind, 1600, 8, 64)
    assert len(torch.unique(table, dim=0)) == 1600


@pytest.mark.parametrize("kind", ["grid", "audiomae"])
def test_a_longer_clip_begins_with_the_positions_of_a_shorter_one(kind: Any) -> None:
    table = PositionTable(kind, 8, 16)
    short = table(80).clone()
    long = table(3000)
    assert long.shape == (3000, 16)
    assert torch.equal(long[:80], short)
    assert torch.equal(table(80), short)


def test_positions_made_in_use_serve_training_too() -> None:
    table = PositionTable("grid", 8, 16)
    with torch.inference_mode():
        table(1024)
    weights = torch.ones(1024, 16, requires_grad=True)
    (weights * table(1024)).sum().backward()
    assert weights.grad is not None


def test_positions_are_no_part_of_a_checkpoint() -> None:
    assert PositionTable("grid", 8, 16).state_dict() == {}


def test_patches_run_through_time_and_within_a_time_through_frequency() -> None:
    features = torch.zeros(1, 1, 48, 32)
    features[0, 0, 16:32, 16:] = 1  # the second time, the upper band
    patches = patchify(features, 16)
    assert patches.shape == (1, 6, 256)
    assert patches.sum(dim=2).tolist() == [[0, 0, 0, 256, 0, 0]]


def test_pixels_of_a_patch_stand_frame_by_frame() -> None:
    features = torch.arange(16 * 16.0).view(1, 1, 16, 16)
    assert torch.equal(patchify(features, 16)[0, 0], torch.arange(256.0))


def test_frames_that_fill_no_patch_are_filled_up_with_zeros() -> None:
    patches = patchify(torch.ones(1, 1, 20, 16), 16)
    assert patches.sum(dim=2).tolist() == [[256, 64]]


def test_patches_put_together_again_are_the_spectrogram() -> None:
    features = torch.randn(2, 1, 64, 48)
    assert torch.equal(unpatchify(patchify(features, 16), 16, 48), features)
