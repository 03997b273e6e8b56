"""Retrieval between sounds and captions, scored in both directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from openclap.evaluation import metrics
from openclap.evaluation.intervals import draw_weights, percentiles, weighted_means, weighted_medians
from openclap.evaluation.results import Score

Metric = Callable[[int, np.ndarray, np.ndarray], np.ndarray]

_METRICS: tuple[tuple[str, str, Metric, int], ...] = (
    ("r1", "R@1", metrics.recall_at, 1),
    ("r5", "R@5", metrics.recall_at, 5),
    ("r10", "R@10", metrics.recall_at, 10),
    ("map10", "mAP@10", metrics.average_precision_at, 10),
)


def text_index(captions: Sequence[Sequence[str]]) -> tuple[list[str], np.ndarray]:
    """The distinct captions, and which clips (rows) have which (columns).

    A caption that several clips share is one text, and right for each of them: a model cannot tell which of the equal
    texts belongs to which clip, and is not asked to.

    >>> texts, relevant = text_index([["rain", "it rains"], ["rain"]])
    >>> texts, relevant.tolist()
    (['rain', 'it rains'], [[True, True], [True, False]])
    """
    texts = list(dict.fromkeys(caption for several in captions for caption in several))
    column = {text: place for place, text in enumerate(texts)}
    relevant = np.zeros((len(captions), len(texts)), dtype=bool)
    for row, several in enumerate(captions):
        relevant[row, [column[caption] for caption in several]] = True
    return texts, relevant


def score_both_ways(similarities: np.ndarray, relevant: np.ndarray, seed: int = 0) -> dict[str, Score]:
    """R@1/5/10, mAP@10 and median rank, A→T and T→A, each with chance and a 95 % bootstrap interval over clips.

    Args:
        similarities: (clips, texts).
        relevant: (clips, texts), true where a text describes a clip; every clip and every text has at least one.
        seed: of the bootstrap.
    """
    weights = draw_weights(len(relevant), seed)
    # A text counts in a draw as often as its clips do, on average over them.
    text_weights = weights @ (relevant / relevant.sum(axis=0))
    return {
        **_score("a2t", "A→T", similarities, relevant, weights),
        **_score("t2a", "T→A", similarities.T, relevant.T, text_weights),
    }


def examples(
    similarities: np.ndarray, relevant: np.ndarray, texts: Sequence[str], ids: Sequence[str], keep: int
) -> list[dict[str, Any]]:
    """For `keep` clips, evenly spread: their captions, and the five texts that fit best, as plain values."""
    ranks = metrics.first_rank(similarities, relevant)
    chosen = np.unique(np.linspace(0, len(ids) - 1, min(keep, len(ids))).round().astype(int))
    listed: list[dict[str, Any]] = []
    for row in chosen.tolist():
        best = np.argsort(-similarities[row], kind="stable")[:5]
        found = [
            {"text": texts[i], "score": float(similarities[row, i]), "right": bool(relevant[row, i])}
            for i in best.tolist()
        ]
        captions = [texts[i] for i in np.flatnonzero(relevant[row]).tolist()]
        listed.append({"id": ids[row], "captions": captions, "rank": float(ranks[row]), "best": found})
    return listed


def _score(key: str, name: str, scores: np.ndarray, relevant: np.ndarray, weights: np.ndarray) -> dict[str, Score]:
    """The scores of one direction."""
    found: dict[str, Score] = {}
    for short, shown, metric, k in _METRICS:
        values = metric(k, scores, relevant)
        low, high = percentiles(weighted_means(values, weights))
        found[f"{key}_{short}"] = Score(
            name=f"{name} {shown}",
            value=float(values.mean()),
            chance=_chance(metric, k, relevant),
            low=low,
            high=high,
            n=len(values),
        )
    ranks = metrics.first_rank(scores, relevant)
    low, high = percentiles(weighted_medians(ranks, weights))
    found[f"{key}_median_rank"] = Score(
        name=f"{name} median rank",
        value=float(np.median(ranks)),
        chance=metrics.chance_median_rank(relevant),
        low=low,
        high=high,
        n=len(ranks),
        unit="rank",
        better="lower",
    )
    return found


def _chance(metric: Metric, k: int, relevant: np.ndarray) -> float:
    """The mean of a metric over all orders of the items: what it gives for scores that are all equal.

    It depends on a query only by how many items are right for it, so each such number is worked out once.
    """
    right, queries = np.unique(relevant.sum(axis=1), return_counts=True)
    rows = np.arange(relevant.shape[1]) < right[:, None]
    return float(np.average(metric(k, np.zeros(rows.shape), rows), weights=queries))
