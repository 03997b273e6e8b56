"""Captions of a scene from a small grammar: what sounds, how often, how loud, and in what order.

Three forms of the same truth:
    clauses       "A dog barks loudly three times, then a bell rings softly once while rain falls"
    noun phrases  "Three loud dog barks followed by a soft bell ring, with rain in the background"
    brief         "A dog barking and then a bell ringing, with rain falling" (neither number nor loudness)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from openclap.data.synthesis.scene import Event, Scene
from openclap.data.synthesis.source import Words, sources

_TIMES = {1: "once", 2: "twice", 3: "three times", 4: "four times"}
_NUMBERS = {2: "two", 3: "three", 4: "four"}
_ADVERBS = {"soft": ("softly", "quietly"), "loud": ("loudly",), "normal": ("",)}
_ADJECTIVES = {"soft": ("soft", "quiet"), "loud": ("loud",), "normal": ("",)}

_CLAUSE_ORDERS = {
    1: ("{0}",),
    2: ("{0}, then {1}", "{0}, and then {1}", "{0} before {1}", "{1} after {0}", "first {0}, then {1}"),
    3: ("{0}, then {1}, then {2}", "{0}, then {1}, and finally {2}", "first {0}, then {1}, then {2}"),
}
_CLAUSE_BACKGROUNDS = ("{front} while {back}", "while {back}, {front}", "{front} as {back} in the background")
_NOUN_ORDERS = {
    1: ("{0}",),
    2: ("{0} followed by {1}", "{0}, then {1}", "{0} and then {1}"),
    3: ("{0}, then {1}, then {2}", "{0} followed by {1} and then {2}"),
}
_NOUN_BACKGROUNDS = ("{front}, with {back} in the background", "{front} over {back}")
_BRIEF_ORDERS = {1: ("{0}",), 2: ("{0} and then {1}",), 3: ("{0}, {1}, and then {2}",)}
_BRIEF_BACKGROUNDS = ("{front}, with {back}", "{front}, with {back} in the background")


def captions(rng: np.random.Generator, scene: Scene) -> tuple[str, ...]:
    """Two or three different captions of a scene; the first two state all that is known of it."""
    forms = (
        _sentence(rng, scene, clause, _CLAUSE_ORDERS, _CLAUSE_BACKGROUNDS),
        _sentence(rng, scene, noun_phrase, _NOUN_ORDERS, _NOUN_BACKGROUNDS),
        _sentence(rng, scene, brief, _BRIEF_ORDERS, _BRIEF_BACKGROUNDS),
    )
    return tuple(dict.fromkeys(forms))


def clause(rng: np.random.Generator, event: Event) -> str:
    """An event as a clause: "a dog barks loudly three times"."""
    words = _words(rng, event)
    adverb = _pick(rng, _ADVERBS[event.loudness])
    return _joined(words.subject, words.verb, adverb, words.tail, _TIMES[event.count] if event.count else "")


def noun_phrase(rng: np.random.Generator, event: Event) -> str:
    """An event as a noun phrase: "three loud dog barks"."""
    words = _words(rng, event)
    adjective = _pick(rng, _ADJECTIVES[event.loudness])
    if event.count is not None and event.count > 1:
        return _joined(_NUMBERS[event.count], adjective, words.plural)
    phrase = _joined(adjective, words.noun)
    return phrase if words.mass else f"{article(phrase)} {phrase}"


def brief(rng: np.random.Generator, event: Event) -> str:
    """An event without its number and loudness: "a dog barking"."""
    words = _words(rng, event)
    return _joined(words.subject, words.participle, words.tail)


def article(phrase: str) -> str:
    """The article "a" or "an", by the first letter: no word here begins with a silent h or a "yoo"."""
    return "an" if phrase[0] in "aeiou" else "a"


def _sentence(
    rng: np.random.Generator,
    scene: Scene,
    speak: Callable[[np.random.Generator, Event], str],
    orders: Mapping[int, Sequence[str]],
    backgrounds: Sequence[str],
) -> str:
    parts = [speak(rng, event) for event in scene.events if event.role == "foreground"]
    text = _pick(rng, orders[len(parts)]).format(*parts)
    for event in scene.events:
        if event.role == "background":
            text = _pick(rng, backgrounds).format(front=text, back=speak(rng, event))
    return text[0].upper() + text[1:]


def _words(rng: np.random.Generator, event: Event) -> Words:
    known = sources.get(event.source).words
    return known[int(rng.integers(len(known)))]


def _pick(rng: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(rng.integers(len(choices)))]


def _joined(*words: str) -> str:
    return " ".join(word for word in words if word)
