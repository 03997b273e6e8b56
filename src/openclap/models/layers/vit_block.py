"""The block of a Vision Transformer (arXiv 2010.11929, section 3.1): global attention and a perceptron, pre-norm."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from openclap.models.layers.drop_path import DropPath
from openclap.models.layers.length_groups import Shapes, unpacked

LAYER_NORM_EPS = 1e-6
"""MAE's and AudioMAE's, in encoder and decoder."""


class Attention(nn.Module):
    """Multi-head attention of all tokens of a clip to all of them.

    Args:
        dim: width of the tokens.
        heads: attention heads; divides `dim`.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """What each token gathered from all."""
        mixed: Tensor = self.proj(self._gather(self.qkv(tokens)))
        return mixed

    def packed(self, tokens: Float[Tensor, "packed dim"], shapes: Shapes) -> Float[Tensor, "packed dim"]:
        """The same for clips of several lengths: what each token gathered from those of its own clip."""
        gathered = [self._gather(group).flatten(0, 1) for group in unpacked(self.qkv(tokens), shapes)]
        mixed: Tensor = self.proj(torch.cat(gathered))
        return mixed

    def _gather(self, qkv: Float[Tensor, "batch tokens dim3"]) -> Float[Tensor, "batch tokens dim"]:
        batch, count, _ = qkv.shape
        query, key, value = qkv.view(batch, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        out = F.scaled_dot_product_attention(query, key, value)
        return out.transpose(1, 2).reshape(batch, count, -1)


class VitBlock(nn.Module):
    """Attention and a two-layer perceptron, each normalised before and added to its input.

    Args:
        dim: width of the tokens.
        heads: attention heads.
        mlp_ratio: width of the perceptron's hidden layer in `dim`s.
        drop_path: probability that a branch is left out for a sample, in training.
    """

    def __init__(self, dim: int, heads: int, mlp_ratio: float = 4.0, drop_path: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.attention = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.mlp = perceptron(dim, mlp_ratio)
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """The tokens, in the same order."""
        tokens = tokens + self.drop_path(self.attention(self.norm1(tokens)))
        mixed: Tensor = self.drop_path(self.mlp(self.norm2(tokens)))
        return tokens + mixed

    def packed(self, tokens: Float[Tensor, "packed dim"], shapes: Shapes) -> Float[Tensor, "packed dim"]:
        """The same for clips of several lengths, each as if it were alone."""
        tokens = tokens + self.drop_path.packed(self.attention.packed(self.norm1(tokens), shapes), shapes)
        return tokens + self.drop_path.packed(self.mlp(self.norm2(tokens)), shapes)


def perceptron(dim: int, ratio: float) -> nn.Sequential:
    """Two layers with a GELU between, the hidden one `ratio` times as wide."""
    hidden = int(dim * ratio)
    return nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))


def initialise(module: nn.Module) -> None:
    """MAE's first weights of one layer, for `nn.Module.apply`: Xavier's uniform ones, and biases of 0."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
