"""Cheap signs of learning, measured on a batch while training. Proper retrieval numbers are `openclap eval`'s."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from openclap.types import ClapOutput, NegativeOutput


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


@torch.no_grad()
def negative_accuracy(output: ClapOutput, negatives: NegativeOutput) -> Float[Tensor, ""]:
    """Share of negatives that are farther from their clip than its own text is; guessing has one half."""
    own = (output.audio_embeds * output.text_embeds).sum(dim=1)
    wrong = (output.audio_embeds[negatives.clip] * negatives.text_embeds).sum(dim=1)
    return (own[negatives.clip] > wrong).float().mean()


def weighted_mean(rows: Iterable[tuple[int, Mapping[str, float]]]) -> dict[str, float]:
    """The mean of each named value over the (weight, values) rows that have it."""
    totals: dict[str, float] = {}
    weights: dict[str, int] = {}
    for weight, values in rows:
        for name, value in values.items():
            totals[name] = totals.get(name, 0.0) + weight * value
            weights[name] = weights.get(name, 0) + weight
    return {name: total / weights[name] for name, total in totals.items()}
