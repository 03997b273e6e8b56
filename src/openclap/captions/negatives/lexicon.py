"""Words for how a sound is, with their opposites; and who may be taken for whom."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from openclap.captions.words import word_set

Part = Literal["adjective", "adverb"]


@dataclass(frozen=True)
class Attribute:
    """What a word says of a sound.

    Attributes:
        scale: of what: "loudness", "speed", ….
        high: whether it stands at the upper end of the scale.
        part: of speech: two adjectives can change places, an adjective and an adverb cannot.
        opposites: words of the other end that can stand in its place.
        before: the only words that it is an attribute of; empty for all.
    """

    scale: str
    high: bool
    part: Part
    opposites: tuple[str, ...]
    before: frozenset[str] = frozenset()


# scale, part of speech, words of the upper end, words of the lower end, words that they must stand before.
_SCALES: tuple[tuple[str, Part, str, str, str], ...] = (
    ("loudness", "adjective", "loud", "quiet soft faint", ""),
    ("loudness", "adverb", "loudly", "quietly softly faintly", ""),
    ("loudness", "adjective", "louder", "quieter softer", ""),
    ("speed", "adjective", "fast rapid quick", "slow", ""),
    ("speed", "adverb", "quickly rapidly", "slowly", ""),
    ("pitch", "adjective", "high", "low", "pitched pitch frequency tone tones note notes humming whistle"),
    ("size", "adjective", "large big huge", "small tiny", ""),
    ("length", "adjective", "long", "short brief", ""),
    ("continuity", "adjective", "continuous constant", "intermittent", ""),
    ("continuity", "adverb", "continuously constantly", "intermittently", ""),
    ("weight", "adjective", "heavy", "light", "rain rainfall wind winds traffic breathing footsteps tapping rustling"),
    ("weight", "adverb", "heavily", "lightly", ""),
    ("age", "adjective", "old elderly", "young", "man men woman women male males female females person people"),
    ("distance", "adjective", "distant", "nearby", ""),
    ("mood", "adverb", "happily cheerfully", "angrily sadly", ""),
    ("change of speed", "adverb", "accelerates", "decelerates", ""),
    ("change of speed", "adverb", "accelerating", "decelerating", ""),
)


def _attributes() -> dict[str, Attribute]:
    table = {}
    for scale, part, upper, lower, before in _SCALES:
        ends = (upper, lower)
        for at, end in enumerate(ends):
            for word in end.split():
                opposites = tuple(ends[1 - at].split())
                table[word] = Attribute(scale, at == 0, part, opposites, word_set(before))
    return table


ATTRIBUTES = _attributes()
"""Attributes by word."""

PHRASES = {"in the distance": "nearby", "far away": "nearby", "close by": "far away", "several times": "once"}
"""Attributes of several words, and what says the opposite in their place."""

NO_ATTRIBUTES = frozenset(
    {
        ("loud", "speaker"),
        ("loud", "speakers"),
        ("fast", "forward"),
        ("fast", "food"),
        ("rapid", "fire"),
        ("quick", "fire"),
    }
)
"""Pairs of words of which the first is no attribute."""

NUMBERS = ("two", "three", "four", "five")
TIMES = ("once", "twice", "three times", "four times")

PERSONS: dict[str, str] = {
    noun: kind
    for kind, nouns in {
        "man": "man men male males guy guys gentleman gentlemen",
        "woman": "woman women female females lady ladies",
        "boy": "boy boys",
        "girl": "girl girls",
        "baby": "baby babies infant infants toddler toddlers",
        "child": "child children kid kids",
        "adult": "adult adults",
        "person": "person people",
    }.items()
    for noun in nouns.split()
}
"""Who it is, by noun."""

PLURAL_PERSONS = word_set(
    "men males guys gentlemen women females ladies boys girls babies infants toddlers children kids adults people"
)

_OVERLAPPING = (
    "person adult man",
    "person adult woman",
    "child baby boy",
    "child baby girl",
    "person boy",
    "person girl",
)
SAME_PERSONS = frozenset(frozenset(pair) for kinds in _OVERLAPPING for pair in combinations(kinds.split(), 2))
"""Kinds of which one may be the other: "a person" may be the man."""

UTTERANCES: dict[str, str] = {
    verb: kind
    for kind, verbs in {
        "speak": "speak talk say converse communicate chat chatter narrate commentate mumble mutter answer respond",
        "shout": "shout yell scream holler shriek exclaim call cheer",
        "laugh": "laugh giggle chuckle snicker",
        "cry": "cry sob weep wail whimper whine fuss",
        "sing": "sing hum",
        "snore": "snore breathe",
    }.items()
    for verb in verbs.split()
}
"""What persons do to be heard, by verb: verbs of one kind may mean the same."""
