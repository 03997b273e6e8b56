"""The task "retrieval": find a clip's caption among all captions, and a caption's clip among all clips."""

from __future__ import annotations

from typing import Literal

from openclap.data.example import Example
from openclap.data.manifest import Manifest
from openclap.data.policy import CaptionPolicyConfig, all_captions
from openclap.errors import EvaluationError
from openclap.evaluation.encode import Encoder, similarity
from openclap.evaluation.retrieval import examples, score_both_ways, text_index
from openclap.evaluation.task import EvalTask, Outcome, TaskConfig, tasks

PROTOCOL = (
    "Cosine similarity of each clip with each distinct caption. A caption that several clips share is right for all of "
    "them. A→T: a clip's best-ranked caption counts for R@k; mAP@10 uses all of its captions. T→A: every distinct "
    "caption is a query. Similarities equal to six decimals are ties and count by their expectation. Chance is a "
    "random order. Intervals: 95 % bootstrap over clips."
)


class RetrievalConfig(TaskConfig):
    """Settings of the task.

    Attributes:
        captions: "written" uses every caption that the manifest gives, "first" only each clip's first; clips without
            one are left out. "any" also takes "The sound of A, B, and C" for clips that have only labels.
        clean_titles: read file names as words ("Big_dog_bark_01.aiff": "Big dog bark"), as training can.
        examples: how many clips to list with the captions that fit them best.
    """

    captions: Literal["written", "first", "any"] = "written"
    clean_titles: bool = False
    examples: int = 12


def run(encoder: Encoder, manifest: Manifest, config: RetrievalConfig) -> Outcome:
    """Scores of both directions, and examples.

    Raises:
        EvaluationError: if fewer than two clips have captions.
    """
    described = _described(manifest, config)
    clips = [example for example, _ in described]
    distinct, relevant = text_index([captions for _, captions in described])
    similarities = similarity(encoder.audio(clips), encoder.text(distinct))
    listed = examples(similarities, relevant, distinct, [example.id for example in clips], config.examples)
    details = {"texts": len(distinct), "examples": listed}
    return Outcome(score_both_ways(similarities, relevant, config.seed), len(clips), details)


def _described(manifest: Manifest, config: RetrievalConfig) -> list[tuple[Example, tuple[str, ...]]]:
    """The clips that have captions, with these."""
    described = [(example, texts) for example in manifest if (texts := _captions(example, config))]
    if len(described) < 2:
        hint = "" if config.captions == "any" else "; captions=any makes captions from labels"
        raise EvaluationError(
            f"task retrieval: {len(described)} of the {len(manifest)} clips of {manifest.path} have a caption, but at "
            f"least two are needed{hint}"
        )
    return described


def _captions(example: Example, config: RetrievalConfig) -> tuple[str, ...]:
    if not example.captions and (config.captions != "any" or not example.labels):
        return ()
    texts = all_captions(example, CaptionPolicyConfig(clean_titles=config.clean_titles))
    return texts[:1] if config.captions == "first" else texts


tasks.add("retrieval", EvalTask("retrieval", 1, PROTOCOL, RetrievalConfig, run, _described, needs_text=True))
