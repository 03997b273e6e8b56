"""Negatives of the made soundscapes are false of the scene: its events say when, how often and how loud each one is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from openclap.captions.negatives.make import negatives
from openclap.data.corpora.soundscapes import SoundscapesConfig, render
from openclap.data.synthesis.scene import Event, Scene
from openclap.data.synthesis.source import sources

LINK = re.compile(
    r",? and then |,? and finally |,? then |, and | (?:followed|preceded) by |, with "
    r"| (?:before|after|while|as|over) |, ",
    re.IGNORECASE,
)
NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "once": 1, "twice": 2, "three times": 3, "four times": 4}
LOUDNESS = {"soft": "soft", "quiet": "soft", "faint": "soft", "loud": "loud"}


def is_true(text: str, scene: Scene) -> bool:
    """Whether all that a caption says of order, number and loudness is so; read without the code under test."""
    text = text.removeprefix("First ").removeprefix("first ")
    opening = re.match(r"(?i)while ([^,]*), (.*)", text)
    if opening:  # said the other way round, it is the same
        text = f"{opening[2]} while {opening[1]}"
    parts, links = LINK.split(text), [link.strip(" ,") for link in LINK.findall(text)]
    told = [(event_of(part, scene), part) for part in parts]
    claims = [*(claim for event, part in told for claim in numbers_and_loudness(part, event))]
    for (one, _), link, (other, _) in zip(told, links, told[1:], strict=False):
        claims.append(in_time(one, link, other))
    return all(claims)


def event_of(part: str, scene: Scene) -> Event:
    """The event that a part of a caption names."""
    matches = []
    for event in scene.events:
        for words in sources.get(event.source).words:
            forms = (f"{words.subject} {words.verb}", f"{words.subject} {words.participle}", words.plural, words.noun)
            matches += [(len(form), event) for form in forms if form and form in part.lower()]
    assert matches, part
    return max(matches, key=lambda match: match[0])[1]


def numbers_and_loudness(part: str, event: Event) -> Iterator[bool]:
    for word, count in NUMBERS.items():
        if re.search(rf"\b{word}\b(?! times)", part.lower()):
            yield event.count == count
    for word, loudness in LOUDNESS.items():
        if re.search(rf"\b{word}(ly)?\b", part.lower()):
            yield event.loudness == loudness


def in_time(one: Event, link: str, other: Event) -> bool:
    at_once = "background" in {one.role, other.role}
    if link.lower() in {"while", "as", "over", "with"}:
        return at_once
    first, second = (other, one) if link.lower() in {"after", "preceded by"} else (one, other)
    return not at_once and first.end_s <= second.start_s


@pytest.fixture(scope="module")
def scenes() -> list[tuple[Scene, tuple[str, ...]]]:
    config = SoundscapesConfig(duration_s=3.0, sample_rate_hz=8000, single_fraction=0.1)
    return [render(config, "train", index) for index in range(150)]


def test_the_captions_of_the_scenes_are_true(scenes: list[tuple[Scene, tuple[str, ...]]]) -> None:
    assert all(is_true(caption, scene) for scene, captions in scenes for caption in captions)


def test_their_negatives_are_false_whatever_the_kind(scenes: list[tuple[Scene, tuple[str, ...]]]) -> None:
    counted: Counter[str] = Counter()
    for scene, captions in scenes:
        for caption in captions:
            for text, kind in negatives(caption, captions, most=100):
                assert not is_true(text, scene), (kind, caption, text)
                counted[kind] += 1
    assert min(counted[kind] for kind in ("order", "overlap", "attribute", "count", "binding")) >= 20, counted
