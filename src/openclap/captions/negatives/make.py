"""Negative captions of a clip: nearly true, of several kinds, and always the same for the same seed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence

from openclap.captions.negatives.attributes import attribute_negatives, binding_negatives, count_negatives
from openclap.captions.negatives.order import order_negatives, overlap_negatives
from openclap.captions.words import words_of

KINDS: dict[str, Callable[[str, Sequence[str]], list[str]]] = {
    "order": order_negatives,
    "overlap": overlap_negatives,
    "attribute": attribute_negatives,
    "count": count_negatives,
    "binding": binding_negatives,
}
"""How negatives of a kind are made of a caption, in view of the others of its clip.

`order` and `overlap` change when things are heard, `attribute` and `count` how and how often, and `binding` which of
two is heard how, how often, or from whom.
"""


def negatives(
    caption: str, others: Sequence[str] = (), *, kinds: Sequence[str] = tuple(KINDS), most: int = 3, seed: int = 0
) -> list[tuple[str, str]]:
    """Captions that do not fit the clip of this one, each with its kind; as many kinds as can be.

    Args:
        caption: what is twisted.
        others: all captions of the clip: what one of them says is no negative.
        kinds: names in `KINDS`.
        most: no more than so many are given, drawn evenly over the kinds.
        seed: of the drawing, together with the caption's own text.
    """
    known = {_plain(text) for text in (caption, *others)}
    drawing = random.Random(hashlib.sha256(f"{seed}\n{caption}".encode()).digest())  # noqa: S311 - no secrets
    columns = []
    for kind in kinds:
        texts = [t for t in dict.fromkeys(KINDS[kind](caption, others)) if _plain(t) not in known]
        drawing.shuffle(texts)
        columns.append([(text, kind) for text in texts])
    drawing.shuffle(columns)
    rows = [column[row] for row in range(most) for column in columns if row < len(column)]
    return rows[:most]


def _plain(text: str) -> tuple[str, ...]:
    return words_of(text).lower
