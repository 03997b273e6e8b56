"""Clips of different lengths in groups of equal length, so that none is filled up to another's.

What works token by token (linear maps, norms) then runs over all groups at once, laid one after the other ("packed");
what mixes a clip's tokens (attention) runs over one group at a time and cannot reach another clip.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

Shapes: TypeAlias = Sequence[tuple[int, int]]
"""Of each group of packed tokens: how many clips it has, and how many tokens each of them."""


@dataclass(frozen=True, eq=False)
class LengthGroups:
    """Which clips of a batch have equal length; shorter ones come first.

    Attributes:
        lengths: the length of each group.
        rows: the places in the batch of each group's clips, ascending.
    """

    lengths: tuple[int, ...]
    rows: tuple[Int[Tensor, " _clips"], ...]

    @classmethod
    def of(cls, lengths: Int[Tensor, " batch"]) -> LengthGroups:
        """The groups of clips with these lengths."""
        ordered, order = lengths.cpu().sort(stable=True)
        different, counts = torch.unique_consecutive(ordered, return_counts=True)
        return cls(tuple(different.tolist()), torch.split(order, counts.tolist()))

    def split(self, values: Float[Tensor, "batch ..."]) -> tuple[Float[Tensor, "_clips ..."], ...]:
        """Values that stand one a clip, by groups."""
        if len(self.rows) == 1:
            return (values,)
        order = torch.cat(self.rows).to(values.device, non_blocking=True)
        return torch.split(values.index_select(0, order), [len(rows) for rows in self.rows])

    def join(self, groups: Sequence[Float[Tensor, "_clips ..."]]) -> Float[Tensor, "batch ..."]:
        """What `split` gave, or anything else of these groups, in the batch's order."""
        if len(groups) == 1:
            return groups[0]
        back = torch.cat(self.rows).argsort().to(groups[0].device, non_blocking=True)
        return torch.cat(list(groups)).index_select(0, back)

    def join_padded(self, groups: Sequence[Float[Tensor, "_clips _tokens dim"]]) -> Float[Tensor, "batch longest dim"]:
        """Tokens in the batch's order, with zeros after those of a clip that has fewer than others."""
        longest = max(group.shape[1] for group in groups)
        return self.join([F.pad(group, (0, 0, 0, longest - group.shape[1])) for group in groups])


def packed(groups: Sequence[Float[Tensor, "_clips _tokens dim"]]) -> tuple[Float[Tensor, "packed dim"], Shapes]:
    """The tokens of all clips of all groups one after the other, and the shapes to find them by."""
    shapes = [(group.shape[0], group.shape[1]) for group in groups]
    return torch.cat([group.flatten(0, 1) for group in groups]), shapes


def unpacked(tokens: Float[Tensor, "packed dim"], shapes: Shapes) -> Iterator[Float[Tensor, "_clips _tokens dim"]]:
    """The groups that were packed."""
    parts = torch.split(tokens, [clips * count for clips, count in shapes])
    for part, (clips, count) in zip(parts, shapes, strict=True):
        yield part.view(clips, count, -1)
