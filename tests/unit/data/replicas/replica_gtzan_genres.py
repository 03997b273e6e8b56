"""GTZAN: a folder a genre, the broken file, and the fault-filtered lists beside it."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound, text


def build(raw: Path) -> Expected:
    for name in ("blues/blues.00029.wav", "blues/blues.00030.wav", "hiphop/hiphop.00012.wav", "jazz/jazz.00061.wav"):
        sound(raw / "genres" / name, rate_hz=22050)
    sound(raw / "genres" / "rock" / "rock.00001.au", rate_hz=22050)
    text(raw / "genres" / "jazz" / "jazz.00054.wav", "this is no sound")
    text(raw / "genres" / "bextract_single.mf", "")
    text(raw / "train_filtered.txt", "blues/blues.00029.wav", "rock/rock.00001.wav")
    text(raw / "valid_filtered.txt", "hiphop/hiphop.00012.wav")
    text(raw / "test_filtered.txt", "jazz/jazz.00061.wav", "pop/pop.00000.wav")
    return Expected(
        splits={"train": 2, "validation": 1, "test": 1, "": 1},
        clips={
            "blues.00029": {"labels": ["blues"], "split": "train"},
            "blues.00030": {"split": None},
            "hiphop.00012": {"labels": ["hip hop"], "category": "hiphop", "split": "validation"},
            "rock.00001": {"labels": ["rock"], "split": "train"},
        },
    )
