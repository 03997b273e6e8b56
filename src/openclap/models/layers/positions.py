"""Fixed sine-cosine positions of spectrogram patches: nothing is learnt, and any length has them.

Source: "Masked Autoencoders", arXiv 2111.06377, and "Masked Autoencoders that Listen" (AudioMAE), arXiv 2207.06405;
written anew from their formulas. Tokens run through time, and within a time through frequency. Half of the width says
one number of a token, half the other, each as sines followed by cosines.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor, nn

Positions: TypeAlias = Literal["grid", "audiomae"]

_AUDIOMAE_COLUMNS = 64
_FIRST_COLUMNS = 64  # made at once: AudioMAE's 1024 frames, 10.24 s


class PositionTable(nn.Module):
    """The positions of any number of tokens, made once for the longest clip so far; not part of a checkpoint.

    Args:
        kind: which, as in `position_table`.
        rows: tokens of one time.
        dim: width of the tokens, a multiple of 4.
    """

    table: Tensor

    def __init__(self, kind: Positions, rows: int, dim: int) -> None:
        super().__init__()
        self.kind, self.rows, self.dim = kind, rows, dim
        self.register_buffer("table", position_table(kind, _FIRST_COLUMNS * rows, rows, dim), persistent=False)

    def forward(self, count: int) -> Float[Tensor, "{count} {self.dim}"]:
        """The positions of the first `count` tokens."""
        if count > len(self.table):
            with torch.inference_mode(False):  # a table made in use must serve training, too
                self.table = position_table(self.kind, count, self.rows, self.dim).to(self.table)
        return self.table[:count]


def position_table(kind: Positions, count: int, rows: int, dim: int) -> Float[Tensor, "{count} {dim}"]:
    """The positions of the first `count` tokens.

    A token's position depends on its number alone and not on how many follow, so that clips of several lengths agree.

    Args:
        kind: "grid": the first half of the width says the row (frequency), the second the column (time).
            "audiomae": as AudioMAE's published code makes its table. It takes its 64 columns of 8 rows for 8 rows of
            64: the first half says the number's remainder by 64, the second the quotient. Each token still has a
            position of its own. Theirs is defined for 64 columns; that other lengths keep the 64 is our choice.
        count: how many tokens.
        rows: tokens of one time.
        dim: width of the tokens, a multiple of 4.
    """
    number = torch.arange(count)
    low = rows if kind == "grid" else _AUDIOMAE_COLUMNS
    halves = [sin_cos(number % low, dim // 2), sin_cos(number // low, dim // 2)]
    return torch.cat(halves, dim=1).float()


def sin_cos(place: Int[Tensor, " places"], dim: int) -> Float64[Tensor, "places {dim}"]:
    """Sines, then cosines, of places times dim / 2 frequencies that fall geometrically from 1 towards 1/10000."""
    frequency = 10_000.0 ** -(torch.arange(dim // 2, dtype=torch.float64) / (dim // 2))
    angle = place.double()[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)
