"""Metrics against brute force over every order of ties, and against scikit-learn."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, confusion_matrix, recall_score, top_k_accuracy_score

from openclap.evaluation import intervals, metrics, retrieval


@pytest.mark.parametrize("module", [metrics, intervals, retrieval])
def test_the_worked_examples_in_the_docstrings_are_right(module: object) -> None:
    failed, tried = doctest.testmod(module)  # type: ignore[arg-type]
    assert failed == 0
    assert tried > 0


def over_all_orders(score: Callable[[list[bool]], float], scores: np.ndarray, relevant: np.ndarray) -> float:
    """The mean of a metric of a strict ranking over all orders that agree with the scores: what a tie is worth."""
    found = [
        score([bool(relevant[i]) for i in order])
        for order in permutations(range(len(scores)))
        if all(scores[a] >= scores[b] for a, b in zip(order, order[1:], strict=False))  # noqa: RUF007
    ]
    return float(np.mean(found))


def ranked_recall(k: int) -> Callable[[list[bool]], float]:
    return lambda hits: float(any(hits[:k]))


def ranked_first(hits: list[bool]) -> float:
    return hits.index(True) + 1


def ranked_precision(k: int) -> Callable[[list[bool]], float]:
    def score(hits: list[bool]) -> float:
        precisions = [sum(hits[: i + 1]) / (i + 1) for i in range(min(k, len(hits))) if hits[i]]
        return sum(precisions) / min(k, sum(hits))

    return score


tied_scores = arrays(np.float64, 6, elements=st.sampled_from([0.0, 0.25, 0.5]))
relevance = arrays(np.bool_, 6).filter(lambda row: bool(row.any()))


@settings(max_examples=40, deadline=None)
@given(scores=tied_scores, relevant=relevance, k=st.integers(1, 6))
def test_ties_count_by_their_mean_over_all_orders(scores: np.ndarray, relevant: np.ndarray, k: int) -> None:
    row, truth = scores[None], relevant[None]
    assert metrics.recall_at(k, row, truth)[0] == pytest.approx(over_all_orders(ranked_recall(k), scores, relevant))
    assert metrics.first_rank(row, truth)[0] == pytest.approx(over_all_orders(ranked_first, scores, relevant))
    precision = metrics.average_precision_at(k, row, truth)[0]
    assert precision == pytest.approx(over_all_orders(ranked_precision(k), scores, relevant))


def test_without_ties_the_metrics_are_those_of_the_sorted_list() -> None:
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((300, 40))  # more rows than are worked on at once
    relevant = rng.random((300, 40)) < 0.1
    relevant[:, 3] = True
    hits = [list(relevant[row][np.argsort(-scores[row])]) for row in range(300)]
    for k in (1, 5, 10, 40):
        assert metrics.recall_at(k, scores, relevant) == pytest.approx([ranked_recall(k)(row) for row in hits])
        expected = [ranked_precision(k)(row) for row in hits]
        assert metrics.average_precision_at(k, scores, relevant) == pytest.approx(expected)
    assert metrics.first_rank(scores, relevant) == pytest.approx([ranked_first(row) for row in hits])


def test_average_precision_of_a_whole_ranking_is_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    scores = rng.standard_normal((20, 30))
    relevant = rng.random((20, 30)) < 0.3
    relevant[:, 0] = True
    expected = [average_precision_score(relevant[row], scores[row]) for row in range(20)]
    assert metrics.average_precision_at(30, scores, relevant) == pytest.approx(expected)


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 0, 3, 1]])
def test_five_captions_on_the_first_five_ranks_are_perfect_in_whatever_order_they_are_listed(order: list[int]) -> None:
    # Dividing the place in the list by the unsorted rank, as one public evaluation does, gives [4, 3, 2, 1, 0] 1.74.
    scores = np.zeros((1, 20))
    scores[0, :5] = -np.array(order) + 10.0
    relevant = np.arange(20)[None] < 5
    assert metrics.average_precision_at(10, scores, relevant)[0] == pytest.approx(1.0)
    unsorted = np.mean([(place + 1) / (rank + 1) for place, rank in enumerate(order)])
    assert (unsorted == pytest.approx(1.0)) == (order == sorted(order))


def test_constant_scores_get_chance_exactly() -> None:
    queries, items, right = 7, 50, 5
    relevant = np.zeros((queries, items), dtype=bool)
    relevant[:, 10 : 10 + right] = True
    flat = np.full((queries, items), 0.3)
    miss = np.prod([(items - right - i) / (items - i) for i in range(10)])
    assert metrics.recall_at(10, flat, relevant) == pytest.approx(1 - miss)
    assert metrics.recall_at(1, flat, relevant) == pytest.approx(right / items)
    assert metrics.first_rank(flat, relevant) == pytest.approx((items + 1) / (right + 1))


def test_chance_is_what_random_scores_get_on_average() -> None:
    rng = np.random.default_rng(2)
    relevant = rng.random((4000, 30)) < 0.1
    relevant[:, 0] = True
    scores = rng.standard_normal(relevant.shape)
    flat = np.zeros(relevant.shape)
    for k in (1, 5, 10):  # 4000 queries: a standard error below 0.008
        for metric in (metrics.recall_at, metrics.average_precision_at):
            assert metric(k, scores, relevant).mean() == pytest.approx(metric(k, flat, relevant).mean(), abs=0.025)
    drawn = np.median(metrics.first_rank(scores, relevant))
    assert metrics.chance_median_rank(relevant) == pytest.approx(drawn, abs=1)


@pytest.mark.parametrize(("items", "expected"), [(1, 1), (2, 1), (3, 2), (100, 50), (101, 51)])
def test_the_chance_median_rank_of_one_right_item_is_the_middle(items: int, expected: float) -> None:
    assert metrics.chance_median_rank(np.eye(items, dtype=bool)) == expected


def test_classification_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    scores, truth = rng.standard_normal((200, 7)), rng.integers(0, 7, 200)
    said = scores.argmax(axis=1)
    matrix = metrics.confusion(scores, truth)
    assert np.array_equal(matrix, confusion_matrix(truth, said))
    assert metrics.class_recall(matrix) == pytest.approx(recall_score(truth, said, average=None))
    for k in (1, 3, 5):
        assert metrics.top_k(k, scores, truth).mean() == pytest.approx(top_k_accuracy_score(truth, scores, k=k))


def test_confusion_counts_agree_with_top_1_even_where_classes_tie() -> None:
    scores = np.array([[0.5, 0.5, 0.1], [0.2, 0.2, 0.2], [0.1, 0.9, 0.0]])
    truth = np.array([0, 2, 1])
    matrix = metrics.confusion(scores, truth)
    assert np.trace(matrix) == pytest.approx(metrics.top_k(1, scores, truth).sum())
    assert matrix.sum(axis=1) == pytest.approx([1, 1, 1])


def test_a_class_without_clips_has_no_accuracy() -> None:
    found = metrics.class_recall(metrics.confusion(np.array([[1.0, 0.0]]), np.array([0])))
    assert found[0] == 1
    assert np.isnan(found[1])


@pytest.mark.parametrize("decimals", [1, 8])
def test_class_average_precision_agrees_with_scikit_learn_also_with_ties_and_weights(decimals: int) -> None:
    rng = np.random.default_rng(4)
    scores, relevant = rng.standard_normal((150, 5)).round(decimals), rng.random((150, 5)) < 0.2
    weights = rng.integers(0, 3, (3, 150)).astype(np.float64)
    plain = [average_precision_score(relevant[:, c], scores[:, c]) for c in range(5)]
    assert metrics.class_average_precision(scores, relevant)[0] == pytest.approx(plain)
    weighted = [
        [average_precision_score(relevant[:, c], scores[:, c], sample_weight=row) for c in range(5)] for row in weights
    ]
    assert metrics.class_average_precision(scores, relevant, weights) == pytest.approx(np.array(weighted))


def test_constant_scores_have_the_average_precision_of_the_class_share() -> None:
    relevant = np.array([[True], [False], [False], [True], [False]])
    assert metrics.class_average_precision(np.zeros((5, 1)), relevant)[0, 0] == pytest.approx(2 / 5)
