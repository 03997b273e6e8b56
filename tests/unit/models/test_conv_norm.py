"""However a convolution is computed in use, it is the same convolution, norm and rectifier, of the weights of now."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from openclap.models.layers.conv_norm import ConvNorm, average

# Maps for each way: few mel bins (matrix products), fewer positions than weights a channel, more (folded norm).
SHAPES = {
    "one mel bin": (2, 8, 5, 1),
    "two mel bins": (1, 8, 1, 2),
    "four mel bins": (3, 8, 40, 4),
    "plain": (2, 8, 6, 5),
    "folded": (2, 8, 40, 16),
    "one channel": (3, 1, 40, 16),
}


@torch.no_grad()
def lively(before: int, side: int = 3, seed: int = 0) -> ConvNorm:
    generator = torch.Generator().manual_seed(seed)
    layer = ConvNorm(before, 32, side)
    for name, value in layer.state_dict().items():
        if value.is_floating_point():
            noise = torch.randn(value.shape, generator=generator)
            value.copy_(noise.abs() + 0.5 if "running_var" in name else noise)
    return layer.eval()


def plainly(layer: ConvNorm, maps: Tensor) -> Tensor:
    norm = layer.norm
    maps = F.conv2d(maps, layer.conv.weight, padding=layer.conv.padding)
    return F.relu(F.batch_norm(maps, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps))


@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize("way", SHAPES)
@torch.no_grad()
def test_every_way_gives_the_same_in_double_precision(way: str, side: int) -> None:
    maps = torch.randn(SHAPES[way], dtype=torch.float64)
    layer = lively(maps.shape[1], side).double()
    torch.testing.assert_close(layer(maps), plainly(layer, maps), atol=1e-12, rtol=0)  # rounding of values near 10


@pytest.mark.parametrize("way", SHAPES)
@torch.no_grad()
def test_every_way_gives_the_same_in_single_precision(way: str) -> None:
    maps = torch.randn(SHAPES[way])
    layer = lively(maps.shape[1])
    expected = plainly(layer, maps)
    error = (layer(maps) - expected).abs().max() / expected.abs().max()
    assert error < 1e-6  # 72 products at 6e-8 each, in another order


@pytest.mark.parametrize("way", SHAPES)
@torch.no_grad()
def test_changed_weights_and_statistics_count_at_once(way: str) -> None:
    maps = torch.randn(SHAPES[way])
    layer = lively(maps.shape[1])
    layer(maps)
    layer.conv.weight.data.neg_()
    layer.norm.running_mean.data.add_(1)
    torch.testing.assert_close(layer(maps), plainly(layer, maps), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("way", SHAPES)
def test_gradients_in_use_are_those_of_the_plain_way(way: str) -> None:
    maps = torch.randn(SHAPES[way], dtype=torch.float64, requires_grad=True)
    layer = lively(maps.shape[1]).double()
    weights = [maps, *layer.parameters()]
    found = torch.autograd.grad(layer(maps).pow(2).sum(), weights)
    expected = torch.autograd.grad(plainly(layer, maps).pow(2).sum(), weights)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_training_updates_the_statistics_of_the_norm() -> None:
    layer = lively(8).train()
    before = layer.norm.running_mean.clone()
    layer(torch.randn(2, 8, 5, 2))
    assert not torch.equal(layer.norm.running_mean, before)


@torch.no_grad()
def test_weights_keep_their_layout_when_others_are_loaded() -> None:
    layer = ConvNorm(8, 16, 3)
    layer.load_state_dict({name: value.contiguous() for name, value in lively_state(8, 16).items()})
    assert layer.conv.weight.is_contiguous(memory_format=torch.channels_last)
    assert not layer.conv.weight.is_contiguous()


def lively_state(before: int, width: int) -> dict[str, Tensor]:
    return ConvNorm(before, width, 3).state_dict()


@pytest.mark.parametrize("side", [1, 2, 3])
@pytest.mark.parametrize("shape", [(2, 3, 12, 6), (1, 2, 13, 7)])
def test_averages_are_means_of_squares(side: int, shape: tuple[int, ...]) -> None:
    maps = torch.randn(shape)
    torch.testing.assert_close(average(maps, side), F.avg_pool2d(maps, side))
