from __future__ import annotations

import pytest

from openclap.errors import ConfigError, UnknownNameError
from openclap.text.prompts import PROMPTS, fill, label_caption


@pytest.mark.parametrize("name", sorted(PROMPTS))
def test_every_prompt_of_a_set_is_a_different_text_that_holds_the_label(name: str) -> None:
    texts = fill(name, "church bells")
    assert len(set(texts)) == len(PROMPTS[name])
    assert all("church bells" in text for text in texts)


def test_published_prompts_are_as_published() -> None:
    assert fill("laion", "rain") == ["This is a sound of rain."]
    assert fill("msclap", "rain") == ["this is the sound of rain"]


def test_own_prompts_may_hold_other_braces_and_underscores_are_spaces() -> None:
    assert fill(["{x} {label}"], "crying_baby") == ["{x} crying baby"]


def test_wrong_prompts_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'laion'"):
        fill("lion", "rain")
    with pytest.raises(ConfigError, match=r"has no .label."):
        fill(["a sound"], "rain")
    with pytest.raises(ConfigError, match="prompts is empty"):
        fill([], "rain")


@pytest.mark.parametrize(
    ("labels", "caption"),
    [
        (["rain"], "The sound of rain"),
        (["rain", "wind"], "The sound of rain and wind"),
        (["rain", "wind", "dog_bark"], "The sound of rain, wind, and dog bark"),
    ],
)
def test_labels_become_a_caption(labels: list[str], caption: str) -> None:
    assert label_caption(labels) == caption


@pytest.mark.parametrize("labels", [[], "rain"])
def test_a_caption_needs_a_list_of_labels(labels: object) -> None:
    with pytest.raises(ConfigError, match="list with at least one label"):
        label_caption(labels)
