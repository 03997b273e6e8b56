"""Captions of labels, as published and as English has them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openclap.captions.stage import stages
from openclap.data.example import Example
from openclap.errors import ConfigError
from openclap.text.prompts import PROMPTS, label_caption, listed

LABELS = ("Dog bark", "rain", "Vehicle horn, car horn, honking")


def captions(*labels: str, clip: str = "x", **options: object) -> list[str]:
    (made,) = stages.get("template")(**options).make([Example(clip, Path("x.wav"), labels=labels)])
    return [caption.text for caption in made.captions]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "The sound of a dog bark, rain, and a vehicle horn"),
        ({"oxford": False}, "The sound of a dog bark, rain and a vehicle horn"),
        ({"grammar": False}, "The sound of Dog bark, rain, and Vehicle horn, car horn, honking"),
        ({"prompts": "laion"}, "This is a sound of a dog bark, rain, and a vehicle horn."),
        ({"prompts": "msclap"}, "this is the sound of a dog bark, rain, and a vehicle horn"),
        ({"prompts": "msclap-2022"}, "This is a sound of a dog bark, rain, and a vehicle horn"),
        ({"prompts": ["{label} outside"]}, "a dog bark, rain, and a vehicle horn outside"),
    ],
)
def test_labels_stand_in_the_sentence_that_was_asked_for(options: dict[str, object], text: str) -> None:
    assert captions(*LABELS, **options) == [text]


def test_a_caption_says_what_it_was_made_of_and_how() -> None:
    (made,) = stages.get("template")().make([Example("x", Path("x.wav"), labels=LABELS)])
    (caption,) = made.captions
    assert (caption.maker, caption.of, caption.details) == ("template", LABELS, {"prompt": "The sound of {label}"})


def test_clips_without_labels_are_left_alone() -> None:
    stage = stages.get("template")()
    clips = [Example("x", Path("x.wav"), captions=("a dog",)), Example("y", Path("y.wav"), labels=("rain",))]
    assert [len(made.captions) for made in stage.make(clips)] == [0, 1]
    assert stage.estimate(clips).clips == 1


def test_several_prompts_are_drawn_by_seed_and_clip_alone() -> None:
    options = {"prompts": "ensemble", "captions": 2}
    drawn = {clip: tuple(captions("rain", clip=clip, **options)) for clip in map(str, range(200))}
    assert all(len(set(pair)) == 2 for pair in drawn.values())
    assert drawn == {clip: tuple(captions("rain", clip=clip, **options)) for clip in drawn}
    assert drawn != {clip: tuple(captions("rain", clip=clip, **options, seed=1)) for clip in drawn}
    counts = Counter(text for pair in drawn.values() for text in pair)
    assert len(counts) == len(PROMPTS["ensemble"])
    assert min(counts.values()) > 40, "two of six for each of 200: 67, give or take four deviations of 6.7"


def test_no_more_captions_than_prompts() -> None:
    assert len(captions("rain", captions=5, prompts=["laion", "msclap"])) == 2


def test_synonyms_are_drawn_when_asked_for() -> None:
    drawn = {captions(LABELS[2], clip=str(n), synonyms="drawn")[0] for n in range(40)}
    assert drawn == {f"The sound of {what}" for what in ("a vehicle horn", "a car horn", "honking")}


def test_labels_that_say_the_same_are_said_once() -> None:
    assert captions("dog_bark", "Dog bark", "rain") == ["The sound of a dog bark and rain"]


def test_wrong_prompts_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"has no \{label\}"):
        stages.get("template")(prompts="lion")
    with pytest.raises(ConfigError, match="prompts is empty"):
        stages.get("template")(prompts=[])


@given(labels=st.lists(st.text(alphabet="abc ", min_size=1).filter(str.strip), min_size=1, max_size=6))
def test_as_published_it_is_what_training_makes_of_labels(labels: list[str]) -> None:
    plain = [" ".join(label.split()) for label in labels]
    assert captions(*plain, grammar=False) == [label_caption(plain)]


@given(items=st.lists(st.text(alphabet="abc", min_size=1), min_size=1, max_size=7), oxford=st.booleans())
def test_a_list_has_one_and_and_commas_between_the_rest(items: list[str], oxford: bool) -> None:
    text = listed(items, oxford=oxford)
    assert text.count(" and ") == (len(items) > 1)
    assert text.count(",") == (0 if len(items) < 3 else len(items) - 2 + oxford)
    assert text.replace(", and ", "|").replace(" and ", "|").replace(", ", "|").split("|") == items
