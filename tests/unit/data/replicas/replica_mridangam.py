"""Mridangam strokes: a folder a tonic, sharps spelled "sh" in the names."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound


def build(raw: Path) -> Expected:
    for name in (
        "B/224030__akshaylaya__bheem-b-001.wav",
        "C#/226250__akshaylaya__tha-csh-017.wav",
        "D#/229120__akshaylaya__thom-dsh-102.wav",
    ):
        sound(raw / "mridangam_stroke_1.5" / name, rate_hz=44100)
    return Expected(
        splits={"": 3},
        clips={
            "224030__akshaylaya__bheem-b-001": {"labels": ["bheem"], "tonic": "B", "freesound_id": "224030"},
            "226250__akshaylaya__tha-csh-017": {"labels": ["tha"], "tonic": "C#", "tonic_code": "csh", "fold": None},
        },
    )
