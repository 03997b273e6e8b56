"""Several persons in one caption: who were told apart by their sex are told apart by other means, or counted."""

from __future__ import annotations

from openclap.captions.debias.lexicon import NOUNS, NUMBERS
from openclap.captions.debias.phrases import POSSESSIVES, SEVERAL, Phrase, plural_of
from openclap.captions.debias.pronouns import verbs_from
from openclap.captions.verbs import SINGULAR_VERBS, is_adverb, plural_form
from openclap.captions.words import Edit, Words, word_set

_ONE = frozenset({"a", "an", "one", ""})
_VAGUE = SEVERAL | {"other", "different"}
_OPENERS = word_set("and while as when then before after because but where whilst") | {""}


class Cast:
    """Who has come up so far in a caption.

    "A man speaks and a woman laughs" is "a person speaks and another person laughs", for "a person … a person" may be
    one and the same; and where both are there, "the woman" is "the other person".
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, tuple[str, ...]], list[str | None]] = {}
        self._pairs: set[str] = set()
        self._told: dict[str, list[str | None]] = {}

    def determiner(self, phrase: Phrase) -> str:
        """The determiner that the phrase should have, and a note of who came up."""
        if phrase.is_plural or not phrase.is_countable:
            return phrase.determiner
        noun = phrase.noun.removesuffix("'s").split(" ")[-1]
        seen = self._seen.setdefault((noun, phrase.kept), [])
        if phrase.determiner in _ONE:
            is_other = bool(seen) and phrase.sex not in seen
            if phrase.sex not in seen:
                seen.append(phrase.sex)
            can_tell = bool(phrase.determiner) or phrase.is_alone
            return "another" if is_other and can_tell and not phrase.is_neutral else phrase.determiner
        if phrase.determiner == "the" and not phrase.is_neutral:
            told = self._told.setdefault(noun, [])
            if noun in self._pairs and not phrase.kept:
                told += [phrase.sex] if phrase.sex not in told else []
                return "one" if told.index(phrase.sex) == 0 else "the other"
            if len(seen) > 1 and phrase.sex in seen:
                return "the first" if seen.index(phrase.sex) == 0 else "the other"
            if phrase.sex not in seen and any(seen):
                seen.append(phrase.sex)
                return "the other"
        if phrase.sex not in seen:
            seen.append(phrase.sex)
        return phrase.determiner

    def enter_pair(self, first: Phrase, second: Phrase) -> None:
        """Note that two came up together."""
        if not first.is_plural and not second.is_plural:
            self._pairs.add(first.noun)


def merged(words: Words, first: Phrase, second: Phrase) -> list[Edit] | None:
    """The edits that make one phrase of two: "a man and a woman" are two people; None where they stay apart."""
    joint = _joint(words, first, second)
    if joint is None or first.is_neutral or second.is_neutral or first.is_possessive or second.is_possessive:
        return None
    if second.is_adjective:
        return _merged_adjectives(words, first, second, joint)
    if first.is_adjective or not _are_alike(first, second):
        return None
    if joint == "or":
        return [Edit(first.first, second.stop, first.noun)] if first.is_plural == second.is_plural else None
    count, verbs = _count(first, second), _verbs(words, first, second)
    if count is None or verbs is None:
        return None
    start, stop = first.inner if first.determiner in POSSESSIVES else first.start, second.stop
    text = " ".join(part for part in (count, *first.kept, _plural(first)) if part)
    if joint == "," and "," in words.gaps[stop]:
        text, stop = f"{text} {words.words[stop]}", stop + 1  # a list of two has no comma before its "and"
    return [Edit(start, stop, text), *(Edit(at, at + 1, plural_form(words.at(at))) for at in verbs)]


def _are_alike(first: Phrase, second: Phrase) -> bool:
    """Whether both are called the same, and what is said of the first fits the second: "a young man and woman"."""
    shared = first.kept == second.kept or not (second.kept or second.determiner)
    return shared and _plural(first) == _plural(second)


def _verbs(words: Words, first: Phrase, second: Phrase) -> list[int] | None:
    """Where verbs stand in the singular that have both as their subject; None if only the second one is that.

    "While a man and a woman speaks" is a slip; but "a dog barks at a man and a woman speaks" has two clauses.
    """
    at = second.stop
    while is_adverb(words.at(at)):
        at += 1
    if (
        first.is_plural
        or second.is_plural
        or words.at(at) not in SINGULAR_VERBS
        or not words.joined(second.stop - 1, at)
    ):
        return []
    begins_clause = "," in words.gaps[first.start] or words.at(first.start - 1) in _OPENERS
    return verbs_from(words, at) if begins_clause else None


def _plural(phrase: Phrase) -> str:
    return phrase.noun if phrase.is_plural else plural_of(phrase.noun)


def _merged_adjectives(words: Words, first: Phrase, second: Phrase, joint: str) -> list[Edit] | None:
    """The edits that make voices of "male and female voices", and two of "a male and a female voice"."""
    if words.at(first.stop - 1) not in {"male", "female"} or first.kept or second.kept or joint == ",":
        return None
    if second.is_plural or not second.is_countable:
        return [Edit(first.first, second.stop, second.noun)] if second.start == second.inner else None
    if first.determiner not in _ONE or second.determiner not in _ONE:
        return None
    count = "two" if joint == "and" else first.determiner
    noun = plural_of(second.noun) if joint == "and" else second.noun
    return [Edit(first.start, second.stop, f"{count} {noun}".strip())]


def _joint(words: Words, first: Phrase, second: Phrase) -> str | None:
    """What joins two phrases: "and", "or", or "," in a list that goes on; None if they do not stand side by side."""
    if second.start == first.stop + 1 and words.joined(first.stop - 1, second.start):
        return words.at(first.stop) if words.at(first.stop) in {"and", "or"} else None
    if second.start != first.stop:
        return None
    if words.gaps[second.start].strip() in {"/", "&"}:
        return {"/": "or", "&": "and"}[words.gaps[second.start].strip()]
    if words.joined(first.stop - 1, second.start):
        return "and" if second.start == second.inner else None  # "a man woman speak"
    goes_on = words.at(second.stop) == "and" and words.at(second.stop + 1) in _LIST_END | NOUNS.keys()
    return "," if words.gaps[second.start] == ", " and goes_on else None


_LIST_END = word_set("a an the another some several two three children child kids baby babies boys girls")


def _count(first: Phrase, second: Phrase) -> str | None:
    """The determiner of two phrases made one; None where there is none that is true of both."""
    one, other = first.determiner, second.determiner
    are_single = not (first.is_plural or second.is_plural)
    if one in POSSESSIVES:
        return None if other else ""
    if one == "the":
        return ("the two" if are_single else "the") if other in {"", "the"} else None
    if one in {"both", "another"} and other in _ONE:
        return {"both": "two", "another": "two other"}[one] if are_single else ("" if one == "both" else None)
    numbers = [_number(phrase) for phrase in (first, second)]
    if None not in numbers:
        total = sum(number or 0 for number in numbers)
        return NUMBERS[total] if total < len(NUMBERS) else None
    if are_single or not {one, other} <= _VAGUE | _ONE:
        return None
    vague = [phrase.determiner for phrase in (first, second) if phrase.is_plural and phrase.determiner in _VAGUE]
    return vague[0] if vague else ""


def _number(phrase: Phrase) -> int | None:
    if not phrase.is_plural:
        return 1 if phrase.determiner in _ONE else None
    return NUMBERS.index(phrase.determiner) if phrase.determiner in NUMBERS else None
