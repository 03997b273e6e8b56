"""Scenes hold what their events say, and captions say it truly."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest

from openclap.data.synthesis.scene import BACKGROUND_DB, LEVEL_SPREAD_DB, LEVELS_DB, Event, Scene, scene, single
from openclap.data.synthesis.source import sources
from openclap.data.synthesis.wording import captions

RATE_HZ, DURATION_S = 16000, 5.0
NAMES = tuple(sources.names())


def some_scenes(count: int) -> list[Scene]:
    return [scene(np.random.default_rng([3, seed]), NAMES, RATE_HZ, DURATION_S) for seed in range(count)]


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return some_scenes(60)


def onsets(samples: np.ndarray) -> int:
    """How many times the level rises steeply: 10 ms frames, at least 12 dB above the level 50 ms before."""
    frame = RATE_HZ // 100
    level = 10 * np.log10(np.mean(samples[: len(samples) // frame * frame].reshape(-1, frame) ** 2, axis=1) + 1e-9)
    rises = level[5:] - level[:-5] > 12
    rises &= level[5:] > level.max() - 20
    return int((np.diff(np.concatenate([[0], rises.astype(int)])) == 1).sum())


@pytest.mark.parametrize("name", ["door-knock", "drum", "dog", "car-horn", "cough", "water-drop"])
def test_n_strokes_give_n_onsets(name: str) -> None:
    counts = set()
    for seed in range(16):
        made = single(np.random.default_rng([5, seed]), name, RATE_HZ, DURATION_S)
        [event] = made.events
        if event.distance > 0.5 or made.reverberation_s > 0.6:
            continue  # echoes fill the gaps, as they do in a church
        counts.add(event.count)
        assert onsets(made.samples) == event.count, seed
    assert len(counts) >= 2


def test_a_single_clip_has_one_event_between_its_times() -> None:
    for name in NAMES:
        made = single(np.random.default_rng(1), name, RATE_HZ, DURATION_S)
        [event] = made.events
        assert (event.source, event.role, event.order) == (name, "foreground", 1)
        assert 0 <= event.start_s < event.end_s <= DURATION_S
        assert made.samples.shape == (round(DURATION_S * RATE_HZ),)
        assert made.samples.dtype == np.float32
        power = np.cumsum(made.samples.astype(np.float64) ** 2)
        before = power[max(0, round(event.start_s * RATE_HZ) - 1)] / power[-1]
        after = 1 - power[min(len(power) - 1, round((event.end_s + 0.3) * RATE_HZ))] / power[-1]
        assert before < 0.02
        assert after < 0.05  # what is left of the echo


def test_events_in_order_never_overlap_and_a_background_lasts(scenes: list[Scene]) -> None:
    for made in scenes:
        front = [event for event in made.events if event.role == "foreground"]
        back = [event for event in made.events if event.role == "background"]
        assert [event.order for event in front] == list(range(1, len(front) + 1))
        assert all(first.end_s <= second.start_s for first, second in pairwise(front))
        assert len(back) <= 1
        assert len(front) + len(back) >= 2
        assert len(made.labels) == len(made.events)
        assert all(event.start_s == 0 and event.end_s == DURATION_S for event in back)
        assert all(event.count is None or 1 <= event.count <= 4 for event in made.events)


def test_levels_keep_what_the_words_promise(scenes: list[Scene]) -> None:
    for event in (event for made in scenes for event in made.events):
        level_db = event.level_db - (BACKGROUND_DB if event.role == "background" else 0)
        assert abs(level_db - LEVELS_DB[event.loudness]) <= LEVEL_SPREAD_DB
    # The words do not overlap: the softest loud is above the loudest normal, and so on.
    assert LEVELS_DB["loud"] - LEVELS_DB["normal"] > 2 * LEVEL_SPREAD_DB
    assert LEVELS_DB["normal"] - LEVELS_DB["soft"] > 2 * LEVEL_SPREAD_DB


def test_nothing_clips_and_nothing_is_silent(scenes: list[Scene]) -> None:
    for made in scenes:
        assert 0.005 < np.abs(made.samples).max() <= 0.991
        quietest = np.abs(made.samples.reshape(-1, 800)).max(axis=1).min()
        assert quietest > 0  # no recording is digitally silent


def test_too_few_sources_for_a_scene_are_refused() -> None:
    with pytest.raises(ValueError, match="three countable sources and a continuous one"):
        scene(np.random.default_rng(0), ["rain", "wind", "waves", "fire"], RATE_HZ, DURATION_S)


def made_of(*events: tuple[str, int | None, str, bool]) -> Scene:
    listed = []
    for order, (name, count, loudness, back) in enumerate(events, start=1):
        role, place = ("background", None) if back else ("foreground", order)
        listed.append(Event(name, role, place, count, loudness, 0.0, 1.0, -20.0, 0.0, {}))  # type: ignore[arg-type]
    return Scene(np.zeros(1, dtype=np.float32), "scene", tuple(listed), 0.2)


def every_caption(made: Scene, place: int) -> set[str]:
    return {captions(np.random.default_rng(seed), made)[place] for seed in range(60)}


def test_clauses_state_number_loudness_and_order() -> None:
    made = made_of(("dog", 3, "loud", False), ("owl", 1, "soft", False), ("crickets", None, "soft", True))
    found = every_caption(made, 0)
    assert "A dog barks loudly three times, then an owl hoots softly once while crickets chirp quietly" in found
    assert "An owl hoots softly once after a dog barks loudly three times while crickets chirp softly" in found
    assert all("three times" in text and "loudly" in text and "once" in text and "crickets" in text for text in found)
    for text in found:
        dog, owl = text.lower().index("dog"), text.index("owl") if "owl" in text else 0
        assert (dog < owl) != (" after " in text)


def test_noun_phrases_have_articles_and_plurals() -> None:
    made = made_of(("door-knock", 2, "soft", False), ("alarm", None, "normal", False), ("rain", None, "normal", True))
    found = every_caption(made, 1)
    assert "Two soft knocks on a door followed by a beeping alarm, with rain in the background" in found
    assert every_caption(made_of(("owl", 1, "normal", False)), 1) == {"An owl hoot"}
    assert every_caption(made_of(("owl", 1, "loud", False)), 1) == {"A loud owl hoot"}
    assert every_caption(made_of(("rain", None, "loud", False)), 1) == {"Loud rain", "Loud rainfall"}


def test_brief_captions_state_only_what_is_heard() -> None:
    made = made_of(("dog", 3, "loud", False), ("glass", 2, "soft", False), ("clock", None, "soft", True))
    for text in every_caption(made, 2):
        assert re.match(r"A dog barking and then a glass clinking, with a clock ticking( in the background)?$", text)


def test_captions_of_a_scene_differ_and_read_as_sentences(scenes: list[Scene]) -> None:
    for seed, made in enumerate(scenes):
        texts = captions(np.random.default_rng(seed), made)
        assert 2 <= len(texts) <= 3
        assert len(set(texts)) == len(texts)
        for text in texts:
            assert text[0].isupper()
            assert not re.search(r"  | ,|[{}]|\ba [aeiou]|\ban [^aeiou]", text), text
