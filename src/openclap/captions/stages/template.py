"""Captions made of labels by template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from openclap.captions.stage import Estimate, Made, stages
from openclap.config import Config
from openclap.data.example import Example, MadeCaption
from openclap.text.prompts import label_caption


class TemplateConfig(Config):
    """What the template stage makes."""


class TemplateStage:
    """LAION-CLAP's caption of a labelled clip: "The sound of rain, wind, and a dog"."""

    name = "template"
    batch_size = 256
    concurrency = 1

    def __init__(self, config: TemplateConfig) -> None:
        self._config = config

    @property
    def identity(self) -> dict[str, Any]:
        """The options."""
        return self._config.plain()

    def estimate(self, examples: Sequence[Example]) -> Estimate:
        """Clips that have labels."""
        return Estimate(clips=sum(bool(example.labels) for example in examples))

    def make(self, examples: Sequence[Example]) -> list[Made]:
        """One caption for each clip that has labels."""
        return [
            Made((MadeCaption(label_caption(example.labels), self.name, of=example.labels),))
            if example.labels
            else Made()
            for example in examples
        ]


@stages.register("template")
def build_template(**options: Any) -> TemplateStage:
    """Captions made of labels by the published templates; options are those of `TemplateConfig`."""
    return TemplateStage(TemplateConfig.read(options, origin="caption stage 'template'"))
