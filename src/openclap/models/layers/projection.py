"""The heads that take an encoder's pooled vector into the shared space."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from openclap.config import Config


class ProjectionConfig(Config):
    """How pooled vectors reach the shared space.

    Attributes:
        kind: "mlp" is LAION-CLAP's Linear-ReLU-Linear, "residual" is MS-CLAP's, "linear" is one Linear without bias.
        hidden: width between the two layers of "mlp"; None makes it the shared space's.
        activation: between the two layers of "mlp": LAION-CLAP has both, and its published weights "relu".
        dropout: probability inside "residual", in training only (MS-CLAP: 0.5).
    """

    kind: Literal["mlp", "linear", "residual"] = "mlp"
    hidden: int | None = Field(default=None, gt=0)
    activation: Literal["relu", "gelu"] = "relu"
    dropout: float = Field(default=0.5, ge=0, lt=1)


class MlpHeads(nn.Module):
    """LAION-CLAP's second heads, for its loss of four terms (arXiv 2211.06687's code; its paper has them not).

    Args:
        embed_dim: width of the shared space.
        init_logit_scale: the log of the first inverse temperature of the text's own terms.
    """

    def __init__(self, embed_dim: int, init_logit_scale: float) -> None:
        super().__init__()
        self.audio = _transform(embed_dim)
        self.text = _transform(embed_dim)
        self.logit_scale = nn.Parameter(torch.tensor(init_logit_scale))


class ResidualProjection(nn.Module):
    """MS-CLAP's projection (arXiv 2206.04769, section 2): a linear map, and a second one over it as a residual."""

    def __init__(self, in_dim: int, out_dim: int, dropout: float) -> None:
        super().__init__()
        self.linear1 = nn.Linear(in_dim, out_dim, bias=False)
        self.linear2 = nn.Linear(out_dim, out_dim, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(out_dim)

    def forward(self, pooled: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch embed"]:
        """Vectors of the shared space, before their length is made 1."""
        first = self.linear1(pooled)
        normed: Tensor = self.norm(first + self.dropout(self.linear2(F.gelu(first))))
        return normed


def build_projection(config: ProjectionConfig, in_dim: int, embed_dim: int) -> nn.Module:
    """The projection that `config` describes, from an encoder's width to the shared space's."""
    if config.kind == "linear":
        return nn.Linear(in_dim, embed_dim, bias=False)
    if config.kind == "residual":
        return ResidualProjection(in_dim, embed_dim, config.dropout)
    hidden = config.hidden or embed_dim
    between = nn.ReLU() if config.activation == "relu" else nn.GELU()
    return nn.Sequential(nn.Linear(in_dim, hidden), between, nn.Linear(hidden, embed_dim))


def _transform(dim: int) -> nn.Module:
    return nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Dropout(0.1), nn.Linear(dim, dim))
