"""Zero-shot classification: classes are texts, and a clip goes to the class whose text fits best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from openclap.evaluation import metrics
from openclap.evaluation.intervals import draw_weights, percentiles, weighted_means
from openclap.evaluation.results import Score
from openclap.text.prompts import fill


def class_embeddings(
    embed_text: Callable[[Sequence[str]], np.ndarray], classes: Sequence[str], prompts: str | Sequence[str]
) -> np.ndarray:
    """One unit vector a class: the mean of the embeddings of its prompts (CLIP's prompt ensemble, Radford et al. 2021).

    Args:
        embed_text: gives a unit vector a text.
        classes: labels.
        prompts: a set's name in `openclap.text.prompts.PROMPTS`, or texts with `{label}` in them.
    """
    filled = [fill(prompts, label) for label in classes]
    vectors = embed_text([text for several in filled for text in several]).reshape(len(classes), len(filled[0]), -1)
    means = vectors.mean(axis=1)
    return np.asarray(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12))


def score_single_label(scores: np.ndarray, truth: np.ndarray, seed: int = 0) -> dict[str, Score]:
    """Top-1, top-5 and mean per-class accuracy, for clips of exactly one class each.

    Chance is uniform guessing: k of the classes. Top-5 is left out where there are five classes or fewer.

    Args:
        scores: (clips, classes).
        truth: each clip's class.
        seed: of the bootstrap.
    """
    classes = scores.shape[1]
    weights = draw_weights(len(truth), seed)
    found = {}
    for k in (1, 5):
        if k == 1 or k < classes:
            values = metrics.top_k(k, scores, truth)
            low, high = percentiles(weighted_means(values, weights))
            found[f"top{k}"] = Score(
                name=f"top-{k} accuracy",
                value=float(values.mean()),
                chance=k / classes,
                low=low,
                high=high,
                n=len(truth),
            )
    found["class_accuracy"] = _class_mean(metrics.top_k(1, scores, truth), truth, classes, weights)
    return found


def score_multi_label(scores: np.ndarray, relevant: np.ndarray, seed: int = 0) -> dict[str, Score]:
    """Macro mAP: the mean over classes of each class's average precision over all clips.

    Chance is the mean share of clips that a class has, which is what constant scores get. Classes without clips are
    left out (in each bootstrap draw, too).

    Args:
        scores: (clips, classes).
        relevant: which clips have which classes.
        seed: of the bootstrap.
    """
    present = relevant.any(axis=0)
    scores, relevant = scores[:, present], relevant[:, present]
    value = metrics.class_average_precision(scores, relevant).mean()
    drawn = metrics.class_average_precision(scores, relevant, draw_weights(len(relevant), seed))
    low, high = percentiles(np.nanmean(drawn, axis=1))
    return {
        "map": Score(
            name="mAP (macro)",
            value=float(value),
            chance=float(relevant.mean()),
            low=low,
            high=high,
            n=int(present.sum()),
        )
    }


def details(scores: np.ndarray, relevant: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Plain values to list: the classes, clips and result of each, and the confusion matrix of single-label clips."""
    listed: dict[str, Any] = {"classes": list(classes), "clips": relevant.sum(axis=0).tolist()}
    if (relevant.sum(axis=1) == 1).all():
        matrix = metrics.confusion(scores, relevant.argmax(axis=1))
        listed["confusion"] = matrix.round(3).tolist()
        per_class = metrics.class_recall(matrix)
    else:
        per_class = metrics.class_average_precision(scores, relevant)[0]
    listed["per_class"] = [None if np.isnan(value) else round(float(value), 6) for value in per_class]
    return listed


def _class_mean(values: np.ndarray, truth: np.ndarray, classes: int, weights: np.ndarray) -> Score:
    """The mean of the accuracies of the classes that have clips: a common class counts no more than a rare one."""
    belongs = metrics.one_hot(truth, classes)
    belongs = belongs[:, belongs.any(axis=0)].astype(np.float64)
    value = float((values @ belongs / belongs.sum(axis=0)).mean())
    totals = weights @ belongs
    drawn = np.divide((weights * values) @ belongs, totals, out=np.full(totals.shape, np.nan), where=totals > 0)
    low, high = percentiles(np.nanmean(drawn, axis=1))
    return Score(
        name="mean class accuracy", value=value, chance=1 / classes, low=low, high=high, n=int(belongs.shape[1])
    )
