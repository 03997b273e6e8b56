"""Anybody's folder: a table with a column of captions under an own name."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound, text


def build(raw: Path) -> Expected:
    text(
        raw / "metadata.csv",
        "file_name,english,tag",
        "a/1.wav,A  dog  barks,dog;bark",
        "a/2.wav,Rain,",
        "gone.wav,Wind,",
    )
    sound(raw / "a" / "1.wav")
    sound(raw / "a" / "2.wav")
    return Expected(
        splits={"mine": 2},
        clips={
            "a/1.wav": {"captions": ["A dog barks"], "labels": ["dog", "bark"], "source": "field", "license": "CC0"}
        },
        missing=1,
        options={"columns": {"captions": "english"}, "split": "mine", "source": "field", "license": "CC0"},
    )
