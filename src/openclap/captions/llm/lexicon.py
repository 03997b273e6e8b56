"""Words for sound events, and which of them may stand for each other: what a caption names, and whether it may.

Terms are single words or phrases, compared by their stems ("barking" is "bark"). They come from AudioSet's 527 class
names (Gemmeke et al., 2017), from a packaged file of kinds of sound with more words for each, and from a file of the
user's in the same form:

    dog < animal: dog, puppy, bark, growl        the kind, what it is a case of, and words for it
    !: run, light                                words that are no sound events, though a class name says so

A caption may name what the evidence names: the same words, a word of the same kind ("canine" for "dog"), or of a kind
that the evidence is a case of ("an animal" for "dog"; not "a dog" for "animal").
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from openclap.errors import ConfigError
from openclap.optional import require

Stems = tuple[str, ...]


@dataclass
class Lexicon:
    """Terms with their kinds.

    Attributes:
        kinds: of each term, by its stems; a term may have several, or none but itself.
        parents: what each kind is a case of.
        ignored: terms that are not judged.
    """

    kinds: dict[Stems, set[str]] = field(default_factory=dict)
    parents: dict[str, set[str]] = field(default_factory=dict)
    ignored: set[Stems] = field(default_factory=set)

    def mentions(self, text: str) -> list[tuple[str, Stems]]:
        """The terms that a text names, as written and as stems; of overlapping ones the longest."""
        words = _WORD.findall(text.lower())
        stems = [stem(word) for word in words]
        found, at = [], 0
        while at < len(stems):
            for length in range(min(_LONGEST, len(stems) - at), 0, -1):
                term = tuple(stems[at : at + length])
                if term in self.kinds and term not in self.ignored:
                    found.append((" ".join(words[at : at + length]), term))
                    break
            else:
                length = 1
            at += length
        return found

    def known(self, texts: Iterable[str]) -> Known:
        """What these texts entitle a caption to name."""
        texts = list(texts)
        stems = {stem(word) for text in texts for word in _WORD.findall(text.lower())}
        kinds = {kind for text in texts for _, term in self.mentions(text) for kind in self.kinds[term]}
        return Known(frozenset(stems), frozenset(self._with_parents(kinds)))

    def unfounded(self, text: str, known: Known, *, manner: bool = False) -> list[str]:
        """The sound events in a text that are not known, as written.

        Args:
            text: a caption.
            known: what it may name.
            manner: whether it may also name kinds that are a case of `manner`: how things sound, whatever they are.
        """
        return [
            words
            for words, term in self.mentions(text)
            if not (known.stems.intersection(term) or known.kinds & self.kinds[term])
            and not (manner and any("manner" in self.parents.get(kind, ()) for kind in self.kinds[term]))
        ]

    def related(self, text: str, known: Known) -> bool:
        """Whether a text shares a word that says something, or a kind of sound, with what is known."""
        stems = {stem(word) for word in _WORD.findall(text.lower())} - _empty_stems()
        return bool(stems & known.stems) or any(known.kinds & self.kinds[term] for _, term in self.mentions(text))

    def says_something(self, known: Known) -> bool:
        """Whether anything is known that a caption could share."""
        return bool(known.kinds or (known.stems - _empty_stems()))

    def read(self, text: str, origin: str) -> None:
        """Add the kinds and words of a file.

        Raises:
            ConfigError: for a line that is not of the form, with its number.
        """
        for number, written in enumerate(text.splitlines(), 1):
            line = written.partition("#")[0].strip()
            if not line:
                continue
            head, colon, words = line.partition(":")
            kind, _, parents = (part.strip() for part in head.partition("<"))
            terms = [_stems(word) for word in words.split(",") if word.strip()]
            if not colon or not kind or not all(terms):
                raise ConfigError(f"{origin}:{number}: a line is like 'dog < animal: dog, puppy, bark', not {line!r}")
            if kind == "!":
                self.ignored.update(terms)
                continue
            self.parents.setdefault(kind, set()).update(parents.replace(",", " ").split())
            for term in terms:
                self.kinds.setdefault(term, set()).add(kind)
        unknown = {parent for parents in self.parents.values() for parent in parents} - set(self.parents)
        if unknown:
            raise ConfigError(f"{origin}: a kind is said to be a case of {sorted(unknown)}, which no line describes")

    def _with_parents(self, kinds: set[str]) -> set[str]:
        found, new = set(kinds), set(kinds)
        while new := {parent for kind in new for parent in self.parents.get(kind, ())} - found:
            found |= new
        return found


@dataclass(frozen=True)
class Known:
    """What is known of a clip.

    Attributes:
        stems: of all words.
        kinds: of all sounds that are named, with what they are cases of.
    """

    stems: frozenset[str]
    kinds: frozenset[str]


def load_lexicon(synonyms: Path | None = None) -> Lexicon:
    """The packaged lexicon, with the user's words added.

    Raises:
        ConfigError: if the user's file cannot be read.
    """
    lexicon = Lexicon()
    lexicon.read(_packaged("sound-events.txt"), "sound-events.txt")
    if synonyms is not None:
        try:
            lexicon.read(synonyms.read_text(encoding="utf-8"), str(synonyms))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"gates.synonyms: {synonyms}: cannot be read ({error})") from error
    for label in audioset_labels():
        terms = [_stems(part) for part in _PARTS.split(label)]
        kinds = {kind for term in terms for kind in lexicon.kinds.get(term, ())} or {label}
        for term in terms:
            if term:
                lexicon.kinds.setdefault(term, set()).update(kinds)
    return lexicon


def audioset_labels() -> list[str]:
    """AudioSet's 527 class names, in the order of its indices."""
    lines = _packaged("audioset-labels.txt").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """A word without its endings, as Porter's second stemmer has it: "barking" and "barks" are "bark"."""
    if word in _SAME:
        return _SAME[word]
    with _STEMMING:  # the stemmer keeps the word that it is at: of two threads' words it would make a third
        return str(_stemmer().stemWord(word))


_STEMMING = threading.Lock()
# Forms that no rule brings together.
_SAME = {
    "men": "man", "women": "woman", "children": "child", "people": "person", "mice": "mous", "geese": "goos",
    "speech": "speak", "spoke": "speak", "spoken": "speak", "sang": "sing", "sung": "sing", "song": "sing",
    "laughter": "laugh", "blew": "blow", "blown": "blow", "ran": "run", "rang": "ring", "hooves": "hoof",
    "neighing": "neigh", "thunderstorm": "thunder", "typewriter": "typewrit", "whizz": "whiz",
}  # fmt: skip
_LONGEST = 4
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_PARTS = re.compile(r"\s*(?:[,(]|\)|\band\b|\bor\b)\s*")
_EMPTY = """
a an and are as at be been being but by can could for from had has have he her hers him his i in into is it its of off
on onto or our out over she so some someone something than that the their them then there these they this those to too
under up very was we were what when where which while who will with you your
background clip distance end faint far foreground front hear loud low near noise quiet record recording sound sounding
several soft sudden
"""


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    return require("snowballstemmer", extra="captions", purpose="comparing the words of captions").stemmer("english")


@lru_cache(maxsize=1)
def _empty_stems() -> frozenset[str]:
    return frozenset(map(stem, _EMPTY.split()))


def _stems(text: str) -> Stems:
    return tuple(stem(word) for word in _WORD.findall(text.lower()))


def _packaged(name: str) -> str:
    return (resources.files("openclap.captions") / "lexicons" / name).read_text(encoding="utf-8")


def words_of(text: str) -> Sequence[str]:
    """The words of a text, as the gates count them."""
    return _WORD.findall(text)
