"""How wrong a reconstruction of a spectrogram's patches is.

MAE (arXiv 2111.06377, section 3) and AudioMAE (arXiv 2207.06405, section 3.3) take the mean squared error over the
patches that were masked; FLAP (arXiv 2311.01615) reconstructs so as well. The other errors here are our own choice:
"l1" is less moved by the few values that nobody could guess, and "multi-resolution" asks for the coarse shape besides
the single values, in the spirit of the multi-resolution spectrogram loss of Parallel WaveGAN (arXiv 1910.11480).

What is compared are patches, one row of values each: an error never reaches across the edge of its patch. So what is
visible never enters a loss over what was masked.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from openclap.config import Config
from openclap.errors import ConfigError
from openclap.registry import Registry


class PatchLoss(Protocol):
    """The error of each patch; float32 in, float32 out."""

    def __call__(
        self, predicted: Float[Tensor, "batch patches pixels"], target: Float[Tensor, "batch patches pixels"]
    ) -> Float[Tensor, "batch patches"]:
        """One number a patch, 0 where the prediction is right."""
        ...


patch_losses: Registry[PatchLoss] = Registry("reconstruction loss", "openclap.losses")


class ReconstructionConfig(Config):
    """What a reconstruction is judged by.

    Attributes:
        loss: a registered error of a patch: "mse", "l1" or "multi-resolution".
        over: the patches that count: those that were "masked", or "all". What is visible is easy to copy, so that with
            "all" the decoder spends itself on that.
        share: of the masked patches, the share that is decoded in a training step, others in each. The rest costs
            nothing, and the decoder's work falls with it; in validation all are decoded.
    """

    loss: str = "mse"
    over: Literal["masked", "all"] = "masked"
    share: float = Field(default=1.0, gt=0, le=1)


def reconstruction_loss(
    config: ReconstructionConfig,
    predicted: Float[Tensor, "batch patches pixels"],
    target: Float[Tensor, "batch patches pixels"],
    removed: Float[Tensor, "batch patches"],
) -> Float[Tensor, ""]:
    """The mean error over the patches that count, 0 if there are none; in float32, also under autocast.

    Args:
        config: which error, over which patches.
        predicted: by the decoder.
        target: what it should have predicted.
        removed: 1 for a patch that was masked, 0 for a visible one.

    Raises:
        UnknownNameError: if the error is not registered.
    """
    with torch.autocast(predicted.device.type, enabled=False):
        errors = patch_losses.get(config.loss)(predicted.float(), target.float())
        counted = removed.float() if config.over == "masked" else torch.ones_like(errors)
        return (errors * counted).sum() / counted.sum().clamp(min=1)


@patch_losses.register("mse")
def mse(
    predicted: Float[Tensor, "batch patches pixels"], target: Float[Tensor, "batch patches pixels"]
) -> Float[Tensor, "batch patches"]:
    """Mean squared error; of normalised targets 1 is that of guessing their mean (0.996 with 256 values a patch)."""
    return (predicted - target).square().mean(dim=2)


@patch_losses.register("l1")
def l1(
    predicted: Float[Tensor, "batch patches pixels"], target: Float[Tensor, "batch patches pixels"]
) -> Float[Tensor, "batch patches"]:
    """Mean absolute error."""
    return (predicted - target).abs().mean(dim=2)


@patch_losses.register("multi-resolution")
def multi_resolution(
    predicted: Float[Tensor, "batch patches pixels"], target: Float[Tensor, "batch patches pixels"]
) -> Float[Tensor, "batch patches"]:
    """Mean squared error of a square patch and of its averages over 2×2, 4×4 and 8×8 values, all with one weight.

    With e the errors of the single values and Aₛ the averages over squares of s a side, which divides the patch's:

        loss = 1/S Σₛ mean((Aₛ e)²),   s = 1, 2, 4, 8

    An error that is the same all over a patch counts in full at every scale; one that alternates from value to value
    counts at the first alone. So the coarse shape weighs up to S times as much as the grain.

    Raises:
        ConfigError: if the patches are not square.
    """
    batch, patches, pixels = predicted.shape
    side = math.isqrt(pixels)
    if side * side != pixels:
        raise ConfigError(f"the loss 'multi-resolution' needs square patches, but these have {pixels} values")
    error = (predicted - target).reshape(batch * patches, 1, side, side)
    scales = [scale for scale in (1, 2, 4, 8) if side % scale == 0]
    errors = [F.avg_pool2d(error, scale).square().mean(dim=(1, 2, 3)) for scale in scales]
    return torch.stack(errors).mean(dim=0).view(batch, patches)
