"""NSynth: three folders, each with one JSON object of all its notes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from replica import Expected, sound, text

NOTES: dict[str, list[tuple[str, list[str]]]] = {
    "train": [("guitar_acoustic_001-082-050", ["percussive"]), ("synth_lead_synthetic_005-040-127", [])],
    "valid": [("bass_electronic_018-022-100", ["dark", "nonlinear_env"])],
    "test": [("keyboard_acoustic_004-068-025", ["fast_decay", "tempo-synced"]), ("vocal_synthetic_003-061-075", [])],
}


def features(note: str, qualities: list[str]) -> dict[str, Any]:
    """What `examples.json` says of a note; numbers that are codes are made up."""
    instrument, pitch, velocity = note.split("-")
    family, source, _ = instrument.rsplit("_", 2)
    return {
        "note_str": note,
        "note": 132193,
        "pitch": int(pitch),
        "velocity": int(velocity),
        "sample_rate": 16000,
        "qualities": [0] * 10,
        "qualities_str": qualities,
        "instrument": 417,
        "instrument_str": instrument,
        "instrument_family": 3,
        "instrument_family_str": family,
        "instrument_source": 0,
        "instrument_source_str": source,
    }


def build(raw: Path) -> Expected:
    for split, notes in NOTES.items():
        home = raw / f"nsynth-{split}"
        says = {note: features(note, qualities) for note, qualities in notes}
        text(home / "examples.json", json.dumps(says, indent=4 if split == "test" else None))
        for note, _ in notes:
            if not note.startswith("vocal"):
                sound(home / "audio" / f"{note}.wav")
    return Expected(
        splits={"train": 2, "validation": 1, "test": 1},
        clips={
            "guitar_acoustic_001-082-050": {
                "labels": ["guitar"],
                "split": "train",
                "pitch": 82,
                "velocity": 50,
                "qualities": ["percussive"],
                "instrument_source": "acoustic",
                "instrument": "guitar_acoustic_001",
            },
            "synth_lead_synthetic_005-040-127": {"labels": ["synth lead"], "category": "synth_lead", "qualities": []},
            "bass_electronic_018-022-100": {"split": "validation", "qualities": ["dark", "nonlinear envelope"]},
            "keyboard_acoustic_004-068-025": {"qualities": ["fast decay", "tempo-synced"]},
        },
        missing=1,
    )
