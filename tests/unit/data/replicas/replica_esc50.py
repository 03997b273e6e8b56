"""ESC-50 as GitHub packs it: one folder, `audio/` and `meta/esc50.csv`."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound, text

HEADER = "filename,fold,target,category,esc10,src_file,take"
LINES = (
    "1-100032-A-0.wav,1,0,dog,True,100032,A",
    "1-100038-A-14.wav,1,14,chirping_birds,False,100038,A",
    "2-122104-B-0.wav,2,0,dog,True,122104,B",
    "5-9032-A-0.wav,5,0,dog,True,9032,A",
    "1-17150-A-12.wav,1,12,crackling_fire,True,17150,A",
)
ABSENT = "5-9032-A-0.wav"


def write(raw: Path) -> None:
    """The layout, without the sound of one clip."""
    home = raw / "ESC-50-master"
    text(home / "meta" / "esc50.csv", HEADER, *LINES)
    for line in LINES:
        if not line.startswith(ABSENT):
            sound(home / "audio" / line.split(",")[0], rate_hz=44100)


def build(raw: Path) -> Expected:
    write(raw)
    return Expected(
        splits={"": 4},
        clips={
            "1-100032-A-0": {"labels": ["dog"], "fold": 1, "freesound_id": "100032", "take": "A", "split": None},
            "1-100038-A-14": {"labels": ["chirping birds"], "category": "chirping_birds", "target": 14},
            "2-122104-B-0": {"fold": 2, "esc10": True, "take": "B"},
        },
        missing=1,
    )
