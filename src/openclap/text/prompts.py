"""Words around a label: the sentences in which zero-shot classification asks, and the caption of a labelled clip."""

from __future__ import annotations

from collections.abc import Sequence

from openclap.errors import ConfigError, UnknownNameError

#: Prompt sets by name. One prompt is what a project published; an ensemble's embeddings are averaged. The sets
#: `msclap-2022…` are those of MS-CLAP's first paper (arXiv 2206.04769, section 3.3), which has one for all tasks but
#: three: emotions, keywords (of which the bare word is taken) and the number of speakers.
PROMPTS: dict[str, tuple[str, ...]] = {
    "plain": ("{label}",),
    "laion": ("This is a sound of {label}.",),
    "laion-labels": ("The sound of {label}",),
    "msclap": ("this is the sound of {label}",),
    "msclap-2022": ("This is a sound of {label}",),
    "msclap-2022-emotion": ("this person is feeling {label}",),
    "msclap-2022-keyword": ("{label}",),
    "msclap-2022-speakers": ("{label} persons speaking",),
    "ensemble": (
        "{label}",
        "This is a sound of {label}.",
        "The sound of {label}",
        "a recording of {label}",
        "{label} can be heard",
        "Someone recorded the sound of {label}.",
    ),
}


def fill(prompts: str | Sequence[str], label: str) -> list[str]:
    """The prompts with a label in them, one text a prompt.

    Args:
        prompts: a name in `PROMPTS`, or prompts that each hold `{label}`.
        label: the label; underscores, which data sets write for spaces, are read as spaces.

    Raises:
        UnknownNameError: if the name is not in `PROMPTS`.
        ConfigError: if a prompt has no `{label}`, or there are none.
    """
    if isinstance(prompts, str):
        if prompts not in PROMPTS:
            raise UnknownNameError("prompt set", prompts, PROMPTS)
        prompts = PROMPTS[prompts]
    if not prompts:
        raise ConfigError("prompts is empty: give at least one text with {label} in it, or a name of PROMPTS")
    for prompt in prompts:
        if "{label}" not in prompt:
            raise ConfigError(f"prompt {prompt!r} has no {{label}}: every label would get the same text")
    return [prompt.replace("{label}", _spoken(label)) for prompt in prompts]


def label_caption(labels: Sequence[str]) -> str:
    """One caption of a clip that has only labels: "The sound of rain, wind, and a dog" (LAION-CLAP, section 3.3).

    Raises:
        ConfigError: if there are no labels.
    """
    if isinstance(labels, str) or not labels:
        raise ConfigError(f"labels must be a list with at least one label, but got {labels!r}")
    return fill("laion-labels", listed([_spoken(label) for label in labels]))[0]


def listed(items: Sequence[str], *, oxford: bool = True) -> str:
    """Items as English lists them: "rain", "rain and wind", "rain, wind, and hail".

    Args:
        items: one or more.
        oxford: put a comma before the last "and" of three or more.
    """
    if len(items) <= 2:
        return " and ".join(items)
    return f"{', '.join(items[:-1])}{',' if oxford else ''} and {items[-1]}"


def _spoken(label: str) -> str:
    return label.replace("_", " ").strip()
