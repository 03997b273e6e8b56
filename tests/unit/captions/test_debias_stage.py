"""The stage "debias": captions that replace others, and say what they counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from openclap.captions.pipeline import make_captions
from openclap.captions.stage import stages
from openclap.data.example import Example, MadeCaption
from openclap.errors import ConfigError

CLIP = Example(
    "x",
    Path("x.wav"),
    captions=("A man talks to Iron Man", "Rain falls"),
    made=(MadeCaption("She sings", "k2c", of=("song",)), MadeCaption("A boy hums", "llm")),
)


def test_every_caption_that_says_a_sex_is_replaced_whoever_made_it() -> None:
    (made,) = stages.get("debias")().make([CLIP])
    assert [(c.text, c.of, c.details["of_maker"]) for c in made.captions] == [
        ("A person talks to Iron Man", ("A man talks to Iron Man",), None),
        ("They sing", ("She sings",), "k2c"),
        ("A child hums", ("A boy hums",), "llm"),
    ]
    assert all(caption.replaces and caption.maker == "debias" for caption in made.captions)
    assert made.captions[0].details["counts"] == {"before": {"man": 2}, "after": {"man": 1}}


def test_what_was_replaced_before_is_not_looked_at_again() -> None:
    done = MadeCaption("A person talks to Iron Man", "debias", of=("A man talks to Iron Man",), replaces=True)
    (made,) = stages.get("debias")().make([Example("x", CLIP.audio, captions=CLIP.captions, made=(done,))])
    assert not made.captions


def test_a_clip_with_nothing_to_change_gets_nothing_and_is_not_in_the_estimate() -> None:
    stage = stages.get("debias")()
    plain = Example("y", Path("y.wav"), captions=("Rain falls",), labels=("Male speech, man speaking",))
    assert stage.estimate([CLIP, plain]).clips == 1
    assert not stage.make([plain])[0].captions


def test_the_rule_is_part_of_the_identity() -> None:
    full, laion = stages.get("debias")(), stages.get("debias")(rule="laion")
    assert full.identity != laion.identity
    assert [c.text for c in laion.make([CLIP])[0].captions] == [
        "A person talks to Iron Person"
    ]  # as theirs, it knows no names
    with pytest.raises(ConfigError, match="rule"):
        stages.get("debias")(rule="all")


def test_the_report_of_a_run_counts_the_words_before_and_after(tmp_path: Path) -> None:
    clips = [CLIP, Example("y", Path("y.wav"), captions=("A man and her dog", "Rain"))]
    report = make_captions(clips, stages.get("debias")(), tmp_path / "out.jsonl")
    assert report.counts == {
        "before": {"man": 3, "she": 1, "boy": 1, "her": 1},
        "after": {"man": 1},
    }
    assert report.plain()["counts"]["before"]["man"] == 3
