"""Swin transformer blocks (arXiv 2103.14030) over tokens that already stand in window order.

The computation is the original's, written anew. What differs is only where tokens stand: see `layers/windows.py`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from openclap.models.layers.drop_path import DropPath
from openclap.models.layers.windows import relative_position_index, shift_mask


class Reorder(nn.Module):
    """Tokens gathered along their axis by a fixed index."""

    index: Tensor

    def __init__(self, index: Int[Tensor, " tokens"]) -> None:
        super().__init__()
        self.register_buffer("index", index, persistent=False)

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """The same tokens in the other order."""
        return tokens.index_select(1, self.index)


class WindowAttention(nn.Module):
    """Multi-head attention inside windows, with a learnt bias for every offset of query and key.

    Args:
        dim: width of the tokens.
        heads: attention heads; divides `dim`.
        side: rows and columns of the grid.
        window: rows and columns of a window; divides `side`.
        shift: roll of the grid that the windows were cut from.
    """

    bias_index: Tensor
    mask: Tensor | None

    def __init__(self, dim: int, heads: int, side: int, window: int, shift: int) -> None:
        super().__init__()
        self.heads, self.area = heads, window * window
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.relative_bias = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        self.register_buffer("bias_index", relative_position_index(window), persistent=False)
        self.register_buffer("mask", shift_mask(side, window, shift) if shift else None, persistent=False)
        self._kept_bias: Tensor | None = None

    def keep_bias(self) -> None:
        """Make the additive bias once, from the weights as they are now: for use, where they do not change."""
        with torch.no_grad():
            self._kept_bias = self._bias(1)

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """What each token gathered from its window."""
        qkv = self.qkv(tokens)
        gathered = self._mix(qkv.view(-1, self.area, qkv.shape[-1]), self._bias(tokens.shape[0]))
        mixed: Tensor = self.proj(gathered.view_as(tokens))
        return mixed

    def attend(self, qkv: Float[Tensor, "windows area three_dim"], first: int) -> Float[Tensor, "windows area dim"]:
        """What tokens of a clip's windows from the `first` on gather, from queries, keys and values side by side."""
        bias = self._bias(1)
        return self._mix(qkv, bias if self.mask is None else bias[first : first + len(qkv)])

    def _mix(
        self, qkv: Float[Tensor, "windows area three_dim"], bias: Float[Tensor, "masks heads area area"]
    ) -> Float[Tensor, "windows area dim"]:
        windows, area, width = qkv.shape
        query, key, value = qkv.view(windows, area, 3, self.heads, -1).permute(
            2, 0, 3, 1, 4
        )  # views: nothing is copied
        return _attend(query, key, value, bias).transpose(1, 2).reshape(windows, area, width // 3)

    def _bias(self, batch: int) -> Float[Tensor, "masks heads tokens tokens"]:
        if self._kept_bias is not None:
            bias = self._kept_bias
            return bias if batch == 1 or self.mask is None else bias.repeat(batch, 1, 1, 1)
        # In training gathered at every call: it cannot be stale after weights change.
        table = self.relative_bias.index_select(0, self.bias_index)
        bias = table.t().reshape(1, self.heads, self.area, self.area)
        if self.mask is None:
            return bias
        masked = bias + self.mask
        return masked if batch == 1 else masked.repeat(batch, 1, 1, 1)


def _attend(
    query: Float[Tensor, "windows heads tokens width"],
    key: Float[Tensor, "windows heads tokens width"],
    value: Float[Tensor, "windows heads tokens width"],
    bias: Float[Tensor, "masks heads tokens tokens"],
) -> Float[Tensor, "windows heads tokens width"]:
    if bias.requires_grad and not bias.is_cuda:
        # The CPU's fused kernel has no gradient for the bias; what torch does instead takes 1.4 to 1.6 times as long.
        logits = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1) + bias
        mixed: Tensor = logits.softmax(dim=-1) @ value
        return mixed
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)


class SwinBlock(nn.Module):
    """Attention in windows and a two-layer perceptron, each normalised before and added to its input.

    Args:
        dim: width of the tokens.
        heads: attention heads.
        side: rows and columns of the grid.
        window: rows and columns of a window.
        shift: roll of the grid that the windows are cut from.
        mlp_ratio: width of the perceptron's hidden layer in `dim`s.
        drop_path: probability that a branch is left out for a sample, in training.
    """

    def __init__(
        self, dim: int, heads: int, side: int, window: int, shift: int, mlp_ratio: float, drop_path: float
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attention = WindowAttention(dim, heads, side, window, shift)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, int(dim * mlp_ratio)), nn.GELU(), nn.Linear(int(dim * mlp_ratio), dim))
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """The tokens, in the same order."""
        tokens = tokens + self.drop_path(self.attention(self.norm1(tokens)))
        mixed: Tensor = self.drop_path(self.mlp(self.norm2(tokens)))
        return tokens + mixed


class PatchMerging(nn.Module):
    """Every four tokens that stand together become one of twice the width."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * dim)
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch merged wide"]:
        """A quarter of the tokens, twice as wide."""
        batch, count, dim = tokens.shape
        merged: Tensor = self.reduction(self.norm(tokens.view(batch, count // 4, 4 * dim)))
        return merged
