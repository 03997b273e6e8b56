"""Words around a label: the sentences in which zero-shot classification asks, and the caption of a labelled clip."""

from __future__ import annotations

from collections.abc import Sequence

from openclap.errors import ConfigError, UnknownNameError

#: Prompt sets by name. One prompt is what a project published; an ensemble's embeddings are averaged.
PROMPTS: dict[str, tuple[str, ...]] = {
    "plain": ("{label}",),
    "laion": ("This is a sound of {label}.",),
    "msclap": ("this is the sound of {label}",),
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
    words = [_spoken(label) for label in labels]
    if len(words) <= 2:
        return f"The sound of {' and '.join(words)}"
    return f"The sound of {', '.join(words[:-1])}, and {words[-1]}"


def _spoken(label: str) -> str:
    return label.replace("_", " ").strip()
