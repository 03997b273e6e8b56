"""Captions that say of a sound the opposite of what it is, count it wrongly, or say of one what is true of another.

CompA-attribute (Ghosh et al., arXiv 2310.08753) asks which of two sounds has which attribute.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from openclap.captions.negatives.lexicon import (
    ATTRIBUTES,
    NO_ATTRIBUTES,
    NUMBERS,
    PERSONS,
    PHRASES,
    PLURAL_PERSONS,
    SAME_PERSONS,
    TIMES,
    UTTERANCES,
)
from openclap.captions.verbs import SINGULAR_VERBS, VERBS, is_adverb, participle, plural_form
from openclap.captions.words import Edit, Words, article, word_set, words_of

_BASES = {participle(verb): verb for verb in VERBS}


def attribute_negatives(caption: str, others: Sequence[str]) -> list[str]:
    """The caption with one attribute turned into its opposite, once for each; not one that another caption names."""
    words = words_of(caption)
    said = _said(caption, *others)
    found = [
        words.edited([_replaced(words, i, opposite)])
        for i in range(len(words))
        if _is_attribute(words, i) and not said & set(ATTRIBUTES[words.at(i)].opposites)
        for opposite in ATTRIBUTES[words.at(i)].opposites
    ]
    for phrase, opposite in PHRASES.items():
        start = _find(words, phrase)
        if start is not None and opposite not in said:
            found.append(words.edited([Edit(start, start + len(phrase.split()), opposite)]))
    return found


def count_negatives(caption: str, others: Sequence[str]) -> list[str]:
    """The caption with another number of sounds or of times, for each in it; not one that another caption names."""
    words = words_of(caption)
    said = _said(caption, *others)
    texts = [words_of(text) for text in (caption, *others)]
    found = [
        words.edited([Edit(i, i + 1, other)])
        for i, number in _numbers(words)
        for other in NUMBERS
        if other != number and other not in said
    ]
    found += [
        words.edited([Edit(start, start + len(times.split()), other)])
        for start, times in _times(words)
        for other in TIMES
        if other != times and not any(_find(text, other) is not None for text in texts)
    ]
    return found


def binding_negatives(caption: str, others: Sequence[str]) -> list[str]:
    """The caption with attributes, counts or doers of two sounds in each other's place."""
    words = words_of(caption)
    made = [*_swapped_attributes(words), *_swapped_counts(words), *_swapped_persons(words)]
    spoken = {pair for other in others for pair in _neighbours(other)} | {
        deed for other in others for deed in _deeds(words_of(other))
    }
    own = _neighbours(caption) | {(d.kind, d.deed) for d in _doers(words)}
    return [text for text in made if not ((_neighbours(text) | _deeds(words_of(text))) - own) & spoken]


@dataclass(frozen=True)
class Doer:
    """A person who does something in a caption: which words name them, who they are and what they do."""

    start: int
    stop: int
    noun: str
    kind: str
    deed: str


def _swapped_attributes(words: Words) -> Iterator[str]:
    places = [i for i in range(len(words)) if _is_attribute(words, i)]
    for i, j in combinations(places, 2):
        one, other = ATTRIBUTES[words.at(i)], ATTRIBUTES[words.at(j)]
        if (one.scale, one.part) == (other.scale, other.part) and one.high != other.high and j > i + 1:
            yield words.edited([_replaced(words, i, words.at(j)), _replaced(words, j, words.at(i))])


def _swapped_counts(words: Words) -> Iterator[str]:
    for (i, one), (j, other) in combinations(_numbers(words), 2):
        if one != other:
            yield words.edited([Edit(i, i + 1, other), Edit(j, j + 1, one)])
    for (i, one), (j, other) in combinations(_times(words), 2):
        if one != other:
            yield words.edited([Edit(i, i + len(one.split()), other), Edit(j, j + len(other.split()), one)])


def _swapped_persons(words: Words) -> Iterator[str]:
    for one, other in combinations(_doers(words), 2):
        differ = one.kind != other.kind and frozenset({one.kind, other.kind}) not in SAME_PERSONS
        alike = (one.noun in PLURAL_PERSONS) == (other.noun in PLURAL_PERSONS)
        if differ and alike and one.deed != other.deed and _is_sole(words, one) and _is_sole(words, other):
            texts = [" ".join(words.lower[doer.start : doer.stop]) for doer in (one, other)]
            yield words.edited([*_named(words, one, texts[1]), *_named(words, other, texts[0])])


def _named(words: Words, doer: Doer, text: str) -> list[Edit]:
    """The edits that put another person in the place of one, with the article that they take."""
    before = doer.start - 1
    if words.at(before) in {"a", "an"} and words.joined(before, doer.start):
        return [Edit(before, doer.stop, f"{article(text)} {text}")]
    return [Edit(doer.start, doer.stop, text)]


def _is_sole(words: Words, doer: Doer) -> bool:
    """Whether nobody else of this kind comes up, and nobody else does the same."""
    return (
        sum(PERSONS.get(word) == doer.kind for word in words.lower) == 1
        and sum(_deed(word) == doer.deed for word in words.lower) == 1
    )


def _doers(words: Words) -> list[Doer]:
    found = []
    for i, noun in enumerate(words.lower):
        if noun not in PERSONS or not words.is_plain(i):
            continue
        verb = i + 1
        while is_adverb(words.at(verb)) or words.at(verb) in {"is", "are"}:
            verb += 1
        deed = _deed(words.at(verb))
        if deed and words.joined(i, verb):
            start = i
            while words.joined(start - 1, start) and words.at(start - 1) in {
                "young",
                "old",
                "elderly",
                "adult",
                "small",
            }:
                start -= 1
            found.append(Doer(start, i + 1, noun, PERSONS[noun], deed))
    return found


def _deeds(words: Words) -> set[tuple[str, str]]:
    return {(doer.kind, doer.deed) for doer in _doers(words)}


def _deed(verb: str) -> str:
    """What somebody does, by a finite verb or a participle; "" for other words."""
    base = _BASES.get(verb) or (plural_form(verb) if verb in SINGULAR_VERBS else verb)
    return UTTERANCES.get(base, base) if base in VERBS else ""


def _is_attribute(words: Words, i: int) -> bool:
    attribute, following = ATTRIBUTES.get(words.at(i)), words.at(i + 1)
    if attribute is None or (words.at(i), following) in NO_ATTRIBUTES:
        return False
    if attribute.scale == "size" and following in PERSONS:
        return False  # nobody hears how big a child is
    if any(ATTRIBUTES[word].scale == attribute.scale for word in (words.at(i - 1), following) if word in ATTRIBUTES):
        return False  # of "quick rapid taps" both would have to turn
    if attribute.before:
        is_near = words.gaps[i + 1].strip() in {"", "-"}
        return is_near and following in attribute.before and (words.is_plain(i) or words.gaps[i + 1] == "-")
    if not words.is_plain(i):
        return False
    # An adjective has its noun on its right: "a distant siren", but not "hears it nearby" and "too loud to hear".
    return attribute.part == "adverb" or (words.joined(i, i + 1) and following not in _NO_NOUNS)


def _replaced(words: Words, i: int, text: str) -> Edit:
    """The edit that puts a word in the place of another, with the article that it takes."""
    if words.joined(i - 1, i) and words.at(i - 1) in {"a", "an"}:
        return Edit(i - 1, i + 1, f"{article(text)} {text}")
    return Edit(i, i + 1, text)


def _numbers(words: Words) -> list[tuple[int, str]]:
    """Numbers of several things, with where they stand."""
    found = []
    for i, word in enumerate(words.lower):
        counted = [words.at(i + step) for step in (1, 2, 3) if words.joined(i, i + step)]
        several = any(noun.endswith("s") or noun in PLURAL_PERSONS for noun in counted)
        if word in NUMBERS and words.is_plain(i) and several and "times" not in counted[:1]:
            found.append((i, word))
    return found


def _times(words: Words) -> list[tuple[int, str]]:
    found = [(start, times) for times in TIMES if (start := _find(words, times)) is not None]
    return [(start, times) for start, times in sorted(found) if words.at(start + 1) not in {"again", "more"}]


def _find(words: Words, phrase: str) -> int | None:
    parts = tuple(phrase.split())
    places = [i for i in range(len(words) - len(parts) + 1) if words.lower[i : i + len(parts)] == parts]
    return places[0] if len(places) == 1 and words.is_plain(places[0]) else None


def _said(*texts: str) -> set[str]:
    return {word for text in texts for word in re.findall(r"[a-z]+", text.lower())}


def _neighbours(text: str) -> set[tuple[str, str]]:
    """Attributes and numbers with the word that follows them."""
    words = words_of(text)
    return {
        (words.at(i), words.at(i + 1)) for i in range(len(words)) if words.at(i) in ATTRIBUTES or words.at(i) in NUMBERS
    }


_NO_NOUNS = word_set(
    "and or but then while as with in on at to of from by over the a an is are was were that who which when"
)
