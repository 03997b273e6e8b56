"""RAVDESS: numbers in the names, and every clip twice, as copies of it have it."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound


def build(raw: Path) -> Expected:
    for folder in ("speech", "speech/audio_speech_actors_01-24"):
        sound(raw / folder / "Actor_01" / "03-01-05-02-01-01-01.wav", rate_hz=48000)
        sound(raw / folder / "Actor_24" / "03-01-01-01-02-02-24.wav", rate_hz=48000)
    sound(raw / "song" / "Actor_01" / "03-02-06-01-02-01-01.wav", rate_hz=48000)
    return Expected(
        splits={"": 3},
        clips={
            "03-01-05-02-01-01-01": {
                "labels": ["angry"],
                "emotion_code": "05",
                "intensity": "strong",
                "channel": "speech",
                "actor": 1,
                "sex": "male",
            },
            "03-01-01-01-02-02-24": {"labels": ["neutral"], "statement": 2, "repetition": 2, "sex": "female"},
            "03-02-06-01-02-01-01": {"labels": ["fearful"], "channel": "song"},
        },
        options={"channels": ["speech", "song"]},
    )
