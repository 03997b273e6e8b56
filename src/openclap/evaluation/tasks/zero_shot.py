"""The task "zero-shot": name the class of a clip from the texts of the classes alone."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import field_validator

from openclap.data.example import Example
from openclap.data.manifest import Manifest
from openclap.errors import EvaluationError
from openclap.evaluation.encode import Encoder, similarity
from openclap.evaluation.task import EvalTask, Outcome, TaskConfig, tasks
from openclap.evaluation.zero_shot import class_embeddings, details, score_multi_label, score_single_label
from openclap.text.prompts import fill

PROTOCOL = (
    "Each class is the normalised mean of the embeddings of its prompts; a clip's score for a class is their cosine "
    "similarity, to six decimals. Single-label: top-1, top-5 and the mean of the classes' accuracies, ties shared; "
    "chance is 1 (or 5) in the number of classes. Multi-label: average precision of each class over all clips, and "
    "their mean; chance is the mean share of clips that a class has. Intervals: 95 % bootstrap over clips."
)


class ZeroShotConfig(TaskConfig):
    """Settings of the task.

    Attributes:
        prompts: a set's name in `openclap.text.prompts.PROMPTS`, or texts with `{label}` in them; several are averaged.
        label_field: what holds the truth: "labels", or another column of the manifest.
        classes: the classes to choose from; empty for all that the clips have.
        mode: whether a clip has one class or may have several; "auto" looks.
        examples: how many clips to list with their best classes.
    """

    prompts: str | tuple[str, ...] = "laion"
    label_field: str = "labels"
    classes: tuple[str, ...] = ()
    mode: Literal["auto", "single-label", "multi-label"] = "auto"
    examples: int = 12

    @field_validator("classes")
    @classmethod
    def _each_once(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in classes if classes.count(name) > 1})
        if twice:
            raise ValueError(f"give each class once; {', '.join(twice)} came more often")
        return classes


def run(encoder: Encoder, manifest: Manifest, config: ZeroShotConfig) -> Outcome:
    """Scores, the result of each class, the confusion matrix of single-label clips, and examples.

    Raises:
        EvaluationError: if there are no labelled clips, fewer than two classes, or several labels in single-label mode.
    """
    clips, classes, relevant, single = _questions(manifest, config)
    scores = similarity(encoder.audio(clips), class_embeddings(encoder.text, classes, config.prompts))
    if single:
        found = score_single_label(scores, relevant.argmax(axis=1), config.seed)
    else:
        found = score_multi_label(scores, relevant, config.seed)
    listed = _examples(clips, scores, relevant, classes, config.examples)
    return Outcome(found, len(clips), details(scores, relevant, classes) | {"examples": listed})


def _questions(manifest: Manifest, config: ZeroShotConfig) -> tuple[list[Example], list[str], np.ndarray, bool]:
    """The labelled clips, the classes, which of them are right (clips × classes), and whether always exactly one is."""
    clips, truths = _labelled(manifest, config)
    classes = list(config.classes) or sorted({label for labels in truths for label in labels})
    if len(clips) < 2 or len(classes) < 2:
        raise EvaluationError(
            f"task zero-shot: {manifest.path} gives {len(clips)} clips of {len(classes)} classes from its column "
            f"{config.label_field!r}, but at least two of each are needed"
        )
    fill(config.prompts, classes[0])  # wrong prompts are better known now than after the sounds
    relevant = np.array([[label in labels for label in classes] for labels in truths])
    return clips, classes, relevant, _is_single(relevant, [example.id for example in clips], config)


def _labelled(manifest: Manifest, config: ZeroShotConfig) -> tuple[list[Example], list[tuple[str, ...]]]:
    """The clips that have a label (among the given classes), and their labels."""
    clips, truths = [], []
    for example in manifest:
        labels = _labels(example, config.label_field)
        if config.classes:
            labels = tuple(label for label in labels if label in config.classes)
        if labels:
            clips.append(example)
            truths.append(labels)
    return clips, truths


def _labels(example: Example, field: str) -> tuple[str, ...]:
    value = example.labels if field == "labels" else example.extra.get(field, getattr(example, field, None))
    if value is None or value == "":
        return ()
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else (str(value),)


def _is_single(relevant: np.ndarray, ids: list[str], config: ZeroShotConfig) -> bool:
    several = relevant.sum(axis=1) > 1
    if config.mode == "single-label" and several.any():
        raise EvaluationError(
            f"task zero-shot: mode is single-label, but {int(several.sum())} clips have several labels, the first of "
            f"them {ids[int(several.argmax())]}: set mode=multi-label, or filter them out"
        )
    return config.mode == "single-label" or (config.mode == "auto" and not several.any())


def _examples(
    clips: list[Example], scores: np.ndarray, relevant: np.ndarray, classes: list[str], keep: int
) -> list[dict[str, Any]]:
    chosen = np.unique(np.linspace(0, len(clips) - 1, min(keep, len(clips))).round().astype(int))
    return [
        {
            "id": clips[row].id,
            "labels": [classes[i] for i in np.flatnonzero(relevant[row])],
            "best": [
                {"label": classes[i], "score": float(scores[row, i])}
                for i in np.argsort(-scores[row], kind="stable")[:3]
            ],
        }
        for row in chosen
    ]


tasks.add("zero-shot", EvalTask("zero-shot", 1, PROTOCOL, ZeroShotConfig, run, _questions, needs_text=True))
