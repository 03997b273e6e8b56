"""Richer captions by a language model, out of a clip's own captions and what a tagger heard in it.

FLAP (Yeh et al., 2023, arXiv 2311.01615) has a language model join a caption with detected events. Its
prompt is not published; ours, the gates, and the choice of tagger and model are our own.
"""

from __future__ import annotations

from typing import Any

from openclap.captions.llm.config import WritingConfig
from openclap.captions.llm.evidence import Event
from openclap.captions.llm.writer import Task, WritingStage, peoples_captions
from openclap.captions.stage import stages
from openclap.data.example import Example


class LlmConfig(WritingConfig):
    """What the `llm` stage writes.

    Attributes:
        needs_events: leave clips alone of which no events are known.
    """

    prompt: str = "enrich-1"
    needs_events: bool = False


@stages.register("llm")
def build_llm(**options: Any) -> WritingStage:
    """Richer captions by a language model, of captions, labels and detected events; options: `LlmConfig`."""
    config = LlmConfig.from_options(options, origin="caption stage 'llm'")

    def tasks(example: Example, events: tuple[Event, ...]) -> list[Task]:
        task = Task(peoples_captions(example), example.labels, events)
        return [task] if events or (task.of and not config.needs_events) else []

    return WritingStage("llm", config, tasks)
