"""Which clips a page shows: the filters that its address carries."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from openclap.config import Config

Has = Literal["captions", "labels", "made", "negatives", "length", "problem"]
"""What a clip may have: captions that people wrote, labels, made captions, negative ones, a length that is known, sound
that cannot be read."""

FLAGGED, UNFLAGGED, TRIMMED = "any", "none", "captions"
"""Beside the reasons, what `Filters.flag` takes: flagged for any reason, not flagged, and with captions dropped."""

_Names = list[str]


class Filters(Config):
    """Filters over clips. Of one field any value fits, and every field must; what is not stated is the name "".

    Attributes:
        q: words that all stand in the clip's id, captions or labels, in any case; a word after `-` must not.
        split: names of splits.
        source: names of sources.
        label: labels.
        maker: who made a caption of the clip: "original" for people, or the name of a stage.
        has: all of these must be there.
        lacks: none of these may be there.
        flag: reasons, "any", "none", or "captions".
        min_s: shortest length in seconds; a clip whose length is not known does not fit.
        max_s: longest length in seconds.
    """

    q: str = Field("", max_length=1000)
    split: _Names = Field(default_factory=list, max_length=1000)
    source: _Names = Field(default_factory=list, max_length=1000)
    label: _Names = Field(default_factory=list, max_length=1000)
    maker: _Names = Field(default_factory=list, max_length=1000)
    has: list[Has] = Field(default_factory=list)
    lacks: list[Has] = Field(default_factory=list)
    flag: _Names = Field(default_factory=list, max_length=1000)
    min_s: float | None = Field(None, ge=0)
    max_s: float | None = Field(None, ge=0)
