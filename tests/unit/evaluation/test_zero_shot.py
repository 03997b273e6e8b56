"""Zero-shot scores from class embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score

from openclap.evaluation.zero_shot import class_embeddings, details, score_multi_label, score_single_label


def embed(texts: Sequence[str]) -> np.ndarray:
    vectors = np.array([[len(text), text.count("o"), 1.0] for text in texts])
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def test_an_ensemble_is_the_normalised_mean_of_its_prompts() -> None:
    found = class_embeddings(embed, ["dog", "cat"], ("{label}", "sound of {label}"))
    mean = (embed(["dog"]) + embed(["sound of dog"]))[0]
    assert found.shape == (2, 3)
    assert found[0] == pytest.approx(mean / np.linalg.norm(mean))


def test_one_prompt_is_its_own_ensemble() -> None:
    assert class_embeddings(embed, ["dog"], "plain") == pytest.approx(embed(["dog"]))


def test_single_label_scores_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 8, 150)
    scores = rng.standard_normal((150, 8)) + 1.5 * np.eye(8)[truth]
    found = score_single_label(scores, truth)
    assert found["top1"].value == pytest.approx((scores.argmax(axis=1) == truth).mean())
    assert found["class_accuracy"].value == pytest.approx(balanced_accuracy_score(truth, scores.argmax(axis=1)))
    assert (found["top1"].chance, found["top5"].chance) == (1 / 8, 5 / 8)
    for score in found.values():
        assert score.low < score.value < score.high
        assert score.beats_chance


def test_top_5_of_five_classes_is_not_reported() -> None:
    assert "top5" not in score_single_label(np.eye(5), np.arange(5))


def test_constant_scores_get_chance() -> None:
    truth = np.array([0, 0, 0, 1, 2])
    found = score_single_label(np.zeros((5, 3)), truth)
    assert found["top1"].value == pytest.approx(found["top1"].chance)
    assert found["class_accuracy"].value == pytest.approx(found["class_accuracy"].chance)
    relevant = np.array([[True, False], [True, True], [False, True], [False, True]])
    multi = score_multi_label(np.zeros((4, 2)), relevant)["map"]
    assert multi.value == pytest.approx(multi.chance)


def test_multi_label_map_is_the_mean_over_classes_that_have_clips() -> None:
    rng = np.random.default_rng(1)
    relevant = rng.random((80, 4)) < 0.3
    relevant[:, 3] = False
    scores = rng.standard_normal((80, 4)) + relevant
    expected = np.mean([average_precision_score(relevant[:, c], scores[:, c]) for c in range(3)])
    found = score_multi_label(scores, relevant)["map"]
    assert found.value == pytest.approx(expected)
    assert found.n == 3
    assert found.low < found.value < found.high


def test_details_list_every_class() -> None:
    scores, truth = np.array([[0.9, 0.1, 0.0], [0.6, 0.4, 0.0]]), np.eye(3, dtype=bool)[[0, 1]]
    found = details(scores, truth, ["dog", "rain", "bell"])
    assert found["confusion"] == [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert found["per_class"] == [1.0, 0.0, None]
    assert found["clips"] == [1, 1, 0]
