"""The events of a caption that come one after the other, or at once, with the words that say so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

from openclap.captions.verbs import SINGULAR_VERBS, VERBS, is_adverb, participle, plural_form
from openclap.captions.words import Edit, Words, word_set, words_of

Form = Literal["clause", "nominal", "predicate"]


@dataclass(frozen=True)
class Event:
    """A part of a caption that speaks of one event, or of some that belong together.

    Attributes:
        start: its first character.
        stop: behind its last one.
        text: the part itself.
        form: "clause" with a subject and a finite verb ("a dog barks"), "nominal" without ("a dog barking"), or
            "predicate" for a verb whose subject stands elsewhere ("then barks").
    """

    start: int
    stop: int
    text: str
    form: Form

    @cached_property
    def content(self) -> frozenset[str]:
        """Its nouns and verbs, without their endings: what two wordings of one event have in common."""
        return frozenset(map(_stem, set(words_of(self.text).lower) - _EMPTY_WORDS))

    @property
    def points_back(self) -> bool:
        """Whether it makes sense only after what stands before it: "he laughs again"."""
        return not _BACK_REFERENCES.isdisjoint(words_of(self.text).lower)

    def refers_to(self, other: Event) -> bool:
        """Whether it speaks of "the" thing that the other one brought up."""
        return any(_stem(noun) in other.content for noun in re.findall(r"\bthe (\w+)", self.text.lower()))

    @property
    def begins_with_participle(self) -> bool:
        """Whether it has no subject of its own: "then laughing"."""
        words = words_of(self.text)
        return self.form == "nominal" and words.at(_past_adverbs(words)) in _PARTICIPLES

    @property
    def verb_phrase(self) -> Event | None:
        """What follows the subject, from the verb on; None where the verb is not clear."""
        words = words_of(self.text)
        if _SUBORDINATE.search(self.text) or {"and", "or"} & set(words.lower):
            return None
        if self.form == "nominal":
            verbs = [i for i, word in enumerate(words.lower) if word in _PARTICIPLES]
        else:
            verbs = [i for i, word in enumerate(words.lower) if word in SINGULAR_VERBS]
        if len(verbs) != 1 or words.at(verbs[0]) in {"is", "was", "has"} or words.at(verbs[0] - 1) in _NO_SUBJECT:
            return None
        at = verbs[0]
        while is_adverb(words.at(at - 1)):
            at -= 1
        start = sum(map(len, words.gaps[: at + 1])) + sum(map(len, words.words[:at]))
        return Event(self.start + start, self.stop, self.text[start:], self.form)

    @property
    def as_nominal(self) -> str | None:
        """The event with a participle for its finite verb ("a dog barking"); None where the verb is not clear."""
        words = words_of(self.text)
        verbs = [i for i, word in enumerate(words.lower) if word in SINGULAR_VERBS]
        if self.form == "nominal":
            return self.text
        if self.form != "clause" or len(verbs) != 1 or verbs[0] == 0 or _SUBORDINATE.search(self.text):
            return None
        at, verb = verbs[0], plural_form(words.at(verbs[0]))
        if verb not in VERBS:
            return None  # "is", "has"
        return words.edited([Edit(at, at + 1, participle(verb))])


@dataclass(frozen=True)
class Link:
    """What stands between two events: where, and which word it is by ("then", "followed by", "before", "while" …)."""

    start: int
    stop: int
    word: str

    @property
    def is_at_once(self) -> bool:
        """Whether it says that both events go on together."""
        return self.word in {"while", "as"}

    @property
    def turns_round(self) -> bool:
        """Whether the event on its right comes first."""
        return self.word in {"after", "preceded by"}


@dataclass(frozen=True)
class Pair:
    """Two events next to each other, as they stand in the text, and what links them."""

    left: Event
    link: Link
    right: Event

    @property
    def order(self) -> tuple[Event, Event]:
        """The two in the order in which they are heard; where they go on at once, in the order of the text."""
        return (self.right, self.left) if self.link.turns_round else (self.left, self.right)


@lru_cache(maxsize=4096)
def pairs(caption: str) -> tuple[Pair, ...]:
    """The pairs of neighbouring events in a caption of one sentence; none where it is too knotty to be sure."""
    body_stop = len(caption.rstrip(" .!\n"))
    opening = _OPENING.match(caption)
    body_start = opening.end() if opening else 0
    if _KNOTTY.search(caption, 0, body_stop):
        return ()
    links = [
        Link(match.start(), match.end(), _link_word(match[0]))
        for match in _LINK.finditer(caption, body_start, body_stop)
    ]
    # "While" and "as" tie closer than "then": they are links only where there is nothing else.
    if any(not link.is_at_once for link in links):
        links = [link for link in links if not link.is_at_once]
    elif len(links) > 1 or opening:
        return ()
    edges = [body_start, *(edge for link in links for edge in (link.start, link.stop)), body_stop]
    spans = [(edges[i], edges[i + 1]) for i in range(0, len(edges), 2)]
    found = []
    for i, link in enumerate(links):
        left = _event(caption, *_last_item(caption, *spans[i]))
        right = _event(caption, *_first_item(caption, *spans[i + 1], at_once=link.is_at_once))
        if left is not None and right is not None:
            found.append(Pair(left, link, right))
    return tuple(found)


def _event(caption: str, start: int, stop: int) -> Event | None:
    text = caption[start:stop]
    words = words_of(text)
    if not words or words.at(0) in _NO_BEGINNING:
        return None
    return Event(start, stop, text, _form(words))


def _form(words: Words) -> Form:
    if words.at(_past_adverbs(words)) in SINGULAR_VERBS:
        return "predicate"
    counted = words.at(0) in _COUNTS
    for i in range(1, len(words)):
        word, before = words.at(i), words.at(i - 1)
        if word in {"is", "are", "was", "were", "has", "have"}:
            return "clause"
        if word in SINGULAR_VERBS and not counted and before not in _NO_SUBJECT:  # of "two dog barks" it is a noun
            return "clause"
        several = (before.endswith("s") and not before.endswith("ss")) or before in _PLURALS
        if word in VERBS and (several or _COORDINATED.search(" ".join(words.lower[:i]))):
            return "clause"
    return "nominal"


def _past_adverbs(words: Words) -> int:
    return next(i for i in range(len(words) + 1) if not is_adverb(words.at(i)))


def _last_item(caption: str, start: int, stop: int) -> tuple[int, int]:
    """The last item of a list: of "A, B, and then C" the "B"."""
    comma = caption.rfind(", ", start, stop)
    item = start if comma < 0 else comma + 2
    return (item + 4 if caption[item : item + 4] == "and " else item), stop


def _first_item(caption: str, start: int, stop: int, *, at_once: bool) -> tuple[int, int]:
    """What comes up to a comma, and without what goes on meanwhile: of "B while C" the "B"."""
    comma = caption.find(", ", start, stop)
    stop = stop if comma < 0 else comma
    tail = None if at_once else _TAIL.search(caption, start + 1, stop)
    return start, stop if tail is None else tail.start()


def _link_word(link: str) -> str:
    words = link.lower().replace(",", " ").split()
    for word in ("followed", "preceded", "prior"):
        if word in words:
            return "before" if word == "prior" else f"{word} by"
    return "then" if words[-1] == "finally" else words[-1]


def _stem(word: str) -> str:
    for ending in ("ing", "ers", "er", "es", "ed", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word.removesuffix(ending)
            return stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] else stem
    return word


_HOW = r"(?:(?:shortly|immediately|closely|quickly|soon|directly|right|just)\s+)?"
_LINK = re.compile(
    rf",?\s+(?:and\s+)?(?:(?:is|are|was|were)\s+)?{_HOW}(?:followed|preceded)\s+{_HOW}by\s+"
    rf"|,?\s+(?:and\s+)?(?:then|finally)\s+|\s+{_HOW}(?:before|after)\s+|\s+prior\s+to\s+|,?\s+(?:while|as)\s+",
    re.IGNORECASE,
)
_OPENING = re.compile(r"(?:(?:while|as|when|in|on|at|over|from|near)\b[^,]*,\s+|first,?\s+)", re.IGNORECASE)
_TAIL = re.compile(r",?\s+(?:while|as)\s", re.IGNORECASE)
_SUBORDINATE = re.compile(r"\b(?:while|as|when|that|which|who)\b", re.IGNORECASE)
_COORDINATED = re.compile(r"\b\w+ and (?:an? |the |another )?\w+$")
_KNOTTY = re.compile(
    r"[.!?:;\"“”()]\s|[\"“”()]|\b(?:again|before and after|after and before|during|one after|each other|alternat\w+"
    r"|back and forth|as well|as if|as though|such as|same time|simultaneously|soon as|long as|after which|after that"
    r"|afterwards?|proceeded|throughout|continues?|resumes?|repeats?|over and over"
    r"|and (?:after|before)|shortly after$)\b",
    re.IGNORECASE,
)
"""Words that say more of the order than two events and a link do, or that leave it open."""
_NO_BEGINNING = word_set(
    "with in on at over from by of to for near into through under and or but while as when being having which who that"
)
_NO_SUBJECT = word_set("a an the of and or with by in on to loud soft several two three four some")
_PARTICIPLES = frozenset(map(participle, VERBS))
_COUNTS = word_set("two three four five six several multiple many some few numerous")
_PLURALS = word_set("people men women children sheep geese mice fish police others cattle")
_BACK_REFERENCES = word_set(
    "he she it they him her his hers their them its this that these those again more another other others also "
    "too same second third stop stops stopping end ends ending fade fades fading back next louder quieter "
    "another's one ones"
)
_EMPTY_WORDS = word_set(
    "a an the of and or in on at by to with from into over some another other more is are was were has have be "
    "being then background foreground distance nearby loudly quietly softly loud quiet soft faint faintly briefly "
    "several once twice times one two three four five again as while it he she they his her their very up down "
    "off out away around"
)
