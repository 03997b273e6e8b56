"""The list of models."""

from __future__ import annotations

import pytest

from openclap.errors import UnknownNameError
from openclap.models.zoo import audio_encoders, list_models


def test_it_lists_one_kind_or_both_sorted() -> None:
    assert "htsat-tiny" in list_models("audio")
    assert "text-micro" in list_models("text")
    assert list_models() == sorted(list_models("audio") + list_models("text"))


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'htsat-tiny'"):
        audio_encoders.get("htsat-tinny")
