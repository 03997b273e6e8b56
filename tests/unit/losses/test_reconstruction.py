"""Errors of reconstructed patches."""

from __future__ import annotations

import pytest
import torch

from openclap.errors import ConfigError, UnknownNameError
from openclap.losses.reconstruction import ReconstructionConfig, patch_losses, reconstruction_loss

PIXELS = 64


@pytest.fixture
def patches():
    """Predictions, targets, and which patches were masked; float32."""
    torch.manual_seed(0)
    removed = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    return torch.randn(2, 3, PIXELS), torch.randn(2, 3, PIXELS), removed


@pytest.fixture(params=patch_losses.names())
def name(request) -> str:
    """Each registered error."""
    return request.param


def test_what_is_right_has_no_error_and_what_is_wrong_has_one(name, patches):
    predicted, target, _ = patches
    error = patch_losses.get(name)
    assert error(target, target).shape == (2, 3)
    assert float(error(target, target).abs().max()) == 0.0
    assert float(error(predicted, target).min()) > 0.0


def test_a_loss_over_masked_patches_does_not_see_visible_ones(name, patches):
    predicted, target, removed = patches
    config = ReconstructionConfig(loss=name, over="masked")
    visible = (removed == 0)[:, :, None]
    changed = torch.where(visible, torch.full_like(predicted, 1e6), predicted).requires_grad_()
    loss = reconstruction_loss(config, changed, target, removed)
    assert loss.equal(reconstruction_loss(config, predicted, target, removed))
    loss.backward()
    assert float(changed.grad[visible.expand_as(changed)].abs().max()) == 0.0
    assert float(changed.grad[~visible.expand_as(changed)].abs().min()) > 0.0


def test_a_loss_over_all_patches_is_that_of_everything_masked(name, patches):
    predicted, target, removed = patches
    over_all = reconstruction_loss(ReconstructionConfig(loss=name, over="all"), predicted, target, removed)
    masked = reconstruction_loss(ReconstructionConfig(loss=name), predicted, target, torch.ones_like(removed))
    assert over_all.equal(masked)


def test_the_loss_is_the_mean_over_the_masked_patches(patches):
    predicted, target, removed = patches
    errors = (predicted - target).square().mean(dim=2)[removed == 1]
    # A mean in another order of additions: float32 rounding.
    torch.testing.assert_close(reconstruction_loss(ReconstructionConfig(), predicted, target, removed), errors.mean())


def test_half_precision_predictions_are_judged_in_float32(name, patches):
    predicted, target, removed = patches
    with torch.autocast("cpu", torch.bfloat16):
        loss = reconstruction_loss(ReconstructionConfig(loss=name), predicted.bfloat16(), target, removed)
    assert loss.dtype == torch.float32
    rounded = reconstruction_loss(ReconstructionConfig(loss=name), predicted.bfloat16().float(), target, removed)
    assert loss.equal(rounded)


def test_with_nothing_masked_there_is_no_error(patches):
    predicted, target, removed = patches
    assert float(reconstruction_loss(ReconstructionConfig(), predicted, target, torch.zeros_like(removed))) == 0.0


def test_a_shape_that_is_wrong_all_over_weighs_four_times_as_much_as_grain():
    target = torch.zeros(1, 1, PIXELS)
    flat = torch.ones(1, 1, PIXELS)
    chequered = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(4, 4).view(1, 1, PIXELS)
    error = patch_losses.get("multi-resolution")
    assert float(error(flat, target)) == 1.0
    assert float(error(chequered, target)) == 0.25  # it vanishes in every average


def test_multi_resolution_refuses_what_is_not_square():
    with pytest.raises(ConfigError, match=r"square patches.*63 values"):
        patch_losses.get("multi-resolution")(torch.zeros(1, 1, 63), torch.zeros(1, 1, 63))


def test_an_unknown_error_gets_the_nearest_name(patches):
    with pytest.raises(UnknownNameError, match=r"reconstruction loss.*'multi-resolution'"):
        reconstruction_loss(ReconstructionConfig(loss="multiresolution"), *patches)
