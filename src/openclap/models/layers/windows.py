"""Orders of a square grid of tokens for windowed attention, as index tensors computed once.

Swin attention (arXiv 2103.14030, section 3.2) works in windows, every second time on a grid rolled by half a window.
Instead of rolling, cutting and putting back around every attention, the tokens are kept in the order in which their
next attention reads them: between two attentions there is one gather, whose index these functions compose. An order is
a permutation: `order[i]` says which token of the grid, counted row by row, stands at position i.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def window_order(side: int, window: int, shift: int) -> Int[Tensor, " tokens"]:
    """The order in which windows lie one after the other, each row by row.

    Args:
        side: rows and columns of the grid.
        window: rows and columns of a window; divides `side`.
        shift: rows and columns by which the grid is rolled towards its start before it is cut.
    """
    raster = torch.arange(side * side).view(side, side).roll((-shift, -shift), (0, 1))
    count = side // window
    return raster.view(count, window, count, window).transpose(1, 2).flatten()


def merge_order(side: int, order: Int[Tensor, " merged"]) -> Int[Tensor, " tokens"]:
    """The order in which every four neighbours stand together, and the fours in a given order of the half-sized grid.

    Args:
        side: rows and columns of the grid before merging.
        order: the order wanted of the grid with half the rows and columns.
    """
    first = order // (side // 2) * 2 * side + order % (side // 2) * 2  # the upper left token of each four
    corners = torch.tensor([0, side, 1, side + 1])  # the original's: upper left, lower left, upper right, lower right
    return (first[:, None] + corners).flatten()


def compose(given: Int[Tensor, " tokens"], wanted: Int[Tensor, " tokens"]) -> Int[Tensor, " tokens"]:
    """The gather index that takes tokens standing in one order into another."""
    return given.argsort()[wanted]


def shift_mask(side: int, window: int, shift: int) -> Float[Tensor, "windows 1 tokens tokens"]:
    """What is added to the attention logits of a rolled grid: -100 between tokens that are no neighbours, else 0."""
    edge = torch.zeros(side, dtype=torch.long)
    edge[side - window : side - shift] = 1
    edge[side - shift :] = 2  # rolled in from the other side of the grid
    region = (edge[:, None] * 3 + edge).flatten()[_cut(side, window)]
    return torch.where(region[:, None, :, None] == region[:, None, None, :], 0.0, -100.0)


def relative_position_index(window: int) -> Int[Tensor, " pairs"]:
    """For every (query, key) of a window, the row of the table that holds the bias of their offset."""
    place = torch.arange(window)
    offset = place[:, None] - place + window - 1
    index = offset[:, None, :, None] * (2 * window - 1) + offset[None, :, None, :]
    return index.flatten()


def _cut(side: int, window: int) -> Int[Tensor, "windows tokens"]:
    return window_order(side, window, 0).view(-1, window * window)
