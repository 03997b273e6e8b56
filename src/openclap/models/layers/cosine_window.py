"""Swin V2 blocks on a time-frequency grid, as AudioMAE's decoder has them: cosine attention, normalised afterwards.

Source: "Swin Transformer V2", arXiv 2111.09883, sections 3.2 and 3.3, in the form of C. Reich's implementation in timm
(Apache 2.0), which AudioMAE's public code carries; written anew. AudioMAE's choice is kept: windows shift through time
only, where the paper of Swin shifts both axes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from openclap.models.layers.vit_block import LAYER_NORM_EPS, perceptron

_BIAS_HIDDEN = 384
_BIAS_DROPOUT = 0.1
_LEAST_TEMPERATURE = 0.01
_BLOCKED = -100.0


class CosineWindowAttention(nn.Module):
    """Multi-head attention inside square windows by cosines, with a bias that a perceptron makes of log offsets.

    Args:
        dim: width of the tokens.
        heads: attention heads; divides `dim`.
        window: columns and rows of a window.
    """

    offsets: Tensor

    def __init__(self, dim: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.area = heads, window * window
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.temperature = nn.Parameter(torch.ones(heads))
        self.bias_mlp = nn.Sequential(
            nn.Linear(2, _BIAS_HIDDEN), nn.ReLU(), nn.Dropout(_BIAS_DROPOUT), nn.Linear(_BIAS_HIDDEN, heads),
            nn.Dropout(_BIAS_DROPOUT),
        )  # fmt: skip
        self.register_buffer("offsets", _log_offsets(window), persistent=False)

    def forward(
        self, windows: Float[Tensor, "batch windows area dim"], mask: Float[Tensor, "windows 1 area area"] | None
    ) -> Float[Tensor, "batch windows area dim"]:
        """What each token gathered from its window; `mask` is added to the logits."""
        batch, count, area, dim = windows.shape
        qkv = self.qkv(windows).view(batch, count, area, 3, self.heads, dim // self.heads)
        query, key, value = qkv.permute(3, 0, 1, 4, 2, 5)
        inverse = 1 / self.temperature.clamp(min=_LEAST_TEMPERATURE)
        # Lengths in float32, whatever the rest is computed in.
        query, key = F.normalize(query.float(), dim=-1), F.normalize(key.float(), dim=-1)
        query = query * inverse[:, None, None]
        bias = self.bias_mlp(self.offsets).t().reshape(self.heads, area, area)
        bias = bias if mask is None else bias + mask
        out = F.scaled_dot_product_attention(query, key, value.float(), attn_mask=bias.float(), scale=1.0)
        mixed: Tensor = self.proj(out.to(windows.dtype).transpose(2, 3).reshape(batch, count, area, dim))
        return mixed


class CosineWindowBlock(nn.Module):
    """Attention in windows and a two-layer perceptron, each normalised after and added to its input.

    Args:
        dim: width of the tokens.
        heads: attention heads.
        rows: tokens of one time.
        window: columns and rows of a window; divides the rows.
        shift: columns by which the grid is rolled towards its start before it is cut.
        mlp_ratio: width of the perceptron's hidden layer in `dim`s.
    """

    def __init__(self, dim: int, heads: int, rows: int, window: int, shift: int, mlp_ratio: float = 4.0) -> None:
        super().__init__()
        self.rows, self.window, self.shift = rows, window, shift
        self.attention = CosineWindowAttention(dim, heads, window)
        self.norm1 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.mlp = perceptron(dim, mlp_ratio)
        self.norm2 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """The tokens of a whole grid of whole windows, time by time, in the same order."""
        tokens = tokens + self.norm1(self._attend(tokens))
        mixed: Tensor = self.norm2(self.mlp(tokens))
        return tokens + mixed

    def _attend(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        batch, count, dim = tokens.shape
        columns, side = count // self.rows, self.window
        # One window is all of time: rolling would change nothing but its own edges.
        shift = self.shift if columns > side else 0
        grid = tokens.view(batch, columns, self.rows, dim).roll(-shift, 1)
        cut = grid.view(batch, columns // side, side, self.rows // side, side, dim).transpose(2, 3)
        mask = _time_mask(columns, self.rows, side, shift, tokens.device) if shift else None
        out: Tensor = self.attention(cut.reshape(batch, -1, side * side, dim), mask)
        whole = out.view(batch, columns // side, self.rows // side, side, side, dim).transpose(2, 3)
        return whole.reshape(batch, columns, self.rows, dim).roll(shift, 1).reshape(batch, count, dim)


def _log_offsets(window: int) -> Float[Tensor, "pairs 2"]:
    """For every (query, key) of a window, sign(d)·ln(1 + |d|) of their offsets in time and frequency."""
    place = torch.cartesian_prod(torch.arange(window), torch.arange(window)).float()
    offset = (place[:, None] - place).reshape(-1, 2)
    return offset.sign() * offset.abs().log1p()


def _time_mask(
    columns: int, rows: int, window: int, shift: int, device: torch.device
) -> Float[Tensor, "windows 1 area area"]:
    """What is added to the logits of a grid rolled through time: -100 between tokens that are no neighbours, else 0."""
    column = torch.arange(columns, device=device).view(-1, window)
    beyond = (column >= columns - shift).repeat_interleave(window, dim=1)  # rolled in from the other end
    apart = torch.where(beyond[:, :, None] == beyond[:, None, :], 0.0, _BLOCKED)
    return apart.repeat_interleave(rows // window, dim=0)[:, None]
