"""Negative captions as a stage: nearly true of a clip, and false in its order, attributes, counts or doers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from openclap.captions.negatives.make import negatives
from openclap.captions.stage import Estimate, Made, stages
from openclap.captions.texts import texts_in_use
from openclap.config import Config
from openclap.data.example import Example, NegativeCaption

_VERSION = 1  # raise it when a change of the rules makes other captions


class NegativesConfig(Config):
    """Settings of the stage.

    Attributes:
        kinds: what is twisted; `openclap.captions.negatives.make.KINDS` says what each of them is.
        most: no more than so many negatives of one caption.
        seed: of the choice among more.
    """

    kinds: tuple[Literal["order", "overlap", "attribute", "count", "binding"], ...] = Field(
        default=("order", "overlap", "attribute", "count", "binding"), min_length=1
    )
    most: int = Field(default=3, ge=1)
    seed: int = Field(default=0, ge=0)


class NegativesStage:
    """Twists each caption in use by rules; one that has no order, attribute, number or doers to twist gets nothing."""

    name = "negatives"
    batch_size = 256
    concurrency = 1

    def __init__(self, config: NegativesConfig) -> None:
        self._config = config

    @property
    def identity(self) -> dict[str, Any]:
        """The options, and the version of the rules."""
        return {"version": _VERSION, **self._config.plain()}

    def estimate(self, examples: Sequence[Example]) -> Estimate:
        """Clips that have captions: whether one can be twisted is found by doing it."""
        return Estimate(clips=sum(bool(texts_in_use(example)) for example in examples))

    def make(self, examples: Sequence[Example]) -> list[Made]:
        """The negatives of each clip's captions."""
        return [Made(negatives=tuple(self._negatives(example))) for example in examples]

    def _negatives(self, example: Example) -> list[NegativeCaption]:
        texts = tuple(texts_in_use(example))
        # A caption that another one replaces is still true of the clip.
        true = (*texts, *example.replaced)
        made: dict[str, NegativeCaption] = {}
        for text in texts:
            others = [other for other in true if other != text]
            for wrong, kind in negatives(
                text, others, kinds=self._config.kinds, most=self._config.most, seed=self._config.seed
            ):
                made.setdefault(wrong, NegativeCaption(wrong, kind, of=text, maker=self.name))
        return list(made.values())


@stages.register("negatives")
def build_negatives(**options: Any) -> NegativesStage:
    """Captions that nearly fit and do not; options are those of `NegativesConfig`."""
    return NegativesStage(NegativesConfig.read(options, origin="caption stage 'negatives'"))
