"""Edits of words leave all the rest of a caption as it was; and the forms of verbs and articles."""

from __future__ import annotations

import pytest

from openclap.captions.verbs import SINGULAR_VERBS, VERBS, is_adverb, participle, plural_form, singular_form
from openclap.captions.words import Edit, Words, article

TEXT = 'A dog,  barks -- "oh no" says it; the e-mail.wav of Ann’s'


def test_words_and_gaps_make_the_whole_text() -> None:
    words = Words(TEXT)
    assert "".join(gap + word for gap, word in zip(words.gaps, (*words.words, ""), strict=True)) == TEXT
    assert words.edited([]) == TEXT
    assert words.lower[-1] == "ann's"


def test_an_edit_keeps_what_stands_around_it_and_takes_the_case_over() -> None:
    assert Words("A dog,  barks!").edited([Edit(1, 2, "cat"), Edit(0, 1, "one")]) == "One cat,  barks!"
    assert Words("THE DOG barks").edited([Edit(0, 2, "a cat")]) == "A CAT barks"
    assert Words("The Dog Barks").edited([Edit(0, 2, "a cat")]) == "A Cat Barks"


def test_two_edits_of_one_word_are_an_error() -> None:
    with pytest.raises(ValueError, match="two edits touch word 1"):
        Words("a b c").edited([Edit(0, 2, "x"), Edit(1, 3, "y")])


def test_names_quotations_file_names_and_compounds_are_not_running_text() -> None:
    words = Words(TEXT)
    plain = [word for i, word in enumerate(words.words) if words.is_plain(i)]
    assert plain == ["A", "dog", "barks", "says", "it", "the", "of"]
    assert Words("Iron falls").is_plain(0)  # a first word has its capital for another reason
    assert not Words("Iron Man falls down").is_plain(0)


@pytest.mark.parametrize(
    ("word", "expected"),
    [("dog", "a"), ("adult", "an"), ("hour", "an"), ("horn", "a"), ("uniform", "a"), ("uninvited", "an"), ("one", "a"),
     ("ukulele", "a"), ("engine", "an"), ("European", "a"), ("x", "a")],
)  # fmt: skip
def test_the_article_goes_by_sound(word: str, expected: str) -> None:
    assert article(word) == expected


@pytest.mark.parametrize(
    ("singular", "plural"),
    [("speaks", "speak"), ("flies", "fly"), ("dies", "die"), ("watches", "watch"), ("buzzes", "buzz"), ("goes", "go"),
     ("sneezes", "sneeze"), ("moos", "moo"), ("plays", "play"), ("is", "are"), ("has", "have"), ("doesn't", "don't"),
     ("passes", "pass")],
)  # fmt: skip
def test_a_verb_has_a_form_for_one_and_a_form_for_many(singular: str, plural: str) -> None:
    assert plural_form(singular) == plural
    assert singular_form(plural) == singular


def test_forms_of_all_known_verbs_go_there_and_back() -> None:
    auxiliaries = {"are", "were", "aren't", "weren't", "haven't", "don't"}
    auxiliaries = {"are", "were", "aren't", "weren't", "haven't", "don't"}
    assert {plural_form(verb) for verb in SINGULAR_VERBS} == (VERBS - {"be"}) | auxiliaries
    assert plural_form("walked") == "walked"
    assert plural_form("hiss") == "hiss"


def test_adverbs_are_told_from_nouns_in_ly() -> None:
    assert is_adverb("loudly")
    assert is_adverb("again")
    assert not is_adverb("family")
    assert not is_adverb("fly")


@pytest.mark.parametrize(
    ("verb", "expected"),
    [("speak", "speaking"), ("run", "running"), ("sneeze", "sneezing"), ("die", "dying"), ("squeal", "squealing"),
     ("rev", "revving"), ("blow", "blowing"), ("begin", "beginning"), ("open", "opening"), ("coo", "cooing")],
)  # fmt: skip
def test_a_verb_has_a_participle(verb: str, expected: str) -> None:
    assert participle(verb) == expected
