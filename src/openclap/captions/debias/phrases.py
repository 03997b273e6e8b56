"""The noun phrases of a caption that speak of women, men and kin: where they stand, and what is said instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from openclap.captions.debias.lexicon import (
    ADJECTIVES,
    AGES,
    ANIMALS,
    CRIES,
    FIXED,
    NOUNS,
    NUMBERS,
    PERSONS,
    PLURALS,
    VOICES,
    Noun,
    Sex,
)
from openclap.captions.verbs import SINGULAR_VERBS, is_adverb
from openclap.captions.words import Words, word_set

POSSESSIVES = frozenset({"his", "her", "their", "its", "my", "our", "your"})
SEVERAL = frozenset(
    {"some", "several", "many", "few", "more", "most", "both", "multiple", "various", "numerous", "all"}
)
_DETERMINERS = (
    POSSESSIVES
    | SEVERAL
    | frozenset(NUMBERS)
    | word_set("a an the another other each every this that these those no any different")
)
_COLLECTIVE = frozenset({"couple", "few", "group", "crowd", "bunch", "lot", "pair", "number", "dozen", *NUMBERS[2:]})
_ADJECTIVES = word_set(
    "young younger old older elderly adult grown mature middle aged little small big tall teenage teenaged teen "
    "preteen sleeping loud quiet soft muffled distant faint deep recorded robotic brief second third angry happy "
    "excited electronic computer foreign amplified single lone human baby infant toddler echoing"
)
_NO_ADJECTIVES = word_set(
    "and or but then while as when with by of to in on at from for over under into through near before after is "
    "are was were has have that which who can be being followed"
)
_GOVERNORS = frozenset({"with", "by", "of", "from", "over"})
_OF_SOUND = frozenset({"loud", "quiet", "soft", "muffled", "distant", "faint", "brief", "recorded", "amplified"})
_GENERAL = frozenset({"person", "people", "child", "children"})
_MISSING_APOSTROPHE = {"mans": "man", "womans": "woman"}


@dataclass(frozen=True)
class Phrase:
    """A noun phrase: [determiner] [words that stay] [words replaced, the noun among them].

    Attributes:
        start: the determiner; without one the same as `inner`.
        inner: the first word after the determiner.
        first: the first word that is replaced.
        stop: behind the last word that is replaced.
        noun: what is said instead, with the suffix of a possessive.
        determiner: in lower case; "" without one.
        kept: the words between determiner and `first`, in lower case.
        sex: what was said; None for a person without one.
        is_alone: whether nothing that might belong to the phrase stands before it.
        is_plural: whether `noun` is.
        is_adjective: whether an adjective said the sex, as in "male voice".
        is_possessive: whether the noun owns what follows.
    """

    start: int
    inner: int
    first: int
    stop: int
    noun: str
    determiner: str
    kept: tuple[str, ...]
    sex: Sex | None
    is_alone: bool
    is_plural: bool = False
    is_adjective: bool = False
    is_possessive: bool = False

    @property
    def is_neutral(self) -> bool:
        """Whether there is nothing to replace."""
        return self.sex is None

    @property
    def is_countable(self) -> bool:
        """Whether there can be another one: of speech there cannot."""
        return VOICES.get(self.noun, "voices") != ""


def phrases(words: Words) -> list[Phrase]:
    """All such phrases, in order, with those of one person whose sex is not said ("a child"), for company."""
    fixed = {at for phrase in FIXED for at in _occurrences(words, phrase)}
    found: list[Phrase] = []
    for i in range(len(words)):
        if i in fixed or not words.is_plain(i) or (found and i < found[-1].stop):
            continue
        phrase = _phrase(words, i)
        if phrase is not None:
            found.append(phrase)
    return found


def plural_of(noun: str) -> str:
    """The plural of a noun that is said instead of another."""
    return PLURALS.get(noun) or PERSONS.get(noun) or VOICES.get(noun) or noun


def _phrase(words: Words, i: int) -> Phrase | None:
    base, suffix = _base(words.at(i))
    following = _base(words.at(i + 1))[0] if words.joined(i, i + 1) else ""
    if base in ADJECTIVES:
        return _with_adjective(words, i, i + 1, "f" if base in {"feminine", "womanly", "girlish"} else "m")
    if base in PERSONS and not suffix and following not in NOUNS:  # not the "adult" of "adult male"
        return _phrase_of(words, i, i + 1, base, sex=None)
    if base not in NOUNS or (base not in {"man", "woman"} and not suffix and _is_of_animal(words, i)):
        return None
    owned = None if suffix or not following else _owned(words, i, base, NOUNS[base])
    if owned is not None:
        return _with_adjective(words, i, owned, NOUNS[base].sex)
    return _with_noun(words, i, NOUNS[base], is_possessive=bool(suffix))


def _with_noun(words: Words, i: int, noun: Noun, *, is_possessive: bool) -> Phrase:
    """The phrase that ends with the noun at `i`."""
    start, inner = _opening(words, i)
    determiner = words.at(start) if start < inner else ""
    kept = words.lower[inner:i]
    said, is_plural = noun.neutral, noun.plural
    if determiner in {"a", "an"} and is_plural and not _COLLECTIVE.intersection(kept):
        said, is_plural = _singular(said), False  # "a women"
    elif determiner in (SEVERAL - {"all", "few"}) | set(NUMBERS[2:]) and not is_plural:
        said, is_plural = plural_of(said), True  # "two man"
    first = i
    if noun.neutral in _GENERAL and kept and kept[-1] in AGES and words.joined(i - 1, i):
        first, said = i - 1, PERSONS[AGES[kept[-1]]] if is_plural else AGES[kept[-1]]  # "an adult male"
    if is_possessive:
        said += "'" if said.endswith("s") else "'s"
    return _phrase_of(words, first, i + 1, said, sex=noun.sex, is_plural=is_plural, is_possessive=is_possessive)


def _with_adjective(words: Words, i: int, owned: int, sex: Sex) -> Phrase | None:
    """The phrase of a noun at `owned` that an adjective at `i` gives a sex."""
    if not words.joined(i, owned) or words.at(owned) in _NO_ADJECTIVES:
        return None
    instead = ADJECTIVES.get(words.at(i), "")
    said = " ".join([instead, *words.words[i + 1 : owned + 1]]).strip()
    is_plural = words.at(owned) in {*PERSONS.values(), *VOICES.values()}
    return _phrase_of(words, i, owned + 1, said, sex=sex, is_plural=is_plural, is_adjective=True)


def _phrase_of(words: Words, first: int, stop: int, noun: str, *, sex: Sex | None, **said: bool) -> Phrase:
    """The phrase whose words from `first` on become `noun`, with its determiner and the words between."""
    start, inner = _opening(words, first)
    is_alone = not words.joined(start - 1, start) or words.at(start - 1) in _NO_ADJECTIVES
    determiner = words.at(start) if start < inner else ""
    return Phrase(start, inner, first, stop, noun, determiner, words.lower[inner:first], sex, is_alone, **said)


def _owned(words: Words, i: int, base: str, noun: Noun) -> int | None:
    """Where the noun stands to which "male", "female" or "man" at `i` is an adjective; None if it is a noun itself."""
    following, second = words.at(i + 1), words.at(i + 2)
    start, inner = _opening(words, i)
    sexed = base in {"male", "female", "males", "females"}
    one = sexed and not noun.plural
    voice = noun.neutral in {"person", "people"} and _is_voice(following) and (following != "chatter" or one)
    cry = sexed and following in CRIES and (one or words.at(start) == "a") and words.at(i - 1) not in {"and", "or"}
    called = following in PERSONS or (following in PERSONS.values() and words.at(start) not in {"a", "an"})
    person = called and (one or following == noun.neutral or base in {"man", "woman"})
    governed = words.at(start - 1) in _GOVERNORS and start == inner and _OF_SOUND.issuperset(words.lower[inner:i])
    if voice or cry or person or (one and governed and following.endswith("ing")):  # "with muffled male yelling"
        return i + 1
    described = following not in _NO_ADJECTIVES | SINGULAR_VERBS and not is_adverb(following)
    owner = _is_voice(second) or (following in _ADJECTIVES and second in PERSONS)
    return i + 2 if one and described and owner and words.joined(i, i + 2) else None


def _opening(words: Words, head: int) -> tuple[int, int]:
    """Where the determiner of the phrase that ends at `head` stands, and the word after it; twice the same without."""
    at = head - 1
    while at >= max(0, head - 4) and (words.gaps[at + 1].isspace() or words.gaps[at + 1] == "-"):
        word = words.at(at)
        if word in _DETERMINERS or word.endswith("'s"):
            return at, at + 1
        if word in _NO_ADJECTIVES or word in SINGULAR_VERBS or word in NOUNS:
            break
        if word.endswith("ing") and words.at(at - 1) not in _DETERMINERS:
            break
        at -= 1
    at = head
    while words.joined(at - 1, at) and words.at(at - 1) in _ADJECTIVES:
        at -= 1
    return at, at


def _base(word: str) -> tuple[str, str]:
    """A noun without the suffix of its possessive, and that suffix."""
    if word in _MISSING_APOSTROPHE:
        return _MISSING_APOSTROPHE[word], "'s"
    if word.endswith("'s") and word[:-2] in NOUNS:
        return word[:-2], "'s"
    if word.endswith("'") and word[:-1] in NOUNS:
        return word[:-1], "'"
    return word, ""


def _singular(plural: str) -> str:
    return next(one for one, many in PLURALS.items() if many == plural)


def _is_voice(word: str) -> bool:
    return word in VOICES or (word != "" and word in VOICES.values())


def _is_of_animal(words: Words, i: int) -> bool:
    """Whether an animal's name follows, as in "male frog" and "male and female frogs"."""
    at = i + 3 if words.at(i + 1) in {"and", "or"} and words.at(i + 2) in NOUNS else i + 1
    return words.joined(i, at) and (words.at(at) in ANIMALS or words.at(at).removesuffix("s") in ANIMALS)


def _occurrences(words: Words, phrase: tuple[str, ...]) -> Iterator[int]:
    for i in range(len(words) - len(phrase) + 1):
        if words.lower[i : i + len(phrase)] == phrase:
            yield from range(i, i + len(phrase))
