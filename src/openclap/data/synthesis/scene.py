"""Scenes: which sources sound when, how often and how loud, and the mix of them in one room.

A scene is a sequence of up to three events that do not overlap, over at most one continuous background, so that "then"
and "while" in its captions are true by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from openclap.data.synthesis.dsp import Samples, add_at, faded, loudness_db, room
from openclap.data.synthesis.source import Source, Take, sources

Kind = Literal["single", "scene"]
Loudness = Literal["soft", "normal", "loud"]
Role = Literal["foreground", "background"]

LEVELS_DB: dict[Loudness, float] = {"soft": -34.0, "normal": -25.0, "loud": -16.0}
"""Loudness of an event in dB re full scale; each event strays from it by at most `LEVEL_SPREAD_DB`."""
LEVEL_SPREAD_DB = 1.5
BACKGROUND_DB = -8.0
"""A background lies this much lower than an event in front that is called equally loud."""

NEEDED = "a scene needs at least three countable sources and a continuous one to choose from"

_GAP_S = 0.15
_HISS_DB = -75.0  # no recording is digitally silent


@dataclass(frozen=True)
class Event:
    """One source that sounds in a scene.

    Attributes:
        source: its name in the registry.
        role: an event of the sequence in front, or the background that lasts throughout.
        order: 1, 2, … in the sequence; None for a background.
        count: strokes of a countable source; None for a continuous one.
        loudness: soft, normal or loud.
        start_s: when it begins.
        end_s: when its last stroke, or the continuous sound, has ended.
        level_db: its loudness in dB re full scale, without the room.
        distance: 0 (near, dry) to 1 (far, mostly echo).
        parameters: what was drawn for its sound.
    """

    source: str
    role: Role
    order: int | None
    count: int | None
    loudness: Loudness
    start_s: float
    end_s: float
    level_db: float
    distance: float
    parameters: dict[str, float]

    def plain(self) -> dict[str, Any]:
        """JSON-ready values, rounded to what can be heard."""
        values = asdict(self)
        for key in ("start_s", "end_s", "level_db", "distance"):
            values[key] = round(float(values[key]), 3)
        values["parameters"] = {key: round(float(value), 3) for key, value in self.parameters.items()}
        return values


@dataclass(frozen=True, eq=False)
class Scene:
    """What was mixed, and the sound of it: the sequence first, the background last."""

    samples: Samples
    kind: Kind
    events: tuple[Event, ...]
    reverberation_s: float

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names of what is heard, each once."""
        return tuple(dict.fromkeys(sources.get(event.source).label for event in self.events))


def single(rng: np.random.Generator, name: str, rate_hz: int, duration_s: float) -> Scene:
    """A clip of one source alone."""
    return _mix(rng, "single", [sources.get(name)], None, rate_hz, duration_s)


def enough(known: Sequence[Source]) -> bool:
    """Whether scenes can be drawn from these sources."""
    countable = sum(source.countable for source in known)
    return countable >= 3 and countable < len(known)


def scene(rng: np.random.Generator, names: Sequence[str], rate_hz: int, duration_s: float) -> Scene:
    """A mixed scene of two to four of the sources named.

    Raises:
        ValueError: if they are not `enough`.
    """
    known = [sources.get(name) for name in names]
    if not enough(known):
        raise ValueError(f"{NEEDED}, but got {list(names)}")
    countable = [source for source in known if source.countable]
    continuous = [source for source in known if not source.countable]
    has_background = rng.random() < 0.55
    length = int(rng.choice([1, 2, 3], p=[0.35, 0.45, 0.2] if has_background else [0.0, 0.65, 0.35]))
    background = continuous[rng.integers(len(continuous))] if has_background else None
    # A continuous sound needs a second or two to be known for what it is: it has no place among three events.
    choice = countable if length == 3 or rng.random() < 0.5 else [s for s in known if s is not background]
    front = [choice[i] for i in rng.permutation(len(choice))[:length]]
    return _mix(rng, "scene", front, background, rate_hz, duration_s)


def _mix(
    rng: np.random.Generator,
    kind: Kind,
    front: Sequence[Source],
    background: Source | None,
    rate_hz: int,
    duration_s: float,
) -> Scene:
    n = round(duration_s * rate_hz)
    dry, echo = np.zeros(n, dtype=np.float32), np.zeros(n, dtype=np.float32)
    events = []
    shares = rng.uniform(0.8, 1.2, len(front))
    edges_s = np.concatenate([[0.0], np.cumsum(shares / shares.sum())]) * (duration_s - 0.1) + 0.05
    for order, source in enumerate(front, start=1):
        start_s, end_s = float(edges_s[order - 1]), float(edges_s[order])
        event, sound = _event(rng, source, "foreground", order, start_s, end_s - _GAP_S, rate_hz)
        _add(dry, echo, sound, event, rate_hz)
        events.append(event)
    if background is not None:
        event, sound = _event(rng, background, "background", None, 0.0, duration_s, rate_hz)
        _add(dry, echo, sound, event, rate_hz)
        events.append(event)
    reverberation_s = float(rng.uniform(0.15, 0.9))
    mixed = dry + room(rng, echo, rate_hz, reverberation_s)
    mixed += np.float32(10 ** (_HISS_DB / 20)) * rng.standard_normal(n, dtype=np.float32)
    peak = float(np.abs(mixed).max())
    if peak > 0.99:  # as one would turn down a recording that clips: the relations within the scene stay
        mixed *= np.float32(0.99 / peak)
    return Scene(mixed, kind, tuple(events), reverberation_s)


def _event(
    rng: np.random.Generator,
    source: Source,
    role: Role,
    order: int | None,
    start_s: float,
    end_s: float,
    rate_hz: int,
) -> tuple[Event, Samples]:
    """An event that fits between two times, and its sound, set to its level."""
    take = source.draw(rng, rate_hz)
    count: int | None = None
    if source.interval_s is not None:
        sound, count = _strokes(rng, take, source.interval_s, end_s - start_s, rate_hz)
    else:
        share = 1.0 if role == "background" else rng.uniform(0.8, 1.0)
        sound = faded(take.play(share * (end_s - start_s)), rate_hz, 0.04)
    start_s += float(rng.uniform(0, max(0.0, end_s - start_s - len(sound) / rate_hz)))
    loudness: Loudness = ("soft", "normal", "loud")[rng.choice(3, p=_ODDS[role])]
    level_db = LEVELS_DB[loudness] + float(rng.uniform(-LEVEL_SPREAD_DB, LEVEL_SPREAD_DB))
    if role == "background":
        level_db += BACKGROUND_DB
    sound = sound * np.float32(10 ** ((level_db - loudness_db(sound, rate_hz)) / 20))
    finish_s = start_s + len(sound) / rate_hz
    distance = float(rng.random() ** 1.5)
    parameters = {key: float(value) for key, value in take.parameters.items()}
    return Event(source.name, role, order, count, loudness, start_s, finish_s, level_db, distance, parameters), sound


_ODDS: dict[Role, tuple[float, float, float]] = {"foreground": (0.25, 0.45, 0.3), "background": (0.4, 0.6, 0.0)}


def _strokes(
    rng: np.random.Generator, take: Take, interval_s: tuple[float, float], room_s: float, rate_hz: int
) -> tuple[Samples, int]:
    """As many strokes as were drawn and fit, one after the other, and their number."""
    step_s = rng.uniform(*interval_s)
    first = take.play(room_s)
    fit = 1 + int((room_s - len(first) / rate_hz) / (step_s * 1.04))
    count = min(fit, int(rng.choice([1, 2, 3, 4], p=[0.3, 0.3, 0.25, 0.15])))
    canvas = np.zeros(round(room_s * rate_hz), dtype=np.float32)
    end = 0
    for stroke in range(count):
        at_s = stroke * step_s * (rng.uniform(0.96, 1.04) if stroke else 1.0)
        sound = first if stroke == 0 else take.play(room_s - at_s)
        at = round(at_s * rate_hz)
        add_at(canvas, faded(sound, rate_hz, 0.004) * np.float32(rng.uniform(0.9, 1.0)), at)
        end = min(len(canvas), at + len(sound))
    return canvas[:end], count


def _add(dry: Samples, echo: Samples, sound: Samples, event: Event, rate_hz: int) -> None:
    """Put a sound into the mix: a far one sends more into the room than it brings straight."""
    start = round(event.start_s * rate_hz)
    add_at(dry, sound * np.float32(1.0 - 0.5 * event.distance), start)
    add_at(echo, sound * np.float32(0.05 + 0.45 * event.distance), start)
