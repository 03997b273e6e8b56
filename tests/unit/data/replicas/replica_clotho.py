"""Clotho as it unpacks: a folder and two tables a split; the metadata in ISO-8859-1."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound, text

HEADER = "file_name,caption_1,caption_2,caption_3,caption_4,caption_5"
METADATA = "file_name,keywords,sound_id,sound_link,start_end_samples,manufacturer,license"


def captions(name: str) -> str:
    return f'{name},"Water, or rain, falls",Rain falls,It rains,Drops fall,Rain'


def build(raw: Path) -> Expected:
    for split, names in {
        "development": ("Café rain.wav", "b.wav"),
        "validation": ("c.wav",),
        "evaluation": ("d.wav",),
    }.items():
        text(raw / f"clotho_captions_{split}.csv", HEADER, *(captions(name) for name in names), newline="\r\n")
        lines = [
            f'{name},rain;café ,{n + 100},https://freesound.org/people/x/sounds/{n + 100},"[0, 960]",José,http://cc/0'
            for n, name in enumerate(names)
        ]
        if split == "evaluation":
            lines = ["d.wav,rain,Not found,,,NA,"]
        text(raw / f"clotho_metadata_{split}.csv", METADATA, *lines, encoding="iso-8859-1")
        for name in names:
            if name != "b.wav":
                sound(raw / split / name, rate_hz=44100)
    five = ["Water, or rain, falls", "Rain falls", "It rains", "Drops fall", "Rain"]
    return Expected(
        splits={"development": 1, "validation": 1, "evaluation": 1},
        clips={
            "development/Café rain.wav": {
                "captions": five, "split": "development", "keywords": ["rain", "café"], "credit": "José",
                "freesound_id": "100", "license": "http://cc/0", "labels": [],
            },
            "evaluation/d.wav": {"captions": five, "freesound_id": None},
        },
        missing=1,
    )  # fmt: skip
