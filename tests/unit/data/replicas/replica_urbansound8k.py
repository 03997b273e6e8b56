"""UrbanSound8K as its archive unpacks, with what macOS left in it."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound, text


def build(raw: Path) -> Expected:
    home = raw / "UrbanSound8K"
    text(
        home / "metadata" / "UrbanSound8K.csv",
        "slice_file_name,fsID,start,end,salience,fold,classID,class",
        "100032-3-0-0.wav,100032,0.0,0.317551,1,5,3,dog_bark",
        "100263-2-0-117.wav,100263,58.5,62.5,1,5,2,children_playing",
        "100648-1-0-0.wav,100648,4.823402,5.471927,2,10,1,car_horn",
        "99812-1-6-0.wav,99812,159.522205,163.522205,2,7,1,car_horn",
    )
    text(home / "audio" / ".DS_Store", "")
    sound(home / "audio" / "fold5" / "100032-3-0-0.wav", rate_hz=44100)
    sound(home / "audio" / "fold5" / "100263-2-0-117.wav", rate_hz=44100)
    sound(home / "audio" / "fold10" / "100648-1-0-0.wav", rate_hz=48000)
    return Expected(
        splits={"": 3},
        clips={
            "100032-3-0-0": {"labels": ["dog bark"], "fold": 5, "salience": "foreground", "freesound_id": "100032"},
            "100263-2-0-117": {
                "labels": ["children playing"],
                "start_s": 0.0,
                "duration_s": None,
                "freesound_start_s": 58.5,
                "freesound_end_s": 62.5,
            },
            "100648-1-0-0": {"fold": 10, "salience": "background", "target": 1, "category": "car_horn"},
        },
        missing=1,
    )
