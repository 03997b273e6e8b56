"""SESA: two folders, and the class in the name."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound, text


def build(raw: Path) -> Expected:
    for name in ("train/casual_000.wav", "train/gunshot_032.wav", "test/gunshot_000.wav", "test/siren_001.wav"):
        sound(raw / "SESA" / name)
    text(raw / "SESA" / "SESA.txt", "# Classes:", "0 - Casual (not a threat)", "1 - Gunshot", "2 - Explosion")
    text(raw / "__MACOSX" / "SESA" / "train" / "._casual_000.wav", "")
    return Expected(
        splits={"train": 2, "test": 2},
        clips={
            "train/gunshot_032": {"labels": ["gunshot"], "split": "train"},
            "test/gunshot_000": {"labels": ["gunshot"], "split": "test"},
            "test/siren_001": {"labels": ["siren"]},
        },
    )
