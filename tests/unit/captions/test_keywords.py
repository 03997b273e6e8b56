"""What a caption made of keywords must say, and must not."""

from __future__ import annotations

import pytest

from openclap.captions.keywords import KeywordGates, check_caption, invented_share, kept_share, repeats_itself

GATES = KeywordGates(invented=0.3)


@pytest.mark.parametrize(
    ("text", "keywords", "reason"),
    [
        ("a dog barks in the rain", ["dog bark", "rain"], None),
        ("dogs are barking while it rains", ["dog bark", "rain"], None),
        ("someone hears a dog barking", ["dog bark"], None),
        ("a horse goes clip-clop", ["horse", "clip clop"], None),
        ("children are speaking", ["child speech"], None),
        ("a dog barks", ["dog bark", "rain"], "keywords lost"),
        ("a cat in the rain", ["dog", "rain"], "keywords lost"),
        ("a dog barks at the postman near a red car", ["dog bark"], "words invented"),
        ("rain", ["rain"], "too short"),
        ("rain and " * 30, ["rain"], "too long"),
        ("the dog barks and the dog barks", ["dog bark"], "repeats itself"),
        ("a dog dog barks", ["dog bark"], "repeats itself"),
        ("der Hund bellt und es regnet mit dem Wind", ["dog"], "in another language"),
        ("", ["rain"], "too short"),
    ],
)
def test_a_caption_passes_or_says_why_not(text: str, keywords: list[str], reason: str | None) -> None:
    assert check_caption(text, keywords, GATES) == reason


def test_shares_are_of_keywords_and_of_words_that_mean_something() -> None:
    assert kept_share("a dog barks", ["dog bark", "rain", "wind", "dog"]) == 0.5
    assert invented_share("a dog barks at the red car", ["dog bark"]) == 0.5
    assert invented_share("this is a sound", []) == 0.0


def test_thresholds_are_options() -> None:
    text, keywords = "a dog barks at a car", ["dog", "rain"]
    assert check_caption(text, keywords, KeywordGates(kept=0.5, invented=0.7)) is None
    assert check_caption(text, keywords, KeywordGates(kept=0.6, invented=0.7)) == "keywords lost"
    assert check_caption(text, keywords, KeywordGates(kept=0.5, invented=0.6)) == "words invented"


def test_a_keyword_of_empty_words_must_be_said_too() -> None:
    assert kept_share("a person speaks", ["person"]) == 1.0
    assert kept_share("a dog speaks", ["person"]) == 0.0


def test_repeating_is_three_words_in_the_same_order_or_one_twice_in_a_row() -> None:
    assert repeats_itself("a dog barks and a dog barks")
    assert not repeats_itself("a dog barks and a dog howls")
