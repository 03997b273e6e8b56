"""A caption as words with what stands between them, and edits of words that leave all the rest as it was.

Rules that rewrite captions say *which words* become what; case, spaces and punctuation are seen to here, once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache


@dataclass(frozen=True, order=True)
class Edit:
    """Words `start` to `stop` (not included) become `text`, which gets its first letter's case from what it replaces.

    It always replaces some words by some words: to take a word away, replace it and its neighbour by the neighbour.
    """

    start: int
    stop: int
    text: str


class Words:
    """The words of a text.

    Attributes:
        text: the whole.
        words: as written: letters with the apostrophes in and after them ("dog's", "ladies'"), or digits.
        lower: the same in lower case, with plain apostrophes.
        gaps: what stands before each word, and last what stands after all of them: one more than there are words.
    """

    def __init__(self, text: str) -> None:
        found = list(_WORD.finditer(text))
        edges = [0, *(edge for match in found for edge in match.span()), len(text)]
        self.text = text
        self.words = tuple(match[0] for match in found)
        self.lower = tuple(word.lower().replace("’", "'") for word in self.words)
        self.gaps = tuple(text[edges[i] : edges[i + 1]] for i in range(0, len(edges), 2))

    @cached_property
    def title_case(self) -> bool:
        """Whether most words have capitals, so that one says nothing."""
        return _is_title_case(self.words)

    @cached_property
    def _quoted(self) -> list[bool]:
        return _quoted(self.gaps)

    def __len__(self) -> int:
        return len(self.words)

    def at(self, index: int) -> str:
        """A word in lower case; "" before the first and after the last."""
        return self.lower[index] if 0 <= index < len(self) else ""

    def joined(self, first: int, last: int) -> bool:
        """Whether the words `first` to `last` all exist, with nothing but space between them."""
        return 0 <= first <= last < len(self) and all(self.gaps[i].isspace() for i in range(first + 1, last + 1))

    def starts_sentence(self, index: int) -> bool:
        """Whether this word has a capital because of where it stands."""
        return index == 0 or bool(_SENTENCE_END.search(self.gaps[index]))

    def is_plain(self, index: int) -> bool:
        """Whether the word is running text: no part of a quotation, a file name, a name, or a word with a hyphen."""
        return not (self._quoted[index] or self._is_glued(index) or self._is_name(index))

    def edited(self, edits: Iterable[Edit]) -> str:
        """The text with the edits made.

        Raises:
            ValueError: if two edits touch the same word.
        """
        parts, at = [], 0
        for edit in sorted(edits):
            if edit.start < at:
                raise ValueError(f"two edits touch word {edit.start} of {self.text!r}")
            parts += [self.gaps[i] + self.words[i] for i in range(at, edit.start)]
            parts += [self.gaps[edit.start], self._cased(edit)]
            at = edit.stop
        parts += [self.gaps[i] + self.words[i] for i in range(at, len(self))]
        return "".join([*parts, self.gaps[-1]])

    def _cased(self, edit: Edit) -> str:
        old = self.words[edit.start : edit.stop]
        if len("".join(old)) > 1 and all(word.isupper() for word in old):
            return edit.text.upper()
        if self.title_case and old[0][0].isupper():
            return " ".join(word[:1].upper() + word[1:] for word in edit.text.split(" "))
        return edit.text[:1].upper() + edit.text[1:] if old[0][0].isupper() else edit.text

    def _is_glued(self, index: int) -> bool:
        before, after = self.gaps[index], self.gaps[index + 1]
        return (index > 0 and before in _GLUE) or (index + 1 < len(self) and after in _GLUE)

    def _is_name(self, index: int) -> bool:
        """Whether its capital is one that only a name has; a first word is taken as a name if the next one is."""
        if self.title_case or not self.words[index][0].isupper():
            return False
        if not self.starts_sentence(index):
            return True
        following = index + 1
        return self.joined(index, following) and self.words[following][0].isupper() and self.words[following] != "I"


@lru_cache(maxsize=4096)
def words_of(text: str) -> Words:
    """The words of a text, kept for the next time it is asked for: captions of a clip are held against each other."""
    return Words(text)


def article(word: str) -> str:
    """The article "a" or "an" that a word takes, by how its beginning sounds."""
    vowel = word[:1].lower() in tuple("aeiou")
    return "an" if (vowel and not _CONSONANT_SOUND.match(word)) or _SILENT_H.match(word) else "a"


def word_set(text: str) -> frozenset[str]:
    """The words of a list that is written as text."""
    return frozenset(text.split())


_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*(?:(?<=[sS])['’](?!\w))?|\d+")
_SENTENCE_END = re.compile(r"[.!?:;(\"“]\s*$")
_GLUE = frozenset({"-", "_", "/_", "‐", "‑", ".", "&", "@", "#"})
_CONSONANT_SOUND = re.compile(r"(one|once|uni(?!n)|use|usu|usa|eu|ewe|ukulele|u$)", re.IGNORECASE)
_SILENT_H = re.compile(r"(hour|honest|honou?r|heir)", re.IGNORECASE)


def _is_title_case(words: Sequence[str]) -> bool:
    if len(words) > 1 and all(word[0].isupper() or word[0].isdigit() for word in words):
        return True
    long = [word for word in words if len(word) > 3]
    return len(long) > 1 and sum(word[0].isupper() for word in long) >= 0.8 * len(long)


def _quoted(gaps: Sequence[str]) -> list[bool]:
    """Which words stand within double quotation marks."""
    inside, quoted = False, []
    for gap in gaps[:-1]:
        for mark in gap:
            if mark == '"':
                inside = not inside
            elif mark in "“”":
                inside = mark == "“"
        quoted.append(inside)
    return quoted
