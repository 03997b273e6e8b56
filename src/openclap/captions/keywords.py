"""Whether a sentence made of keywords says them all and not much else, with the reason if it does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

from pydantic import Field

from openclap.captions.llm.gates import check_language, check_length
from openclap.captions.llm.lexicon import stem, words_of
from openclap.captions.words import word_set
from openclap.config import Config


class KeywordGates(Config):
    """What a caption made of keywords has to pass.

    Attributes:
        min_words: as few words as it may have.
        max_words: as many as it may have.
        kept: share of the keywords that it must say, each with all its words in whatever form ("barks" for "bark").
        invented: share of its content words that may come from no keyword.
        language: a code such as "en", or "any".
    """

    min_words: int = Field(default=3, ge=1)
    max_words: int = Field(default=40, ge=1)
    kept: float = Field(default=1.0, ge=0.0, le=1.0)
    invented: float = Field(default=0.5, ge=0.0, le=1.0)
    language: str = "en"


def check_caption(text: str, keywords: Sequence[str], gates: KeywordGates) -> str | None:
    """Why a caption made of these keywords is not used, or None; cheap reasons come first."""
    reason = check_length(text, gates.min_words, gates.max_words) or check_language(text, gates.language)
    if reason:
        return reason
    if repeats_itself(text):
        return "repeats itself"
    if keywords and kept_share(text, keywords) < gates.kept:
        return "keywords lost"
    return "words invented" if invented_share(text, keywords) > gates.invented else None


def kept_share(text: str, keywords: Sequence[str]) -> float:
    """Share of the keywords of which all words that mean something stand in the text, in whatever form."""
    said = _stems(text)
    wanted = [_stems(keyword) - _empty_stems() or _stems(keyword) for keyword in keywords]
    return sum(words <= said for words in wanted) / len(wanted) if wanted else 1.0


def invented_share(text: str, keywords: Sequence[str]) -> float:
    """Share of the text's words that mean something and are of no keyword."""
    content = [word for word in map(_stem, _words(text)) if word not in _empty_stems()]
    given = set().union(*map(_stems, keywords))
    return sum(word not in given for word in content) / len(content) if content else 0.0


def repeats_itself(text: str) -> bool:
    """Whether three words come twice in the same order, or a word twice in a row."""
    words = [word.lower() for word in words_of(text)]
    if any(first == second for first, second in pairwise(words)):
        return True
    triples = Counter(zip(words, words[1:], words[2:], strict=False))
    return any(count > 1 for count in triples.values())


def _stem(word: str) -> str:
    return stem(word.lower())


def _stems(text: str) -> set[str]:
    return {_stem(word) for word in _words(text)} or {text.lower()}


def _words(text: str) -> Sequence[str]:
    return words_of(text.replace("-", " "))  # a word with a hyphen says its parts: "clip-clop" is "clip clop"


@cache
def _empty_stems() -> frozenset[str]:
    return frozenset(map(_stem, _EMPTY))


# Words that say nothing that could be wrong about a sound.
_EMPTY = word_set("""
a an the and or but of on in at by with without from to into onto over under up down out off for as while then than
that this these those it its is are was were be been being has have had do does did can could may will would there here
when where which who whose he she they him his her their them i we my our some any several many few one two other
another each both someone something somewhere people person man men woman women sound noise audio recording background
foreground distance clip hear listen play make produce come go goes get keep start nearby during before after again very
loud loudly quiet quietly soft softly through around next near
""")
