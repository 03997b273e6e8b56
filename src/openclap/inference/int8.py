"""Linear maps in 8-bit integers on a CPU: about four times the arithmetic of float32 in the same time.

Weights are rounded once, each output's row by its own scale. Inputs are rounded at every call, between the least and
the largest value of their own row: nothing is calibrated and nothing clipped, so that a sound unlike all others is as
exact as any, and a vector never depends on what else is in the batch. The perceptrons of Swin blocks, where half the
arithmetic and most of the memory traffic is, take one range for each block of rows of one clip, so that bias and GELU
are computed inside the kernel. Sums are exact integers, and all between the linear maps stays float32. The kernels are
those that torch's own compiler calls (`torch.ops.onednn`).

Ranges are not symmetric about zero, as those of most libraries are: text models have a few channels that are far off
zero on one side, and GELU's values lie on one side. Of MiniLM's error, that leaves two fifths.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from openclap.inference.packing import PackedLinear

_STEPS = 254  # between the least and the largest value of a row
_MIDDLE = 128  # the byte that stands for the middle of a row's range
_LEAST_INPUTS = 64  # below, rounding costs more than the product
# Hugging Face's names of the maps of attention's values: a twelfth of the arithmetic, and half of MiniLM's error.
_VALUE_MAPS = frozenset({"value", "v_proj", "v_lin", "v"})
_BLOCK_VALUES = 400_000  # hidden values of a perceptron at once: what lies between its maps stays near the cache


def int8_text(linear: nn.Linear, activation: str, name: str) -> nn.Module:
    """What takes the place of a linear map in a text encoder: in 8 bits, or in float32 where that pays better."""
    exact = linear.in_features < _LEAST_INPUTS or name in _VALUE_MAPS
    return (PackedLinear if exact else Int8Linear)(linear, activation)


def int8_audio(linear: nn.Linear, activation: str, name: str) -> nn.Module:
    """The same in an audio encoder, where linear maps without an activation read the tokens of clips."""
    if linear.in_features < _LEAST_INPUTS or activation != "none":
        return int8_text(linear, activation, name)
    return Int8Tokens(linear)


class Int8Linear(nn.Module):
    """A linear map of rounded inputs and weights, and the activation after it.

    Args:
        linear: the plain one.
        activation: "none", "relu", "gelu" or "gelu-tanh".
    """

    def __init__(self, linear: nn.Linear, activation: str = "none") -> None:
        super().__init__()
        self._product = _Product(linear)
        self._activation = activation

    def forward(self, inputs: Float[Tensor, "*rows in"]) -> Float[Tensor, "*rows out"]:
        """The activation of the linear map."""
        rows = inputs.reshape(-1, inputs.shape[-1])
        least, largest = rows.amin(dim=1, keepdim=True), rows.amax(dim=1, keepdim=True)
        middle = (largest + least) / 2
        span = torch.maximum(largest - least, middle.abs() * 1e-3)  # of nearly equal values, float32 knows no more
        step = span.clamp_(min=1e-30) / _STEPS
        levels = torch.addcmul(-middle / step, rows, 1 / step)
        product = self._product
        outputs = torch.addcmul(product.bias, product(_as_bytes(levels), 1.0, _MIDDLE), step)
        outputs.addcmul_(middle, product.row_sums)
        return _activate(outputs, self._activation).view(*inputs.shape[:-1], -1)


class Int8Tokens(nn.Module):
    """Linear maps one after another over a clip's tokens in blocks, each rounded before each map within one range.

    Args:
        layers: linear maps, and GELU between them.
    """

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        followed = [*layers[1:], None]
        self._products = [
            (_Product(layer), "gelu" if isinstance(then, nn.GELU) else "none")
            for layer, then in zip(layers, followed, strict=True)
            if isinstance(layer, nn.Linear)
        ]
        self._block_rows = max(64, _BLOCK_VALUES // max(len(product.bias) for product, _ in self._products))

    def forward(self, tokens: Float[Tensor, "batch *tokens in"]) -> Float[Tensor, "batch *tokens out"]:
        """What the layers give."""
        clips = tokens.flatten(1, -2) if tokens.ndim > 2 else tokens[:, None]
        blocks = [self._apply_all(rows) for clip in clips for rows in clip.split(self._block_rows)]
        outputs = blocks[0] if len(blocks) == 1 else torch.cat(blocks)
        return outputs.view(*tokens.shape[:-1], -1)

    def _apply_all(self, rows: Float[Tensor, "rows in"]) -> Float[Tensor, "rows out"]:
        for product, activation in self._products:
            rows = _block_product(rows, product, activation)
        return rows


class _Product:
    """The product of rounded rows with a rounded weight, as float32."""

    def __init__(self, linear: nn.Linear) -> None:
        weight = linear.weight.detach()
        self._step = weight.abs().amax(dim=1).clamp(min=1e-30) / (_STEPS / 2)
        rounded = (weight / self._step[:, None]).round_()
        self._zeros = torch.zeros(len(weight), dtype=torch.int64)
        self._weight = torch.ops.onednn.qlinear_prepack(rounded.to(torch.int8), None)
        self.row_sums = rounded.sum(dim=1) * self._step
        self.bias = weight.new_zeros(len(weight)) if linear.bias is None else linear.bias.detach()

    def __call__(
        self,
        rows: UInt8[Tensor, "rows in"],
        step: float,
        zero: int,
        bias: Tensor | None = None,
        activation: str = "none",
    ) -> Float[Tensor, "rows out"]:
        outputs: Tensor = torch.ops.onednn.qlinear_pointwise(
            rows, step, zero, self._weight, self._step, self._zeros, bias, 1.0, 0, torch.float32, activation, [], "none"
        )
        return outputs


def _block_product(rows: Float[Tensor, "rows in"], product: _Product, activation: str) -> Float[Tensor, "rows out"]:
    least, largest = min(float(rows.amin()), 0.0), max(float(rows.amax()), 0.0)
    step = max(largest - least, 1e-30) / _STEPS
    zero = round(-least / step) + 1  # the byte that stands for 0: bytes run from 1 to 255
    levels = torch.add(torch.tensor(float(zero - _MIDDLE)), rows, alpha=1 / step)
    return product(_as_bytes(levels), step, zero, product.bias, activation)


def _as_bytes(levels: Float[Tensor, "rows in"]) -> UInt8[Tensor, "rows in"]:
    """Values from -127 to 127, rounded, as the bytes 1 to 255: the kernels want unsigned inputs."""
    return levels.round_().to(torch.int8).view(torch.uint8).bitwise_xor_(_MIDDLE)


def _activate(outputs: Tensor, activation: str) -> Tensor:
    if activation == "none":
        return outputs
    if activation == "relu":
        return outputs.relu_()
    return F.gelu(outputs, approximate="tanh" if activation == "gelu-tanh" else "none")
