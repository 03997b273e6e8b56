"""Labels as they would stand in a sentence: "Vehicle horn, car horn, honking" is "a vehicle horn".

Data sets write labels in many ways (dog_bark, DogBark, "Dog bark", "Bark, yip (of a dog)"), and never with an article.
Rules over the words, with small lists of those that rules cannot know (`lexicons/nouns.txt`); English only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from openclap.captions.words import article, word_set


@dataclass(frozen=True)
class Phrase:
    """A label in a sentence.

    Attributes:
        text: with its article, where it takes one.
        is_quality: whether it says how something sounds ("staccato", "note G4"), and not what.
    """

    text: str
    is_quality: bool = False


def readings(label: str) -> list[str]:
    """What a label says, in words: one reading, or several where it gives synonyms with commas between.

    "Vehicle horn, car horn, honking" has three, and "Dishes, pots, and pans" is one; FSD50K's spelling of them, with
    _and_ for every comma, is read as AudioSet's. Snake_case and CamelCase are taken apart, remarks in brackets are left
    out, and capitals stay only on names and abbreviations.
    """
    label = _audioset().get(_letters(label), label) if "_and_" in label else label
    plain = re.sub(r"\s*[(\[{][^)\]}]*[)\]}]?", "", label).strip() or label.strip("()[]{} ")
    parts = [plain] if re.search(r",\s*(and|or)\b", plain) else plain.split(",")
    words = [spoken for part in parts if (spoken := _spoken(part))]
    return list(dict.fromkeys(words)) or [label.strip()]


def phrase(words: str) -> Phrase:
    """Words of a label as they would stand in a sentence: with "a" or "an" where English has one."""
    parts = words.split()
    if not parts:
        return Phrase(words)
    if _is_quality(parts):
        return Phrase(words, is_quality=True)
    if not _takes_article(parts):
        return Phrase(words)
    spelt_out = len(parts[0]) > 1 and parts[0].isupper()  # an MP3 player, a TV set
    before = ("an" if parts[0][0] in "AEFHILMNORSX" else "a") if spelt_out else article(parts[0])
    return Phrase(f"{before} {words}")


def joined(phrases: Iterable[Phrase]) -> list[str]:
    """Phrases as items of a list: what says how something sounds goes with what stands before it.

    "violin", "note G4", "staccato" become one item, "a violin playing note G4, staccato".
    """
    items: list[str] = []
    waiting: list[str] = []
    noted = False
    for part in phrases:
        text = "piano" if part.text == "a piano" and noted else part.text  # after a note, how softly it is played
        if not (part.is_quality or text == "piano"):
            items.append(text)
        elif not items:
            waiting.append(text)
        else:
            items[-1] += f" playing {text}" if text.startswith("note ") else f", {text}"
        noted = noted or text.startswith("note ")
    if waiting and items:
        items[0] += f", {', '.join(waiting)}"
    return items or waiting


@cache
def _lists() -> dict[str, frozenset[str]]:
    kinds = re.split(r"\[(\w+)\]", "\n".join(_lines("nouns.txt")))[1:]
    return {kind: word_set(words) for kind, words in zip(kinds[::2], kinds[1::2], strict=True)}


@cache
def _audioset() -> dict[str, str]:
    return {_letters(label): label for label in _lines("audioset-labels.txt")}


def _letters(label: str) -> str:
    """What the spellings of one class have in common."""
    return "".join(word for word in re.findall("[a-z]+", label.lower()) if word != "and")


def _lines(name: str) -> list[str]:
    text = files("openclap.captions").joinpath(f"lexicons/{name}").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


_NOTE = re.compile(r"note [A-Ga-g]( sharp| flat|#|b)? ?-?\d", re.IGNORECASE)
_NUMBERS = word_set("zero one two three four five six seven eight nine ten eleven twelve")
_NAMES_OF_MUSIC = {"drum and bass"}
_PREPOSITIONS = word_set("of on in with without from to at by for into over under during near through and")
_JOINTS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z])(?=\d)")
_NOT_GERUNDS = word_set(
    "bling boing building ceiling cling clothing darling ding evening fling king lightning morning ping railing ring "
    "sibling sling recording spring sting string swing thing wing wedding"
)


def _spoken(part: str) -> str:
    text = part.replace("_", " ").strip()
    words = (text if " " in text else _JOINTS.sub(" ", text)).split()
    if _NOTE.fullmatch(" ".join(words)):
        return " ".join(["note", words[1].capitalize(), *words[2:]])
    return " ".join(map(_cased, words)).replace("middle Eastern", "Middle Eastern")


def _cased(word: str) -> str:
    if (name := word.capitalize()) in _lists()["name"]:
        return name
    is_abbreviation = len(word) > 1 and word.upper() == word
    return word if is_abbreviation else word.lower()


def _is_quality(parts: list[str]) -> bool:
    text = " ".join(parts)
    return "-".join(parts).lower() in _lists()["quality"] or bool(_NOTE.fullmatch(text))


def _takes_article(parts: list[str]) -> bool:
    words = [word.lower().strip(",;:.!?\"'") for word in parts]
    if (
        " ".join(words) in _NAMES_OF_MUSIC
        or words[0] in {"a", "an", "the", *_NUMBERS}
        or words[0].isdigit()
        or "or" in words[1:]
    ):
        return False
    if words[-1] in _NUMBERS or words[-1].isdigit():  # digit zero, track 12
        return False
    if any(word in _PREPOSITIONS for word in words[1:]):
        place = next(place for place, word in enumerate(words[1:], start=1) if word in _PREPOSITIONS)
        return _takes_article(words[:place])
    head = words[-1]
    if _is_gerund(head):  # barking; a dog barking; children playing; keyboard typing
        return len(words) > 1 and words[-2] in _lists()["does"]
    if _is_gerund(words[0]):  # a crying baby, but brushing teeth, and playing guitar
        return head in _lists()["does"]
    return not (head in _lists()["mass"] or _is_plural(head))


def _is_gerund(word: str) -> bool:
    return len(word) > 4 and word.endswith("ing") and word not in _NOT_GERUNDS


def _is_plural(word: str) -> bool:
    if word in _lists()["plural"]:
        return True
    return word.endswith("s") and not word.endswith(("ss", "us", "is", "'s")) and word not in _lists()["singular"]
