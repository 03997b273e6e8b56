"""GTZAN music/speech: two folders of freely named files."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound


def build(raw: Path) -> Expected:
    for name in ("music_wav/bagpipe.wav", "music_wav/u2.wav", "speech_wav/allison.wav"):
        sound(raw / "music_speech" / name, rate_hz=22050)
    return Expected(
        splits={"": 3},
        clips={"music/bagpipe": {"labels": ["music"]}, "speech/allison": {"labels": ["speech"]}},
    )
