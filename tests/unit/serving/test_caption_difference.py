"""What was changed from one caption to another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openclap.serving.browse.difference import difference, nearest_difference

words = st.text("ab c.", max_size=30)


def test_changed_words_are_shown_beside_each_other() -> None:
    parts = difference("a man shouts loudly", "a person shouts")
    assert [(part.kind, part.text) for part in parts] == [
        ("same", "a"), ("removed", "man"), ("added", "person"), ("same", "shouts"), ("removed", "loudly"),
    ]  # fmt: skip


def test_case_and_punctuation_are_no_change() -> None:
    assert [part.kind for part in difference("A dog barks", "a dog, barks.")] == ["same"]


@given(words, words)
def test_what_is_not_removed_is_the_later_caption(before: str, after: str) -> None:
    kept = " ".join(part.text for part in difference(before, after) if part.kind != "removed")
    assert kept == " ".join(after.split())


@given(words)
def test_a_caption_does_not_differ_from_itself(text: str) -> None:
    assert {part.kind for part in difference(text, text)} <= {"same"}


def test_the_nearest_source_is_compared() -> None:
    found = nearest_difference(["rain", "a dog barks"], "a big dog barks")
    assert found is not None
    assert found[0] == "a dog barks"


@pytest.mark.parametrize("sources", [[], ["wind in the trees"]])
def test_nothing_is_compared_where_nothing_is_alike(sources: list[str]) -> None:
    assert nearest_difference(sources, "a dog barks") is None


def test_endless_captions_are_not_compared() -> None:
    assert nearest_difference(["word " * 100_000], "word " * 100_000) is None
    assert nearest_difference(["word " * 100_000], "a word") is None
