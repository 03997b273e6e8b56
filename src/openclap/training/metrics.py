"""Cheap signs of learning, measured on a batch while training. Proper retrieval numbers are `openclap eval`'s."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor


@torch.no_grad()
def in_batch_accuracy(
    audio_embeds: Float[Tensor, "batch embed"],
    text_embeds: Float[Tensor, "batch embed"],
    caption_group: Int[Tensor, " batch"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Share of clips whose nearest text in the batch is theirs, and share of texts whose nearest clip is theirs.

    A text of the same caption group is as good as one's own. Chance is about one in the batch size, so numbers of
    different batch sizes do not compare.
    """
    similarity = audio_embeds @ text_embeds.T
    hits = [
        (caption_group[scores.argmax(dim=1)] == caption_group).float().mean() for scores in (similarity, similarity.T)
    ]
    return hits[0], hits[1]


def weighted_mean(rows: Iterable[tuple[int, Mapping[str, float]]]) -> dict[str, float]:
    """The mean of each named value over (weight, values) rows; all rows have the same names."""
    totals: dict[str, float] = {}
    weights = 0
    for weight, values in rows:
        weights += weight
        for name, value in values.items():
            totals[name] = totals.get(name, 0.0) + weight * value
    return {name: total / weights for name, total in totals.items()}
