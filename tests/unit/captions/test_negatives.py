"""Negatives twist one thing in a caption, leave a sentence, and say nothing that another caption of the clip says."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from openclap.captions.negatives.attributes import attribute_negatives, binding_negatives, count_negatives
from openclap.captions.negatives.make import KINDS, negatives
from openclap.captions.negatives.order import order_negatives, overlap_negatives
from openclap.captions.stage import stages
from openclap.captions.stages.negatives import NegativesConfig
from openclap.captions.words import Words
from openclap.data.example import Example, MadeCaption
from openclap.errors import ConfigError

ORDER = {
    "A man speaks, then a dog barks": ["A dog barks, then a man speaks"],
    "Rustling followed by laughter": ["Laughter followed by rustling"],
    "Music is followed by a bell": ["A bell is followed by music"],
    "A man speaks followed by a dog barking": ["A dog barking followed by a man speaking"],
    "A man is speaking followed by a dog barking": ["A man is speaking preceded by a dog barking"],
    "A man talking then whistling": ["A man whistling then talking"],
    "A woman sings and then laughs": ["A woman laughs and then sings"],
    "Thunder roars before music plays": ["Music plays before thunder roars", "Thunder roars after music plays"],
    "A bird chirping, a dog barking, and then an owl hooting": [
        "A bird chirping, an owl hooting, and then a dog barking"
    ],
    "First a bell rings, then a dog barks while rain falls": ["First a dog barks, then a bell rings while rain falls"],
    "In the distance, a bell rings, then a dog barks": ["In the distance, a dog barks, then a bell rings"],
    "Two dog barks followed by a bell then applause": [
        "A bell followed by two dog barks then applause",
        "Two dog barks followed by applause then a bell",
    ],
}
SAME_EITHER_WAY = (
    "A man speaks while a dog barks",
    "A man speaks and a dog barks",
    "A woman speaks followed by another woman speaking",
    "A dog barks, then a man speaks, then the dog barks again",
    "A man shouting before and after a gunshot",
    "Two bells ring one after the other before stopping again",
)
OVERLAP = {
    "A man speaks while water runs": ["A man speaks, then water runs"],
    "Wind blowing as a man talks": ["Wind blowing before a man talks"],
    "A man speaks, then a dog barks": ["A man speaks while a dog barks"],
    "A man speaks as well": [],
    "A man speaks, then laughs": [],
}
ATTRIBUTE = {
    "A loud engine runs": ["A quiet engine runs", "A soft engine runs", "A faint engine runs"],
    "A man speaks softly": ["A man speaks loudly"],
    "An old man talks to an old dog": ["A young man talks to an old dog"],
    "High-pitched beeping in heavy rain": ["Low-pitched beeping in heavy rain", "High-pitched beeping in light rain"],
    "A siren wails in the distance": ["A siren wails nearby"],
    "A dog barks several times": ["A dog barks once"],
    "A small child speaks over a loud speaker": [],
    "Quick rapid taps": [],
    "A loud dog and a quiet cat": [],  # for "quiet" is said of the cat
}
COUNT = {
    "Two dogs bark": ["Three dogs bark", "Four dogs bark", "Five dogs bark"],
    "A bell rings twice": ["A bell rings once", "A bell rings three times", "A bell rings four times"],
    "A two-tone siren": [],
}
BINDING = {
    "A loud dog barks and a soft bell rings": ["A soft dog barks and a loud bell rings"],
    "A dog barks loudly, then a bell rings softly": ["A dog barks softly, then a bell rings loudly"],
    "An old man speaks and a young woman laughs": [
        "A young man speaks and an old woman laughs",
        "A young woman speaks and an old man laughs",
    ],
    "Two dog barks, then three bell rings": ["Three dog barks, then two bell rings"],
    "A bell rings twice and a dog barks once": ["A bell rings once and a dog barks twice"],
    "A man speaks and a woman laughs": ["A woman speaks and a man laughs"],
    "A man speaks and a woman talks": [],
    "A person speaks and a man laughs": [],
    "A man speaks, a woman laughs, and a man sings": [],
}
PATH = Path("x.wav")


@pytest.mark.parametrize(("caption", "expected"), ORDER.items())
def test_events_change_places_and_the_sentence_stays_one(caption: str, expected: list[str]) -> None:
    assert order_negatives(caption) == expected


@pytest.mark.parametrize("caption", SAME_EITHER_WAY)
def test_where_the_other_order_is_no_other_meaning_there_is_no_negative(caption: str) -> None:
    assert order_negatives(caption) == []


@pytest.mark.parametrize(("caption", "expected"), OVERLAP.items())
def test_at_once_becomes_one_after_the_other_and_back(caption: str, expected: list[str]) -> None:
    assert overlap_negatives(caption) == expected


@pytest.mark.parametrize(("caption", "expected"), ATTRIBUTE.items())
def test_an_attribute_becomes_its_opposite(caption: str, expected: list[str]) -> None:
    assert attribute_negatives(caption, ()) == expected


@pytest.mark.parametrize(("caption", "expected"), COUNT.items())
def test_a_number_becomes_another(caption: str, expected: list[str]) -> None:
    assert count_negatives(caption, ()) == expected


@pytest.mark.parametrize(("caption", "expected"), BINDING.items())
def test_what_is_true_of_two_sounds_changes_places(caption: str, expected: list[str]) -> None:
    assert binding_negatives(caption, ()) == expected


@pytest.mark.parametrize(
    ("kind", "caption", "other"),
    [
        ("order", "A man speaks, then a dog barks", "A dog barking before a man speaking"),
        ("overlap", "A man speaks, then a dog barks", "A dog barks while a man speaks"),
        ("overlap", "A man speaks while a dog barks", "A man speaks, then a dog barks"),
        ("attribute", "A loud dog barks", "A dog barks, faint, quiet and soft"),
        ("count", "A bell rings twice", "A bell rings once, three times or four times"),
        ("binding", "A man speaks and a woman laughs", "A woman talks while a man chuckles"),
    ],
)
def test_what_another_caption_of_the_clip_says_is_no_negative(kind: str, caption: str, other: str) -> None:
    assert KINDS[kind](caption, ())
    assert KINDS[kind](caption, (other,)) == []


def test_the_choice_is_the_same_for_the_same_seed_and_takes_many_kinds() -> None:
    caption = "Two loud dog barks, then three soft bell rings"
    chosen = negatives(caption, most=4, seed=3)
    assert chosen == negatives(caption, most=4, seed=3)
    assert {kind for _, kind in chosen} == {"order", "count", "binding"}
    assert len({tuple(negatives(caption, most=2, seed=seed)) for seed in range(8)}) > 1
    assert {kind for _, kind in negatives(caption, kinds=("count",), most=9)} == {"count"}


def test_the_stage_says_what_was_twisted_and_how() -> None:
    debiased = MadeCaption("A person speaks loudly", "debias", of=("A man speaks loudly",), replaces=True)
    clip = Example("x", PATH, captions=("A man speaks loudly", "Rain falls"), labels=("two",), made=(debiased,))
    stage = stages.get("negatives")(most=1)
    (made,) = stage.make([clip])
    (negative,) = made.negatives
    assert (negative.kind, negative.of, negative.maker) == ("attribute", "A person speaks loudly", "negatives")
    assert negative.text.startswith("A person speaks")
    assert stage.estimate([clip, Example("y", PATH, labels=("dog",))]).clips == 1
    assert stage.identity != stages.get("negatives")(seed=1).identity
    assert NegativesConfig().kinds == tuple(KINDS)
    with pytest.raises(ConfigError, match="kinds"):
        stages.get("negatives")(kinds=["mood"])


def test_many_real_captions_have_negatives_and_none_is_a_caption_of_the_clip(audiocaps_captions: Path) -> None:
    clips = defaultdict(list)
    with (audiocaps_captions / "audiocaps_test.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            clips[row["youtube_id"]].append(row["caption"])
    captions, twisted, kinds = 0, 0, Counter[str]()
    for texts in list(clips.values())[:200]:
        known = {Words(text).lower for text in texts}
        for text in texts:
            made = negatives(text, [other for other in texts if other != text])
            captions, twisted = captions + 1, twisted + bool(made)
            kinds.update(kind for _, kind in made)
            assert all(Words(wrong).lower not in known for wrong, _ in made)
    assert twisted / captions > 0.5
    assert set(kinds) == set(KINDS)
