"""What a clip's row says of its length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from openclap.data.example import Example


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({}, None),
        ({"duration_s": 1.0, "extra": {"seconds": 60}}, 1.0),
        ({"extra": {"seconds": "5.5"}}, 5.5),
        ({"start_s": 2.0, "extra": {"duration": 5}}, 3.0),
        ({"extra": {"seconds": 1.0, "duration": 60.0}}, 1.0),  # a shard's clip, cut from a recording of a minute
        ({"extra": {"duration": "a while", "length_s": 4}}, 4.0),
        ({"extra": {"duration": None}}, None),
        ({"extra": {"duration": "nan"}}, None),
        ({"extra": {"duration": 10**400}}, None),
        ({"start_s": 9.0, "extra": {"duration": 5}}, None),
    ],
)
def test_the_length_that_a_row_states_is_the_clips_own(said: dict[str, Any], seconds: float | None) -> None:
    assert Example("a", Path("a.wav"), **said).stated_s == seconds
