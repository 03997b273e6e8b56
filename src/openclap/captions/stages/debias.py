"""De-biasing as a stage: captions in which persons stand for women and men, in place of those that said which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from openclap.captions.debias.rewrite import Rule, debias, gendered_words
from openclap.captions.stage import Estimate, Made, stages
from openclap.captions.texts import texts_in_use
from openclap.config import Config
from openclap.data.example import Example, MadeCaption

_VERSION = 1  # raise it when a change of the rules makes other captions


class DebiasConfig(Config):
    """Settings of the stage.

    Attributes:
        rule: "full" for all words that say a sex and what agrees with them, "laion" for "man" and "woman" alone.
    """

    rule: Rule = "full"


class DebiasStage:
    """Replaces each caption, written or made, that says a sex; the others get nothing.

    The details of a caption have `of_maker`, the stage that made what it replaces (None for people), and `counts`:
    the words that say a sex, `before` and `after`. Names, animals and quotations are left alone, and counted.
    """

    name = "debias"
    batch_size = 256
    concurrency = 1

    def __init__(self, config: DebiasConfig) -> None:
        self._config = config

    @property
    def identity(self) -> dict[str, Any]:
        """The options, and the version of the rules."""
        return {"version": _VERSION, **self._config.plain()}

    def estimate(self, examples: Sequence[Example]) -> Estimate:
        """Clips of which a caption says a sex."""
        return Estimate(clips=sum(any(map(gendered_words, texts_in_use(example))) for example in examples))

    def make(self, examples: Sequence[Example]) -> list[Made]:
        """One caption in place of each that says a sex."""
        return [Made(tuple(self._captions(example))) for example in examples]

    def _captions(self, example: Example) -> list[MadeCaption]:
        captions = []
        for text, maker in texts_in_use(example).items():
            made = debias(text, self._config.rule).text
            if made != text:
                counts = {"before": dict(gendered_words(text)), "after": dict(gendered_words(made))}
                details = {"of_maker": maker, "counts": counts}
                captions.append(MadeCaption(made, self.name, of=(text,), replaces=True, details=details))
        return captions


@stages.register("debias")
def build_debias(**options: Any) -> DebiasStage:
    """Women, men and kin become persons; options are those of `DebiasConfig`."""
    return DebiasStage(DebiasConfig.read(options, origin="caption stage 'debias'"))
