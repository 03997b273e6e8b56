"""Captions that tell the events of a clip in another order, or one after the other what goes on at once.

CompA-order (Ghosh et al., arXiv 2310.08753) asks which of two captions tells the same events as they come. The paper's
negatives for training are written by a language model; these are made by rules, which change two neighbouring events
and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from openclap.captions.negatives.chain import Event, Link, Pair, pairs

_AT_ONCE = re.compile(r"\b(?:while|as)\b", re.IGNORECASE)
_OPPOSITE = {"before": "after", "after": "before", "followed by": "preceded by", "preceded by": "followed by"}


def order_negatives(caption: str, others: Sequence[str] = ()) -> list[str]:
    """The caption with two of its events in the other order, for each pair for which that is another meaning.

    The events change places where they have the same form; where they have not, the link changes: "before" for "after",
    "preceded by" for "followed by". An order that one of the `others` tells is left out.
    """
    known = pairs(caption)
    return [
        text
        for pair in known
        if _are_told_apart(pair, known) and not any(_tells(other, *reversed(pair.order)) for other in others)
        for text in _turned(caption, pair)
    ]


def overlap_negatives(caption: str, others: Sequence[str] = ()) -> list[str]:
    """The caption with events one after the other that go on at once, or at once what comes one after the other."""
    known = pairs(caption)
    return [
        text
        for pair in known
        if _are_told_apart(pair, known)
        and not any(_tells(other, *pair.order, at_once=not pair.link.is_at_once) for other in others)
        for text in _parted(caption, pair)
    ]


def _tells(caption: str, first: Event, second: Event, *, at_once: bool = False) -> bool:
    """Whether a caption tells that an event comes before another one, or goes on with it."""
    for pair in pairs(caption):
        for one, other in (pair.order, *([pair.order[::-1]] if at_once else [])):
            if pair.link.is_at_once == at_once and _is_same(one, first) and _is_same(other, second):
                return True
    return False


def _turned(caption: str, pair: Pair) -> Iterator[str]:
    left, link, right = pair.left, pair.link, pair.right
    if link.is_at_once:
        return
    swapped = _swapped(pair)
    if swapped is not None:
        yield _with(caption, left, swapped[0], right, swapped[1])
    if link.word in {"before", "after"} or (swapped is None and link.word in _OPPOSITE):
        yield caption[: link.start] + _linked(caption, link) + caption[link.stop :]


def _swapped(pair: Pair) -> tuple[str, str] | None:
    """What stands on the left and on the right when the events change places; None if no sentence would come of it."""
    left, right = pair.left, pair.right
    if left.points_back or right.points_back or right.refers_to(left):
        return None
    if pair.link.word == "then" and (right.form == "predicate" or right.begins_with_participle):
        first, second = left.verb_phrase, right.verb_phrase  # "a man speaks, then laughs": the verbs change places
        if first is None or second is None or (first.form == "nominal") != (second.form == "nominal"):
            return None
        subject = left.text[: first.start - left.start]
        return subject + second.text, first.text
    if left.form == right.form and left.form != "predicate":
        return right.text, left.text
    nominal = left.as_nominal
    if pair.link.word in {"followed by", "preceded by"} and right.form == "nominal" and nominal is not None:
        return right.text, nominal
    return None


def _parted(caption: str, pair: Pair) -> Iterator[str]:
    left, link, right = pair.left, pair.link, pair.right
    if right.form != "clause" or left.form == "predicate" or right.text.startswith(("it ", "they ")):
        return  # "as it rings": a part of the event before
    if link.is_at_once:
        between = ", then " if left.form == "clause" else " before "
    elif left.form == "clause" and link.word in {"then", "before", "after"} and not _AT_ONCE.search(caption):
        between = " while "
    else:
        return
    yield caption[: link.start] + between + caption[link.stop :]


def _with(caption: str, left: Event, on_left: str, right: Event, on_right: str) -> str:
    """The caption with other texts for two of its events, in the case that a sentence's first word has."""
    if left.start == 0:
        was_first, becomes_first = (on_right, on_left)
        on_left = becomes_first[:1].upper() + becomes_first[1:]
        on_right = _lowered(was_first)
    return caption[: left.start] + on_left + caption[left.stop : right.start] + on_right + caption[right.stop :]


def _lowered(text: str) -> str:
    first, _, rest = text.partition(" ")
    is_name = rest[:1].isupper() or not (first[1:].islower() or len(first) == 1) or first == "I"
    return text if is_name else text[:1].lower() + text[1:]


def _linked(caption: str, link: Link) -> str:
    """The link turned round: its verb and the words around it stay."""
    old = caption[link.start : link.stop]
    if link.word == "before" and "prior" in old.lower():
        return " after "
    word = link.word.partition(" ")[0]
    return re.sub(rf"\b{word}\b", _OPPOSITE[link.word].partition(" ")[0], old, flags=re.IGNORECASE)


def _are_told_apart(pair: Pair, known: Sequence[Pair]) -> bool:
    """Whether the two are different events, and neither of them comes up a second time in the caption."""
    if not pair.left.content or not pair.right.content or _is_same(pair.left, pair.right):
        return False
    others = [event for other in known for event in (other.left, other.right)]
    return not any(
        _is_same(event, one)
        for event in others
        for one in (pair.left, pair.right)
        if event.stop <= pair.left.start or event.start >= pair.right.stop
    )


def _is_same(one: Event, other: Event) -> bool:
    """Whether two events have more than half of their words in common: then they may be the same one."""
    common = len(one.content & other.content)
    return common > 0.5 * min(len(one.content), len(other.content))
