"""Which text a clip is trained with in this epoch, and which texts it is evaluated against."""

from __future__ import annotations

import re

import torch
from pydantic import Field

from openclap.config import Config
from openclap.data.example import Example
from openclap.errors import DataError
from openclap.text.prompts import label_caption


class CaptionPolicyConfig(Config):
    """How a clip's captions and labels become its text.

    Attributes:
        p_labels: for a clip that has both, how often the caption made of its labels is taken instead of its own.
        clean_titles: turn titles that are file names into words ("Big_dog_bark_01.aiff": "Big dog bark").
    """

    p_labels: float = Field(default=0.0, ge=0.0, le=1.0)
    clean_titles: bool = False


def choose_caption(example: Example, config: CaptionPolicyConfig, generator: torch.Generator | None) -> str:
    """One text for the clip: drawn with `generator`, or without one always the first of `all_captions`.

    Raises:
        DataError: if the clip has neither captions nor labels.
    """
    captions = all_captions(example, config)
    if generator is None or not example.captions:
        return captions[0]
    # Both draws are always made, so that p_labels does not shift which caption the next draw takes.
    from_labels = float(torch.rand((), generator=generator)) < config.p_labels
    index = int(torch.randint(len(captions), (), generator=generator))
    return label_caption(example.labels) if from_labels and example.labels else captions[index]


def all_captions(example: Example, config: CaptionPolicyConfig | None = None) -> tuple[str, ...]:
    """Every text of the clip: its captions; where it has none, those made for it; and without these, one of its labels.

    Raises:
        DataError: if the clip has neither captions nor labels.
    """
    if example.captions:
        if config is None or not config.clean_titles:
            return example.captions
        return tuple(dict.fromkeys(clean_title(caption) for caption in example.captions))
    if made := tuple(caption.text for caption in example.made if caption.text not in example.replaced):
        return made
    if example.labels:
        return (label_caption(example.labels),)
    raise DataError(f"clip {example.id} has neither a caption nor a label")


def clean_title(title: str) -> str:
    """The words in a title that is a file name; any other title as it is.

    A file name ends in an audio suffix, or has underscores and no spaces. The suffix goes, with the dates and take
    numbers at both ends; underscores become spaces, and where there were no spaces, so do dots, hyphens and the joints
    of CamelCase. A title of which no letter would be left stays whole.
    """
    name = _SUFFIX.sub("", title)
    if name == title and (" " in title or "_" not in title):
        return title
    if " " not in name:
        name = _JOINT.sub(" ", re.sub(r"[.-]", " ", name))
    words = " ".join(name.replace("_", " ").split())
    words = _LAST_NUMBER.sub("", _FIRST_NUMBERS.sub("", words))
    return words if any(letter.isalpha() for letter in words) else title


_SUFFIX = re.compile(r"\.(wav|wave|aiff?|aifc|flac|mp3|ogg|oga|opus|m4a|mp4|wma|caf|au)$", re.IGNORECASE)
_JOINT = re.compile(r"(?<=[a-z])(?=[A-Z])")
_FIRST_NUMBERS = re.compile(r"^((0\d*|\d{4,})[\s,-]+)+")  # 01, 20110503; but not the 3 of "3 dogs"
_LAST_NUMBER = re.compile(r"([\s,#-]+(v|take)?\s*\d+|\d+)$", re.IGNORECASE)
