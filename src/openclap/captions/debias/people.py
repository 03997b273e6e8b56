"""Women, men and kin become persons, with the articles, numbers and companions that go with them."""

from __future__ import annotations

from openclap.captions.debias.companions import Cast, merged
from openclap.captions.debias.phrases import Phrase, phrases
from openclap.captions.words import Edit, Words, article


def people_edits(words: Words) -> list[Edit]:
    """The edits that make persons of all women and men who are spoken of."""
    found = phrases(words)
    cast = Cast()
    edits: list[Edit] = []
    at = 0
    while at < len(found):
        phrase = found[at]
        pair = merged(words, phrase, found[at + 1]) if at + 1 < len(found) else None
        if pair is None:
            edits += _single(words, phrase, cast.determiner(phrase))
            at += 1
        else:
            edits += pair
            cast.enter_pair(phrase, found[at + 1])
            at += 2
    return edits


def _single(words: Words, phrase: Phrase, determiner: str) -> list[Edit]:
    """One phrase on its own: the noun, and its determiner where that is another now."""
    if phrase.is_neutral:
        return []
    stands_beside = phrase.first == phrase.inner
    if determiner in {"a", "an"} and stands_beside:
        determiner = article(phrase.noun)
    if determiner == phrase.determiner:
        return [Edit(phrase.first, phrase.stop, phrase.noun)]
    if stands_beside:
        return [Edit(phrase.start, phrase.stop, f"{determiner} {phrase.noun}")]
    inserted = "" if phrase.start < phrase.inner else f" {words.words[phrase.start]}"
    return [
        Edit(phrase.start, phrase.start + 1, determiner + inserted),
        Edit(phrase.first, phrase.stop, phrase.noun),
    ]
