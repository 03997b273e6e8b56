"""Captions and labels rewritten by a language model to say what the sources sound like.

The idea is ReCLAP's (Ghosh et al., 2024, arXiv 2409.09213): training on captions that describe each event's
acoustic features, mixed with the originals (how often which is drawn is the caption policy's). Prompt and gates are our
own.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from openclap.captions.llm.config import GateConfig, WritingConfig
from openclap.captions.llm.evidence import Event
from openclap.captions.llm.writer import Task, WritingStage, peoples_captions
from openclap.captions.stage import stages
from openclap.data.example import Example


class RewriteGateConfig(GateConfig):
    """Gates for rewrites, which must say how things sound."""

    manner: bool = True


class ParaphraseConfig(WritingConfig):
    """What the `paraphrase` stage writes.

    Attributes:
        most_captions: so many of a clip's captions, the first, are rewritten, each by itself.
        labels: whether the labels of a clip without a caption are rewritten.
    """

    prompt: str = "rewrite-1"
    most_captions: int = Field(default=5, ge=1)
    labels: bool = True
    gates: GateConfig = RewriteGateConfig()


@stages.register("paraphrase")
def build_paraphrase(**options: Any) -> WritingStage:
    """Captions and labels rewritten by a language model to describe what is heard; options: `ParaphraseConfig`."""
    config = ParaphraseConfig.from_options(options, origin="caption stage 'paraphrase'")

    def tasks(example: Example, events: tuple[Event, ...]) -> list[Task]:
        if captions := peoples_captions(example):
            return [Task((caption,), events=events) for caption in captions[: config.most_captions]]
        return [Task(labels=example.labels, events=events)] if example.labels and config.labels else []

    return WritingStage("paraphrase", config, tasks)
