"""One clip and what is said of it: the unit that every reader gives and every batch is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class MadeCaption:
    """A caption that a stage of `openclap.captions` made, and where it comes from.

    Attributes:
        text: the caption.
        maker: the stage's registered name: "template", "k2c", "debias", "llm", …
        of: the captions or labels that it was made from.
        replaces: whether the captions in `of` are not used any more (a de-biased one stands for its original).
        details: what else is known of it, as plain values: the digest of the stage's identity, a model, evidence, …
    """

    text: str
    maker: str
    of: tuple[str, ...] = ()
    replaces: bool = False
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def plain(self) -> dict[str, Any]:
        """This caption as a manifest writes it; what is empty is left out."""
        row: dict[str, Any] = {"text": self.text, "maker": self.maker}
        row |= {"of": list(self.of)} if self.of else {}
        row |= {"replaces": True} if self.replaces else {}
        return row | ({"details": dict(self.details)} if self.details else {})


@dataclass(frozen=True)
class NegativeCaption:
    """A caption that does *not* fit the clip, though it nearly does.

    Attributes:
        text: the wrong caption.
        kind: what was twisted: "order", "attribute", …
        of: the caption that was twisted.
        maker: the registered name of the stage that made it.
    """

    text: str
    kind: str
    of: str
    maker: str

    def plain(self) -> dict[str, Any]:
        """This caption as a manifest writes it."""
        return {"text": self.text, "kind": self.kind, "of": self.of, "maker": self.maker}


@dataclass(frozen=True)
class Example:
    """One clip (a file, or a time range of one), its captions and its labels.

    Attributes:
        id: unique in its manifest; the audio's path as the manifest writes it, unless the manifest gives ids.
        audio: the file, ready to open.
        captions: sentences or titles that people wrote of the clip, possibly none.
        labels: words of a vocabulary that fit the clip, possibly none.
        split: "train", "test", … or None.
        fold: number of the cross-validation fold, or None.
        start_s: where the clip begins in the file.
        duration_s: length of the clip; None reads to the end of the file.
        license: the licence as its author states it.
        credit: whom to name.
        source: the collection that the clip comes from.
        made: captions that `openclap.captions` made for the clip.
        negatives: captions that do not fit the clip, made of such that do.
        extra: everything else that the manifest says, as plain values.
    """

    id: str
    audio: Path
    captions: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    split: str | None = None
    fold: int | None = None
    start_s: float = 0.0
    duration_s: float | None = None
    license: str | None = None
    credit: str | None = None
    source: str | None = None
    made: tuple[MadeCaption, ...] = ()
    negatives: tuple[NegativeCaption, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_text(self) -> bool:
        """Whether there is a caption, written or made, or a label to make one of."""
        return bool(self.captions or self.made or self.labels)

    @property
    def stated_s(self) -> float | None:
        """How long the clip is in seconds, as far as its row says; None where only the file can tell."""
        if self.duration_s is not None:
            return self.duration_s
        for name in _LENGTHS:
            try:
                seconds = float(self.extra[name]) - self.start_s
            except (KeyError, TypeError, ValueError, OverflowError):
                continue
            if 0 < seconds < math.inf:
                return seconds
        return None

    @property
    def replaced(self) -> frozenset[str]:
        """The captions, written or made, for which a made one stands: they are kept, and not used any more."""
        return frozenset(text for caption in self.made if caption.replaces for text in caption.of)


_LENGTHS = ("seconds", "duration", "duration_s", "length_s")
"""Columns that say how long a file is; the first is what our shards write, of the clip that is in them."""
