"""One clip and what is said of it: the unit that every reader gives and every batch is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Example:
    """One clip (a file, or a time range of one), its captions and its labels.

    Attributes:
        id: unique in its manifest; the audio's path as the manifest writes it, unless the manifest gives ids.
        audio: the file, ready to open.
        captions: sentences or titles that describe the clip, possibly none.
        labels: words of a vocabulary that fit the clip, possibly none.
        split: "train", "test", … or None.
        fold: number of the cross-validation fold, or None.
        start_s: where the clip begins in the file.
        duration_s: length of the clip; None reads to the end of the file.
        license: the licence as its author states it.
        credit: whom to name.
        source: the collection that the clip comes from.
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
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_text(self) -> bool:
        """Whether there is a caption, or a label to make one of."""
        return bool(self.captions or self.labels)
