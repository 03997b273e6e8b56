"""Labels of every spelling, as they would stand in a sentence."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openclap.captions.llm.lexicon import _packaged
from openclap.captions.phrases import Phrase, joined, phrase, readings

AUDIOSET = [line for line in _packaged("audioset-labels.txt").splitlines() if line and not line.startswith("#")]
WORD = st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)


def said(label: str) -> str:
    return phrase(readings(label)[0]).text


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("Dog bark", "a dog bark"),
        ("dog_bark", "a dog bark"),
        ("DogBark", "a dog bark"),
        ("Vehicle horn, car horn, honking", "a vehicle horn"),
        ("Domestic animals, pets", "domestic animals"),
        ("Bee, wasp, etc.", "a bee"),
        ("Dishes, pots, and pans", "dishes, pots, and pans"),
        ("Police car (siren)", "a police car"),
        ("Fill_(with_liquid)", "a fill"),
        ("Dog", "a dog"),
        ("Owl", "an owl"),
        ("hour", "an hour"),
        ("unicorn", "a unicorn"),
        ("Rain", "rain"),
        ("Rain on surface", "rain on surface"),
        ("Sound effect", "a sound effect"),
        ("Pop music", "pop music"),
        ("Rock and roll", "rock and roll"),
        ("footsteps", "footsteps"),
        ("glass", "glass"),
        ("Bus", "a bus"),
        ("Cattle, bovinae", "cattle"),
        ("Singing", "singing"),
        ("Field recording", "a field recording"),
        ("a dog", "a dog"),
        ("dog barking", "a dog barking"),
        ("Telephone bell ringing", "a telephone bell ringing"),
        ("children_playing", "children playing"),
        ("crying_baby", "a crying baby"),
        ("Rustling leaves", "rustling leaves"),
        ("brushing_teeth", "brushing teeth"),
        ("washing_machine", "a washing machine"),
        ("keyboard_typing", "keyboard typing"),
        ("Car passing by", "a car passing by"),
        ("French horn", "a French horn"),
        ("french horn", "a French horn"),
        ("Middle Eastern music", "Middle Eastern music"),
        ("TV set", "a TV set"),
        ("MP3 player", "an MP3 player"),
        ("digit zero", "digit zero"),
        ("Cupboard open or close", "cupboard open or close"),
        ("8-bit music", "8-bit music"),
        ("сирена", "a сирена"),
    ],
)
def test_a_label_takes_an_article_where_english_has_one(label: str, text: str) -> None:
    assert said(label) == text


def test_fsd50k_is_read_as_audioset() -> None:
    assert readings("Vehicle_horn_and_car_horn_and_honking") == ["vehicle horn", "car horn", "honking"]
    assert readings("Dishes_and_pots_and_pans") == ["dishes, pots, and pans"]
    assert readings("Boat_and_Water_vehicle") == ["boat", "water vehicle"]
    assert readings("rain_and_wind") == ["rain and wind"], "no class of AudioSet's"


def test_synonyms_are_readings_of_one_label() -> None:
    assert readings("Vehicle horn, car horn, honking") == ["vehicle horn", "car horn", "honking"]
    assert readings("Child speech, kid speaking") == ["child speech", "kid speaking"]
    assert readings("Dishes, pots, and pans") == ["dishes, pots, and pans"]


@pytest.mark.parametrize(
    ("labels", "items"),
    [
        (["violin", "note G sharp 4", "staccato"], ["a violin playing note G sharp 4, staccato"]),
        (["banjo", "note F5", "piano", "normal"], ["a banjo playing note F5, piano, normal"]),
        (["piano", "violin"], ["a piano", "a violin"]),
        (["forte", "violin", "rain"], ["a violin, forte", "rain"]),
        (["forte"], ["forte"]),
        ([], []),
    ],
)
def test_how_it_sounds_goes_with_what_sounds(labels: list[str], items: list[str]) -> None:
    assert joined(phrase(readings(label)[0]) for label in labels) == items


@pytest.mark.parametrize("label", AUDIOSET)
def test_every_label_of_audioset_becomes_a_phrase(label: str) -> None:
    text = said(label)
    assert text
    assert not re.search(r"[()_]|\s\s|,$|^\s|\s$", text)
    assert not re.match(r"an? an? ", text)
    assert not re.match(r"a [aeio]", text), "no word of AudioSet's begins so and sounds otherwise"
    assert not re.match(r"an [bcdfgjklmnpqrstvwxyz]", text)


@given(label=st.text(max_size=60))
def test_no_label_is_lost_whatever_it_holds(label: str) -> None:
    for words in readings(label):
        text = phrase(words).text
        assert text in (words, f"a {words}", f"an {words}")
    assert readings(label)
    assert not label.strip() or readings(label)[0]


@given(words=st.lists(WORD, min_size=1, max_size=4))
def test_spelling_does_not_matter(words: list[str]) -> None:
    plain = readings(" ".join(words))
    assert readings("_".join(words)) == plain
    assert readings(" ".join(words).capitalize()) == plain
    if all(len(word) > 1 for word in words):
        assert readings("".join(word.capitalize() for word in words)) == plain


@given(parts=st.lists(st.builds(Phrase, WORD, st.booleans()), max_size=8))
def test_joining_keeps_every_word_and_every_thing_its_own_item(parts: list[Phrase]) -> None:
    items = joined(parts)
    things = [part for part in parts if not part.is_quality]
    assert sorted(re.findall(r"[a-z]+", " ".join(items))) == sorted(part.text for part in parts)
    assert len(items) == (len(things) if things else len(parts))
