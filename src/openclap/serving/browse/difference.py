"""What was changed from one caption to another, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

_WORD = re.compile(r"\S+")
_BARE = re.compile(r"[^\w']+")
_MOST_WORDS = 400  # beyond, a comparison takes long and helps nobody
_ALIKE = 0.25


class Part(NamedTuple):
    """Consecutive words: in both captions, only in the later one, or only in the earlier one."""

    kind: Literal["same", "added", "removed"]
    text: str


def difference(before: str, after: str) -> list[Part]:
    """The words of `after` with those of `before` that it leaves out, in reading order.

    Words are the same if they differ in nothing but case and punctuation: that a sentence now ends in a full stop is no
    change to be looked at. The text of such words is that of `after`.
    """
    old, new = _WORD.findall(before), _WORD.findall(after)
    matcher = SequenceMatcher(None, _keys(old), _keys(new), autojunk=False)
    parts: list[Part] = []
    for kind, first, last, begin, end in matcher.get_opcodes():
        if kind == "equal":
            parts.append(Part("same", " ".join(new[begin:end])))
            continue
        if last > first:
            parts.append(Part("removed", " ".join(old[first:last])))
        if end > begin:
            parts.append(Part("added", " ".join(new[begin:end])))
    return parts


def nearest_difference(sources: Iterable[str], text: str) -> tuple[str, list[Part]] | None:
    """The source that shares most words with `text`, and the difference from it; None where none has much in common."""
    words = _keys(_WORD.findall(text))
    if len(words) > _MOST_WORDS:
        return None
    best, most = None, _ALIKE
    for source in sources:
        other = _keys(_WORD.findall(source))
        if len(other) <= _MOST_WORDS and (alike := SequenceMatcher(None, other, words, autojunk=False).ratio()) >= most:
            best, most = source, alike
    return None if best is None else (best, difference(best, text))


def _keys(words: Iterable[str]) -> list[str]:
    return [_BARE.sub("", word.casefold()) or word for word in words]
