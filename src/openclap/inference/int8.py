"""Linear maps in 8-bit integers on a CPU: about four times the arithmetic of float32 in the same time.

Weights are rounded once, each output's row by its own scale. Inputs are rounded at every call, between the least and
the largest value of their own row: nothing is calibrated and nothing clipped, so that a sound unlike all others is as
exact as any, and a vector never depends on what else is in the batch. Swin blocks, where most of the memory traffic is,
take one range for each few windows of one clip, so that bias and GELU are computed inside the kernel. Sums are exact
integers, and all between the linear maps stays float32. The kernels are those that torch's own compiler calls
(`torch.ops.onednn`).

Ranges are not symmetric about zero, as those of most libraries are: text models have a few channels that are far off
zero on one side, and GELU's values lie on one side. Of MiniLM's error, that leaves two fifths.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from openclap.inference.packing import PackedLinear
from openclap.models.layers.swin import SwinBlock

_STEPS = 254  # between the least and the largest value of a row
_MIDDLE = 128  # the byte that stands for the middle of a row's range
_LEAST_INPUTS = 64  # below, rounding costs more than the product
# Hugging Face's names of the maps of attention's values, a twelfth of the arithmetic and half of MiniLM's error, and of
# those after attention, which are square: another twelfth, and half of what is left of RoBERTa's.
_VALUE_MAPS = frozenset({"value", "v_proj", "v_lin", "v"})
_OUTPUT_MAPS = frozenset({"dense", "out_proj", "out_lin", "o_proj", "o"})
# Hidden values of a perceptron at once: what lies between maps stays near the cache, of which half as many would make
# better use; but then there are so many calls that HTSAT-tiny takes 70 ms instead of 60.
_BLOCK_VALUES = 400_000


def int8_text(linear: nn.Linear, activation: str, name: str) -> nn.Module:
    """What takes the place of a linear map in a text encoder: in 8 bits, or in float32 where that pays better."""
    is_output = name in _OUTPUT_MAPS and linear.in_features == linear.out_features
    exact = linear.in_features < _LEAST_INPUTS or name in _VALUE_MAPS or is_output
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
    """A linear map over a clip's tokens in blocks, each rounded within one range.

    Args:
        linear: the plain one.
        activation: "none", or "gelu".
    """

    def __init__(self, linear: nn.Linear, activation: str = "none") -> None:
        super().__init__()
        self._product = _Product(linear)
        self._activation = activation
        self._block_rows = max(64, _BLOCK_VALUES // max(linear.weight.shape))

    def forward(self, tokens: Float[Tensor, "batch *tokens in"]) -> Float[Tensor, "batch *tokens out"]:
        """What the map gives."""
        clips = tokens.reshape(len(tokens), -1, tokens.shape[-1]).clone()
        blocks = [self.of_block(rows) for clip in clips for rows in clip.split(self._block_rows)]
        outputs = blocks[0] if len(blocks) == 1 else torch.cat(blocks)
        return outputs.view(*tokens.shape[:-1], -1)

    def of_block(self, rows: Float[Tensor, "rows in"]) -> Float[Tensor, "rows out"]:
        """What the map gives of one block, which is overwritten."""
        least, largest = min(float(rows.amin()), 0.0), max(float(rows.amax()), 0.0)
        step = max(largest - least, 1e-30) / _STEPS
        zero = round(-least / step) + 1  # the byte that stands for 0: bytes run from 1 to 255
        torch.add(torch.tensor(float(zero - _MIDDLE)), rows, alpha=1 / step, out=rows)
        return self._product(_as_bytes(rows), step, zero, self._product.bias, self._activation)


class Int8SwinBlock(nn.Module):
    """A Swin block whose maps are in 8 bits, computed a few windows at a time: they stay in the cache from end to end.

    Args:
        block: the plain one, in evaluation mode.
    """

    def __init__(self, block: SwinBlock) -> None:
        super().__init__()
        attention = block.attention
        rise, fall = cast("nn.Linear", block.mlp[0]), cast("nn.Linear", block.mlp[2])
        attention.keep_bias()
        self._norms = (block.norm1, block.norm2)
        self._attention = attention
        self._qkv, self._proj = Int8Tokens(attention.qkv), Int8Tokens(attention.proj)
        self._rise, self._fall = Int8Tokens(rise, "gelu"), Int8Tokens(fall)
        self._windows: int = max(1, _BLOCK_VALUES // (rise.out_features * attention.area))

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """The tokens, in the same order."""
        outputs = tokens.clone()
        area = self._attention.area
        for clip in outputs.view(len(tokens), -1, area, tokens.shape[-1]):
            for first in range(0, len(clip), self._windows):
                self._add(clip[first : first + self._windows], first)
        return outputs

    def _add(self, windows: Float[Tensor, "windows area dim"], first: int) -> None:
        """Add both branches to some windows of a clip, in place."""
        rows = windows.view(-1, windows.shape[-1])
        before_attention, before_perceptron = self._norms
        qkv = self._qkv.of_block(before_attention(rows))
        mixed = self._attention.attend(qkv.view(len(windows), -1, qkv.shape[-1]), first)
        rows.add_(self._proj.of_block(mixed.view(rows.shape)))
        rows.add_(self._fall.of_block(self._rise.of_block(before_perceptron(rows))))


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


def _as_bytes(levels: Float[Tensor, "rows in"]) -> UInt8[Tensor, "rows in"]:
    """Values from -127 to 127, rounded, as the bytes 1 to 255: the kernels want unsigned inputs."""
    return levels.round_().to(torch.int8).view(torch.uint8).bitwise_xor_(_MIDDLE)


def _activate(outputs: Tensor, activation: str) -> Tensor:
    if activation == "none":
        return outputs
    if activation == "relu":
        return outputs.relu_()
    return F.gelu(outputs, approximate="tanh" if activation == "gelu-tanh" else "none")
