"""Titles that are file names."""

from __future__ import annotations

import pytest

from openclap.text.titles import clean_title


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
