"""Captions made of labels by template, as the published systems made theirs.

LAION-CLAP (Wu et al., 2023, arXiv 2211.06687, section 3.3) captions clips that have only labels "The sound of a, b, …,
and c"; its zero-shot prompt and MS-CLAP's are sentences of the same kind. Grammatical phrases are our own addition.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from openclap.captions.phrases import joined, phrase, readings
from openclap.captions.stage import Estimate, Made, stages
from openclap.config import Config
from openclap.data.example import Example, MadeCaption
from openclap.text.prompts import PROMPTS, fill, listed


class TemplateConfig(Config):
    """What the template stage makes.

    Attributes:
        prompts: names of prompt sets ("laion-labels", "laion", "msclap", …: `openclap.text.prompts.PROMPTS`), or texts
            with {label} in them, which stands for all the clip's labels as a list.
        captions: how many of the prompts are drawn for each clip.
        grammar: whether labels become phrases ("Dog bark" becomes "a dog bark"); without, they stand as they are
            written, which is what was published.
        synonyms: of a label that gives synonyms ("Vehicle horn, car horn, honking"), "first" or "drawn". As they
            are written, labels have all of them.
        oxford: put a comma before the last "and".
        seed: what the draws start from; each clip's are its own, by its id.
    """

    prompts: str | tuple[str, ...] = "laion-labels"
    captions: int = Field(default=1, ge=1)
    grammar: bool = True
    synonyms: Literal["first", "drawn"] = "first"
    oxford: bool = True
    seed: int = 0


class TemplateStage:
    """Captions such as "The sound of rain, wind, and a dog bark" for clips that have labels."""

    name = "template"
    batch_size = 256
    concurrency = 1

    def __init__(self, config: TemplateConfig) -> None:
        names = [config.prompts] if isinstance(config.prompts, str) else config.prompts
        sets = [PROMPTS.get(name, (name,)) for name in names]
        self._prompts = tuple(dict.fromkeys(prompt for prompts in sets for prompt in prompts))
        fill(self._prompts, "")  # wrong ones are told now
        self._config = config

    @property
    def identity(self) -> dict[str, Any]:
        """The options, and the version of the rules of grammar."""
        return self._config.plain() | {"prompts": list(self._prompts), "grammar_version": 1}

    def estimate(self, examples: Sequence[Example]) -> Estimate:
        """Clips that have labels."""
        return Estimate(clips=sum(bool(example.labels) for example in examples))

    def make(self, examples: Sequence[Example]) -> list[Made]:
        """Captions for each clip that has labels."""
        return [Made(self._captions(example)) if example.labels else Made() for example in examples]

    def _captions(self, example: Example) -> tuple[MadeCaption, ...]:
        config = self._config
        draw = random.Random(f"{config.seed} {example.id}")  # noqa: S311 - draws prompts, and no secrets
        made = []
        for prompt in draw.sample(self._prompts, min(config.captions, len(self._prompts))):
            labels = listed(self._items(example.labels, draw), oxford=config.oxford)
            text = fill([prompt], labels)[0]
            made.append(MadeCaption(text, self.name, of=example.labels, details={"prompt": prompt}))
        return tuple(made)

    def _items(self, labels: Sequence[str], draw: random.Random) -> list[str]:
        if not self._config.grammar:
            return list(labels)
        words = [readings(label) for label in labels]
        chosen = [draw.choice(several) if self._config.synonyms == "drawn" else several[0] for several in words]
        return joined(phrase(words) for words in dict.fromkeys(chosen))


@stages.register("template")
def build_template(**options: Any) -> TemplateStage:
    """Captions made of labels by the published templates; options are those of `TemplateConfig`."""
    return TemplateStage(TemplateConfig.read(options, origin="caption stage 'template'"))
