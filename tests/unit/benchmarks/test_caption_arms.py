"""The arms of `benchmarks/captions.py`: each is a run of its recipe on the clips and captions that its name says."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from openclap.data.example import Example, MadeCaption
from openclap.data.policy import check_captions, training_texts
from openclap.data.where import select_examples
from openclap.recipes.registry import recipes

MADE = (MadeCaption("You can hear rain.", "template", of=("rain",)),)
CLIPS = [
    Example("titled", Path("a.wav"), captions=("Rain on a roof",), split="train"),
    Example("labelled", Path("b.wav"), labels=("rain",), made=MADE, split="train"),
    Example("short", Path("c.wav"), labels=("wind",), split="train"),
    Example("test", Path("d.wav"), captions=("Drops",), labels=("rain",), split="test"),
]
TITLE, RAIN, WIND, SENTENCE = "Rain on a roof", "The sound of rain", "The sound of wind", MADE[0].text


@pytest.fixture
def script(load) -> ModuleType:
    return load("captions")


@pytest.mark.parametrize(
    ("arm", "texts"),
    [
        ("titles", {TITLE}),
        ("labels", {RAIN, WIND}),
        ("both", {TITLE, RAIN, WIND}),
        ("sentences", {SENTENCE, RAIN, WIND}),
        ("mixed", {TITLE, RAIN, WIND, SENTENCE}),
    ],
)
def test_an_arm_trains_with_the_captions_that_it_is_named_after(arm: str, texts: set[str], script: ModuleType) -> None:
    run = recipes.get("flap-tiny")().override([*script.arm_settings(arm, "template"), "trainer.max_steps=3"])
    clips = select_examples(CLIPS, run.data.train.where)
    check_captions(clips, run.data.captions)
    assert {text for clip in clips for text in training_texts(clip, run.data.captions)} == texts
    assert run.trainer.max_minutes is None
    assert run.data.validation is None


def test_where_there_are_sentences_labels_are_as_good_as_never_drawn(script: ModuleType) -> None:
    run = recipes.get("flap-tiny")().override([*script.arm_settings("sentences", "k2c"), "trainer.max_steps=3"])
    assert run.data.captions.weights == {"k2c": 1.0, "labels": script.ONLY_WITHOUT}
    assert script.ONLY_WITHOUT <= 1e-9
