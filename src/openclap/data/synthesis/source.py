"""What a sound source is, and the registry of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from openclap.data.synthesis.dsp import Samples
from openclap.registry import Registry


@dataclass(frozen=True)
class Words:
    """How captions speak of a source.

    Attributes:
        subject: who sounds, with its article: "a dog", "rain", "someone".
        verb: agreeing with the subject: "barks", "falls", "knocks".
        participle: "barking", "falling", "knocking".
        noun: one of it, without an article: "dog bark", "rain", "knock on a door".
        plural: several of it ("dog barks"); empty for what cannot be counted.
        tail: what follows the adverb: "on a door".
        mass: the noun takes no article even when there is one of it ("rain", "footsteps").
    """

    subject: str
    verb: str
    participle: str
    noun: str
    plural: str = ""
    tail: str = ""
    mass: bool = False


@dataclass(frozen=True)
class Take:
    """One draw of a source: this dog, this rain.

    Attributes:
        play: gives the sound for at most so many seconds: one stroke (bark, knock) of its own length from a countable
            source, or exactly so many seconds of a continuous one. Called again it repeats with small variations.
        parameters: what was drawn, for the manifest: pitch_hz, rate_hz, ….
    """

    play: Callable[[float], Samples]
    parameters: Mapping[str, float]


Draw = Callable[[np.random.Generator, int], Take]


@dataclass(frozen=True)
class Source:
    """A kind of sound.

    Attributes:
        name: as registered: "door-knock".
        words: one or more ways to speak of it.
        draw: (generator, sample rate in Hz) to a `Take`.
        interval_s: range of the time from one stroke to the next, or None for a continuous sound.
    """

    name: str
    words: tuple[Words, ...]
    draw: Draw
    interval_s: tuple[float, float] | None = None

    @property
    def label(self) -> str:
        """Its class name, as one says it: "door knock"."""
        return self.name.replace("-", " ")

    @property
    def countable(self) -> bool:
        """Whether it sounds in single strokes that a caption counts."""
        return self.interval_s is not None


sources: Registry[Source] = Registry("sound source", "openclap.data.synthesis.sources")


def source(name: str, *words: Words, interval_s: tuple[float, float] | None = None) -> Callable[[Draw], Draw]:
    """A decorator that registers a draw function as a source."""

    def enter(draw: Draw) -> Draw:
        sources.add(name, Source(name, words, draw, interval_s))
        return draw

    return enter
