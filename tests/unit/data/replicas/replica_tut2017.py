"""TUT Acoustic Scenes 2017: two archives, tables without a header, folds in lists."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound, text

DEVELOPMENT = (
    ("audio/b020_90_100.wav", "beach", "b020", 1),
    ("audio/a001_0_10.wav", "residential_area", "a001", 2),
    ("audio/a012_110_120.wav", "cafe/restaurant", "a012", 3),
    ("audio/b101_20_30.wav", "metro_station", "b101", 4),
)


def build(raw: Path) -> Expected:
    home = raw / "TUT-acoustic-scenes-2017-development"
    text(home / "meta.txt", *("\t".join(line[:3]) for line in DEVELOPMENT))
    for fold in (1, 2, 3, 4):
        setup = home / "evaluation_setup"
        lines = [(path, f"{path}\t{label}", own) for path, label, _, own in DEVELOPMENT]
        text(setup / f"fold{fold}_train.txt", *(line for _, line, own in lines if own != fold))
        text(setup / f"fold{fold}_evaluate.txt", *(line for _, line, own in lines if own == fold))
        text(setup / f"fold{fold}_test.txt", *(path for path, _, own in lines if own == fold))
    for path, *_ in DEVELOPMENT[:3]:
        sound(home / path, rate_hz=44100)
    other = raw / "TUT-acoustic-scenes-2017-evaluation"
    text(other / "meta.txt", "audio/1245.wav\tforest_path")
    sound(other / "audio" / "1245.wav", rate_hz=44100)
    return Expected(
        splits={"development": 3, "evaluation": 1},
        clips={
            "development/b020_90_100": {"labels": ["beach"], "fold": 1, "place": "b020"},
            "development/a001_0_10": {"labels": ["residential area"], "fold": 2, "category": "residential_area"},
            "development/a012_110_120": {"labels": ["cafe/restaurant"], "fold": 3},
            "evaluation/1245": {"labels": ["forest path"], "fold": None, "split": "evaluation"},
        },
        missing=1,
    )
