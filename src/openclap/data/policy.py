"""Which text a clip is trained with in this epoch, and which texts it is evaluated against.

People's captions, the caption made of labels and captions made by each stage of `openclap.captions` are *sources*:
"original", "labels", and the makers' names. Training draws from them; evaluation uses what people wrote alone.
Mixing originals with rewrites is ReCLAP's (arXiv 2409.09213); any number of sources is our own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field, model_validator

from openclap.config import Config
from openclap.data.example import Example
from openclap.errors import DataError
from openclap.text.prompts import label_caption
from openclap.text.titles import clean_title

ORIGINAL, LABELS = "original", "labels"


class CaptionPolicyConfig(Config):
    """How a clip's captions and labels become its text.

    Attributes:
        p_labels: for a clip that has both, how often the caption made of its labels is taken instead of its captions.
        clean_titles: turn titles that are file names into words ("Big_dog_bark_01.aiff": "Big dog bark").
        weights: how often each source is drawn: "original" for what people wrote, "labels" for the caption made of the
            labels, and the stages that made captions ("k2c", "llm", …), as in {"original": 0.4, "paraphrase": 0.6}. Of
            those that a clip has, one is drawn by weight, then one of its captions evenly. Empty takes what people
            wrote, where they wrote nothing what was made, and the labels where there is nothing else or by `p_labels`.
        negatives: at most so many of a clip's negative captions are contrasted with it in a step.
    """

    p_labels: float = Field(default=0.0, ge=0.0, le=1.0)
    clean_titles: bool = False
    weights: dict[str, float] = Field(default_factory=dict)
    negatives: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> CaptionPolicyConfig:
        if self.weights and self.p_labels:
            raise ValueError(
                f"p_labels is {self.p_labels:g}, but with weights it is weights.labels that says how often labels are "
                "taken: set p_labels to 0"
            )
        if any(weight < 0 for weight in self.weights.values()) or (self.weights and not any(self.weights.values())):
            raise ValueError(f"weights must not be negative, and one must be above 0, but got {self.weights}")
        return self


def choose_caption(example: Example, config: CaptionPolicyConfig, generator: torch.Generator | None) -> str:
    """One text for the clip: drawn with `generator`, or without one always the first of `all_captions`.

    Raises:
        DataError: if the clip has no text, or none of those that `config.weights` names.
    """
    if generator is None:
        return all_captions(example, config)[0]
    # Both draws are always made, so that p_labels does not shift which caption the next draw takes.
    share = float(torch.rand((), generator=generator))
    captions = _by_weight(example, config, share) if config.weights else _in_use(example, config)
    index = int(torch.randint(len(captions), (), generator=generator))
    from_labels = share < config.p_labels and example.labels
    return label_caption(example.labels) if from_labels else captions[index]


def choose_negatives(
    example: Example, caption: str, config: CaptionPolicyConfig, generator: torch.Generator
) -> tuple[str, ...]:
    """At most `config.negatives` captions that do not fit the clip: twists of `caption`, or of others if it has none.

    What is equal to any caption of the clip, in use or not, is never among them.
    """
    true = {text_key(text) for text in _all_texts(example)}
    wrong = [negative for negative in example.negatives if text_key(negative.text) not in true]
    of_this = [each for each in wrong if caption in (each.of, *_written((each.of,), config))]
    texts = list(dict.fromkeys(negative.text for negative in of_this or wrong))
    drawn: list[int] = torch.randperm(len(texts), generator=generator)[: config.negatives].tolist()
    return tuple(texts[place] for place in drawn)


def all_captions(example: Example, config: CaptionPolicyConfig | None = None) -> tuple[str, ...]:
    """Every text to evaluate the clip with: what people wrote, and without that one caption of its labels.

    Captions that were made are not asked for: a score would say how well the model knows their maker.

    Raises:
        DataError: if the clip has neither captions nor labels.
    """
    if example.captions:
        return _written(example.captions, config or CaptionPolicyConfig())
    if example.labels:
        return (label_caption(example.labels),)
    raise DataError(f"clip {example.id} has neither a caption nor a label")


def training_texts(example: Example, config: CaptionPolicyConfig | None = None) -> tuple[str, ...]:
    """The texts of a clip that training may read, for a tokenizer to learn from.

    Without weights the caption of the labels is among them only where there is no other. With weights there may be
    none, which `check_captions` refuses for all clips at once.

    Raises:
        DataError: if the clip has no text at all.
    """
    config = config or CaptionPolicyConfig()
    if not config.weights:
        texts = _in_use(example, config)
    else:
        texts = tuple(text for source in _weighted(example, config).values() for text in source)
    negatives = (negative.text for negative in example.negatives) if config.negatives else ()
    return (*texts, *negatives)


def caption_sources(example: Example, config: CaptionPolicyConfig) -> dict[str, tuple[str, ...]]:
    """Source -> the clip's captions of it that are in use.

    A caption that stands for another takes its place in that one's source, unless its maker has a weight of its own.
    Either way the other is not used any more.
    """
    replaced = example.replaced
    found: dict[str, list[str]] = {}
    if kept := [text for text in example.captions if text not in replaced]:
        found[ORIGINAL] = list(_written(kept, config))
    source_of = dict.fromkeys(example.captions, ORIGINAL)
    for made in example.made:
        source = made.maker
        if made.replaces and source not in config.weights:
            source = next((source_of[text] for text in made.of if text in source_of), source)
        source_of.setdefault(made.text, source)
        if made.text not in replaced:
            found.setdefault(source, []).append(made.text)
    if example.labels:
        found.setdefault(LABELS, []).append(label_caption(example.labels))
    return {source: tuple(texts) for source, texts in found.items()}


def check_captions(examples: Sequence[Example], config: CaptionPolicyConfig) -> None:
    """Make sure that `config` finds a text for every clip, and all that it names somewhere.

    Raises:
        DataError: if a weight names a source that no clip has, a clip has none of the named ones, or negatives are
            asked for and there are none.
    """
    if config.negatives and not any(example.negatives for example in examples):
        raise DataError(
            f"captions.negatives is {config.negatives}, but no clip has a negative caption: "
            "make some with `openclap captions make negatives`, or set it to 0"
        )
    if not config.weights:
        return
    counts: dict[str, int] = {}
    without = []
    for example in examples:
        sources = caption_sources(example, config)
        for source in sources:
            counts[source] = counts.get(source, 0) + 1
        if not any(config.weights.get(source) for source in sources):
            without.append(example.id)
    there = ", ".join(f"{source} ({count} clips)" for source, count in counts.items())
    for source in config.weights:
        if source not in counts:
            raise DataError(f"captions.weights names {source!r}, but no clip has a caption of it; there are {there}")
    if without:
        raise DataError(
            f"{len(without)} of {len(examples)} clips have no caption of the sources in captions.weights "
            f"({', '.join(without[:3])}, …): leave them out with where, or give another source a weight, a tiny one if "
            f"it is for these clips alone; there are {there}"
        )


def text_key(text: str) -> str:
    """What is the same of two texts that count as equal: case and the spaces around them do not matter."""
    return text.casefold().strip()


def _by_weight(example: Example, config: CaptionPolicyConfig, share: float) -> tuple[str, ...]:
    """The captions of the source at this share of the summed weights; their order in the config is of no matter."""
    sources = _weighted(example, config)
    names = sorted(sources)
    rest = share * sum(config.weights[name] for name in names)
    for name in names:
        rest -= config.weights[name]
        if rest < 0:
            return sources[name]
    if names:
        return sources[names[-1]]  # rounding left nothing over
    raise DataError(
        f"clip {example.id} has no caption of the sources in captions.weights ({', '.join(config.weights)}), "
        f"but of {', '.join(caption_sources(example, config)) or 'none'}"
    )


def _weighted(example: Example, config: CaptionPolicyConfig) -> dict[str, tuple[str, ...]]:
    sources = caption_sources(example, config)
    return {source: texts for source, texts in sources.items() if config.weights.get(source)}


def _in_use(example: Example, config: CaptionPolicyConfig) -> tuple[str, ...]:
    """What people wrote, or what stands for it; without that, what was made; without that, the caption of the labels.

    Raises:
        DataError: if the clip has none of these.
    """
    sources = caption_sources(example, config)
    if ORIGINAL in sources:
        return sources[ORIGINAL]
    if made := tuple(text for source, texts in sources.items() if source != LABELS for text in texts):
        return made
    return all_captions(example, config)


def _written(captions: Sequence[str], config: CaptionPolicyConfig) -> tuple[str, ...]:
    if not config.clean_titles:
        return tuple(captions)
    return tuple(dict.fromkeys(clean_title(caption) for caption in captions))


def _all_texts(example: Example) -> list[str]:
    labels = [label_caption(example.labels)] if example.labels else []
    return [*example.captions, *(made.text for made in example.made), *labels]
