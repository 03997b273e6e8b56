"""Linear maps in 8-bit integers on a CPU: about four times the arithmetic of float32 in the same time.

Weights are rounded once, each output's row by its own scale. Inputs are rounded at every call by a scale of their own:
nothing is calibrated, so that a sound unlike all others is as exact as any. A linear map takes one scale for each of
its rows, so a vector never depends on what else is in the batch. The perceptrons of Swin blocks, where half the
arithmetic and most of the memory traffic is, take one scale for each block of rows of one clip, so that bias and GELU
are computed inside the kernel. Sums are exact integers, and all between the linear maps stays float32. The kernels are
those that torch's own compiler calls (`torch.ops.onednn`).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from openclap.inference.packing import PackedLinear

_LEVELS = 127  # on either side of zero
_ZERO = 128  # what stands for 0 in an unsigned byte
_LEAST_INPUTS = 64  # below, rounding costs more than the product
_BLOCK_ROWS = 1024  # of a perceptron at once: what lies between its maps stays near the cache


def int8_linear(linear: nn.Linear, activation: str = "none") -> nn.Module:
    """What takes the place of a linear map: `Int8Linear` where that pays, else the packed one in float32."""
    return (Int8Linear if linear.in_features >= _LEAST_INPUTS else PackedLinear)(linear, activation)


class Int8Linear(nn.Module):
    """A linear map of rounded inputs and weights, and the activation after it.

    Args:
        linear: the plain one.
        activation: "none", "relu", "gelu" or "gelu-tanh".
    """

    def __init__(self, linear: nn.Linear, activation: str = "none") -> None:
        super().__init__()
        self._product = _Product(linear.weight)
        self._bias = linear.weight.new_zeros(linear.out_features) if linear.bias is None else linear.bias.detach()
        self._activation = activation

    def forward(self, inputs: Float[Tensor, "*rows in"]) -> Float[Tensor, "*rows out"]:
        """The activation of the linear map."""
        rows = inputs.reshape(-1, inputs.shape[-1])
        scale = _scale(rows.abs().amax(dim=1, keepdim=True))
        outputs = torch.addcmul(self._bias, self._product(_rounded(rows, scale), 1.0), scale)
        return _activate(outputs, self._activation).view(*inputs.shape[:-1], -1)


class Int8Perceptron(nn.Module):
    """Linear map, GELU, linear map: a clip's tokens in blocks, rounded before each map by one scale a block."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        first, _, second = layers
        maps = [layer for layer in (first, second) if isinstance(layer, nn.Linear)]
        self._first, self._second = (_Product(layer.weight) for layer in maps)
        self._biases = [layer.bias.detach() for layer in maps]

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """What `layers` gives."""
        outputs = torch.empty_like(tokens)
        for clip, mixed in zip(tokens, outputs, strict=True):
            for rows, place in zip(clip.split(_BLOCK_ROWS), mixed.split(_BLOCK_ROWS), strict=True):
                hidden = _rounded_product(rows, self._first, self._biases[0], "gelu")
                place.copy_(_rounded_product(hidden, self._second, self._biases[1], "none"))
        return outputs


def _rounded_product(
    rows: Float[Tensor, "rows in"], product: _Product, bias: Float[Tensor, " out"], activation: str
) -> Float[Tensor, "rows out"]:
    scale = float(_scale(rows.abs().amax()))
    return product(_rounded(rows, scale), scale, bias, activation)


class _Product:
    """The product of rounded rows with a rounded weight, as float32."""

    def __init__(self, weight: Float[Tensor, "out in"]) -> None:
        weight = weight.detach()
        self._scale = _scale(weight.abs().amax(dim=1))
        rounded = (weight / self._scale[:, None]).round_().to(torch.int8)
        self._zeros = torch.zeros(len(weight), dtype=torch.int64)
        self._weight = torch.ops.onednn.qlinear_prepack(rounded, None)

    def __call__(
        self, rows: UInt8[Tensor, "rows in"], scale: float, bias: Tensor | None = None, activation: str = "none"
    ) -> Float[Tensor, "rows out"]:
        outputs: Tensor = torch.ops.onednn.qlinear_pointwise(
            rows, scale, _ZERO, self._weight, self._scale, self._zeros, bias, 1.0, 0, torch.float32, activation, [],
            "none",
        )  # fmt: skip
        return outputs


def _scale(largest: Tensor) -> Tensor:
    return largest.clamp(min=1e-30) / _LEVELS  # a row of zeros stays one


def _rounded(rows: Float[Tensor, "rows in"], scale: Tensor | float) -> UInt8[Tensor, "rows in"]:
    levels = rows.div(scale).round_().to(torch.int8)
    return levels.view(torch.uint8).bitwise_xor_(_ZERO)  # -127 … 127 to 1 … 255: the kernels want unsigned inputs


def _activate(outputs: Tensor, activation: str) -> Tensor:
    if activation == "none":
        return outputs
    if activation == "relu":
        return outputs.relu_()
    return F.gelu(outputs, approximate="tanh" if activation == "gelu-tanh" else "none")
