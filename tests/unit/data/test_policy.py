"""Which text a clip gets."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from openclap.data.example import Example
from openclap.data.policy import CaptionPolicyConfig, all_captions, choose_caption, clean_title
from openclap.errors import DataError

BOTH = Example("x", Path("x.wav"), captions=("first", "second"), labels=("dog", "rain"))
PLAIN = CaptionPolicyConfig()


def draws(example: Example, config: CaptionPolicyConfig, count: int = 400) -> list[str]:
    generator = torch.Generator().manual_seed(1)
    return [choose_caption(example, config, generator) for _ in range(count)]


def test_without_a_generator_the_first_caption_is_taken() -> None:
    assert choose_caption(BOTH, CaptionPolicyConfig(p_labels=1.0), None) == "first"


def test_with_one_every_caption_has_its_turn() -> None:
    share = draws(BOTH, PLAIN).count("first") / 400
    assert 0.4 < share < 0.6  # four standard deviations of 400 fair draws


def test_a_clip_with_only_labels_gets_a_sentence_made_of_them() -> None:
    example = Example("x", Path("x.wav"), labels=("a", "b", "c"))
    assert all_captions(example) == ("The sound of a, b, and c",)
    assert set(draws(example, PLAIN, 5)) == {"The sound of a, b, and c"}


@pytest.mark.parametrize("p_labels", [0.0, 0.3, 1.0])
def test_p_labels_is_how_often_labels_replace_captions(p_labels: float) -> None:
    share = draws(BOTH, CaptionPolicyConfig(p_labels=p_labels)).count("The sound of dog and rain") / 400
    assert abs(share - p_labels) <= 4 * (p_labels * (1 - p_labels) / 400) ** 0.5


def test_p_labels_does_not_change_which_captions_the_other_draws_take() -> None:
    mixed = draws(BOTH, CaptionPolicyConfig(p_labels=0.3))
    assert all(ours == plain for ours, plain in zip(mixed, draws(BOTH, PLAIN), strict=True) if "sound" not in ours)


def test_captions_alone_are_never_replaced_by_labels_that_are_not_there() -> None:
    example = Example("x", Path("x.wav"), captions=("first",))
    assert set(draws(example, CaptionPolicyConfig(p_labels=1.0), 5)) == {"first"}


def test_a_clip_without_text_is_an_error() -> None:
    with pytest.raises(DataError, match="clip x has neither a caption nor a label"):
        choose_caption(Example("x", Path("x.wav")), PLAIN, None)


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("rose_bark.wav", "rose bark"),
        ("Blaffende hond2.wav", "Blaffende hond"),
        ("Big_dog_bark_01.aiff", "Big dog bark"),
        ("20091211.barking.stairs.wav", "barking stairs"),
        ("2011-03-09-dog-in-the-night.flac", "dog in the night"),
        ("FireBurning_v2.wav", "Fire Burning"),
        ("Chainsaw Crosscutting  3.wav", "Chainsaw Crosscutting"),
        ("Clock-grandfather-ticks & striking once.MP3", "Clock-grandfather-ticks & striking once"),
        ("3 dogs.wav", "3 dogs"),
        ("8am.wav", "8am"),
        ("gryphon_die_2", "gryphon die"),
        ("A turkey.", "A turkey."),
        ("a siren at 5", "a siren at 5"),
        ("he said mp3 is lossy", "he said mp3 is lossy"),
        ("snake_case in a sentence", "snake_case in a sentence"),
        ("001.wav", "001.wav"),
        ("犬.wav", "犬"),
    ],
)
def test_titles_that_are_file_names_become_words_and_others_stay(title: str, words: str) -> None:
    assert clean_title(title) == words


def test_cleaning_is_off_unless_asked_for() -> None:
    example = Example("x", Path("x.wav"), captions=("dog_01.wav", "dog_02.wav"))
    assert all_captions(example) == ("dog_01.wav", "dog_02.wav")
    assert all_captions(example, CaptionPolicyConfig(clean_titles=True)) == ("dog",)
    assert set(draws(example, CaptionPolicyConfig(clean_titles=True), 5)) == {"dog"}
