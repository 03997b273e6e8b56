"""Pure metric functions: scores and truths in, numbers out.

Ties. Items with equal scores have no order. Every metric here is its exact expected value over all orders of the tied
items, so a model that gives everything one score gets exactly chance: no more by luck of sorting, and no less.

Ranking functions take `scores` (queries, items) and `relevant`, a boolean array of the same shape that is true where an
item is right for a query; each query has at least one. They give one value a query, so that means, intervals and
listings come from the same numbers.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

Scores = Float[np.ndarray, "queries items"]
Relevant = Bool[np.ndarray, "queries items"]
PerQuery = Float[np.ndarray, " queries"]
PerClass = Float[np.ndarray, " classes"]

_ROWS = 256  # queries worked on at once: keeps the memory of large galleries small


def first_rank(scores: Scores, relevant: Relevant) -> PerQuery:
    """The rank, from 1, of the best relevant item of each query.

    Among t + r tied items of which r are relevant, the first relevant one stands at 1 + t / (r + 1) on average.

    >>> first_rank(np.array([[0.9, 0.5, 0.1]]), np.array([[False, True, True]]))
    array([2.])
    >>> first_rank(np.zeros((1, 5)), np.array([[True, False, False, False, False]]))  # no order: the middle
    array([3.])
    """
    above, tied, right = _at_best(scores, relevant)
    return np.asarray(above + 1 + tied / (right + 1))


def recall_at(k: int, scores: Scores, relevant: Relevant) -> PerQuery:
    """Whether a relevant item is among the first k: 1 or 0, or the probability of it where ties decide.

    With several relevant items (five captions of a clip) the best-ranked one counts, as is usual in audio retrieval.

    >>> scores = np.array([[0.9, 0.5, 0.1], [0.2, 0.2, 0.2]])
    >>> relevant = np.array([[False, True, False], [False, True, False]])
    >>> recall_at(1, scores, relevant).round(3)
    array([0.   , 0.333])
    >>> recall_at(2, scores, relevant).round(3)
    array([1.   , 0.667])
    """
    above, tied, right = _at_best(scores, relevant)
    missed = np.ones(len(scores))
    for place in range(k):  # the places left to the tied block are filled one by one
        drawn = place - above
        left = np.maximum(tied + right - drawn, 1)
        missed = np.where(drawn >= 0, missed * np.maximum(tied - drawn, 0) / left, missed)
    return np.where(above < k, 1 - missed, 0.0)


def average_precision_at(k: int, scores: Scores, relevant: Relevant) -> PerQuery:
    """Average precision of the first k items: the mean of the precisions where relevant items stand.

    Divided by min(k, number of relevant items), so that a perfect ranking gets 1. Relevant items count in the order of
    their ranks: five captions found at ranks 5, 4, 3, 2, 1 are a perfect ranking and get 1.0, whatever order they are
    listed in. Ties by the exact expectation of McSherry and Najork (2008), "Computing information retrieval performance
    measures efficiently in the presence of tied scores", section 2.

    >>> average_precision_at(10, np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 0.0]]), np.array([[True] * 5 + [False]]))
    array([1.])
    >>> average_precision_at(10, np.array([[0.9, 0.8, 0.7, 0.6]]), np.array([[False, True, False, True]]))
    array([0.5])
    """
    parts = [
        _average_precision(k, scores[start : start + _ROWS], relevant[start : start + _ROWS])
        for start in range(0, len(scores), _ROWS)
    ]
    return np.concatenate(parts)


def chance_median_rank(relevant: Relevant) -> float:
    """The median of `first_rank` over all queries when every order of the items is equally likely.

    >>> chance_median_rank(np.eye(99, dtype=bool))
    50.0
    """
    right, items = relevant.sum(axis=1), relevant.shape[1]
    unseen = np.ones(len(right))
    for rank in range(1, items + 1):
        unseen = unseen * np.maximum(items - right - (rank - 1), 0) / (items - (rank - 1))
        if 1 - unseen.mean() >= 0.5 - 1e-12:
            return float(rank)
    return float(items)


def top_k(k: int, scores: Scores, truth: Int[np.ndarray, " queries"]) -> PerQuery:
    """Whether the true class is among the k of the highest scores, or the probability of it where ties decide.

    >>> top_k(1, np.array([[0.7, 0.3], [0.5, 0.5]]), np.array([0, 0]))
    array([1. , 0.5])
    """
    return recall_at(k, scores, one_hot(truth, scores.shape[1]))


def confusion(scores: Scores, truth: Int[np.ndarray, " queries"]) -> Float[np.ndarray, "classes classes"]:
    """How many clips of each class (row) were given each class (column); a clip with tied classes is shared among them.

    The diagonal's sum is the number of clips times the top-1 accuracy.

    >>> confusion(np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]]), np.array([0, 1, 1]))
    array([[1., 0.],
           [1., 1.]])
    """
    best = scores == scores.max(axis=1, keepdims=True)
    shares = best / best.sum(axis=1, keepdims=True)
    return np.asarray(one_hot(truth, scores.shape[1]).T.astype(np.float64) @ shares)


def class_recall(matrix: Float[np.ndarray, "classes classes"]) -> PerClass:
    """Per-class accuracy from a confusion matrix: the share of a class's clips that were given it; NaN without clips.

    >>> class_recall(np.array([[1.0, 0.0], [1.0, 1.0]]))
    array([1. , 0.5])
    """
    totals = matrix.sum(axis=1)
    return np.asarray(np.divide(np.diag(matrix), totals, out=np.full(len(totals), np.nan), where=totals > 0))


def class_average_precision(
    scores: Scores, relevant: Relevant, weights: Float[np.ndarray, "draws queries"] | None = None
) -> Float[np.ndarray, "draws classes"]:
    """Average precision of each class (column) over all clips (rows): the area under its precision-recall steps.

    Clips with equal scores enter together, as one step, so constant scores get the share of the class's clips: chance.
    NaN for a class without clips.

    Args:
        scores: of each clip for each class.
        relevant: which clips have which class.
        weights: how often each clip counts, in each of several draws (for the bootstrap); once by default.

    >>> class_average_precision(np.array([[0.9], [0.8], [0.7]]), np.array([[True], [False], [True]])).round(3)
    array([[0.833]])
    """
    if weights is None:
        weights = np.ones((1, len(scores)))
    columns = [_weighted_precision(scores[:, c], relevant[:, c], weights) for c in range(scores.shape[1])]
    return np.stack(columns, axis=1)


def one_hot(truth: Int[np.ndarray, " queries"], classes: int) -> Relevant:
    """A boolean row a query, true at its class.

    >>> one_hot(np.array([1]), 3)
    array([[False,  True, False]])
    """
    return np.asarray(np.arange(classes) == np.asarray(truth)[:, None])


def _at_best(scores: Scores, relevant: Relevant) -> tuple[PerQuery, PerQuery, PerQuery]:
    """Around a query's best relevant item: how many items score higher, and how many wrong and right ones the same."""
    best = np.where(relevant, scores, -np.inf).max(axis=1, keepdims=True)
    same = scores == best
    return (scores > best).sum(axis=1), (same & ~relevant).sum(axis=1), (same & relevant).sum(axis=1)


def _average_precision(k: int, scores: Scores, relevant: Relevant) -> PerQuery:
    rows, items = scores.shape
    k = min(k, items)
    top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    top = np.take_along_axis(top, np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1), axis=1)
    ranked = np.take_along_axis(scores, top, axis=1)
    found = np.cumsum(np.take_along_axis(relevant, top, axis=1), axis=1)
    places = np.broadcast_to(np.arange(k), (rows, k))
    opens = np.ones((rows, k), dtype=bool)  # a place whose score differs from the one before opens a tied block
    opens[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    closes = np.roll(opens, -1, axis=1)
    closes[:, -1] = True
    first = np.maximum.accumulate(np.where(opens, places, 0), axis=1)
    last = np.minimum.accumulate(np.where(closes, places, k)[:, ::-1], axis=1)[:, ::-1]
    before = np.where(first > 0, np.take_along_axis(found, np.maximum(first - 1, 0), axis=1), 0)
    right = np.take_along_axis(found, last, axis=1) - before
    size = last - first + 1
    # The last block may reach past the first k: which of its items are among them is chance, so all of it counts.
    cut = scores == ranked[:, -1:]
    at_cut = ranked == ranked[:, -1:]
    size = np.where(at_cut, cut.sum(axis=1, keepdims=True), size)
    right = np.where(at_cut, (cut & relevant).sum(axis=1, keepdims=True), right)
    # At a place within a block: how likely the item is relevant, and, if it is, how many relevant ones precede it.
    likely = right / size
    preceding = before + (places - first) * (right - 1) / np.maximum(size - 1, 1)
    gained = likely * (preceding + 1) / (places + 1)
    return np.asarray(gained.sum(axis=1) / np.minimum(relevant.sum(axis=1), k))


def _weighted_precision(
    scores: PerQuery, relevant: Bool[np.ndarray, " queries"], weights: Float[np.ndarray, "draws queries"]
) -> Float[np.ndarray, " draws"]:
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    taken = weights[:, order]
    seen = np.cumsum(taken, axis=1)
    right = np.cumsum(taken * relevant[order], axis=1)
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)  # tied clips are one step
    seen, right = seen[:, ends], right[:, ends]
    gained = np.diff(right, axis=1, prepend=0)
    precision = np.divide(right, seen, out=np.zeros_like(right), where=seen > 0)
    total = right[:, -1]
    area = (gained * precision).sum(axis=1)
    return np.asarray(np.divide(area, total, out=np.full(len(total), np.nan), where=total > 0))
