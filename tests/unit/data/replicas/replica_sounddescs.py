"""SoundDescs: lists of ids, and JSON that the user made of the published pickles."""

from __future__ import annotations

import json
from pathlib import Path

from replica import Expected, sound, text


def build(raw: Path) -> Expected:
    said = {"07033137": "Frogs, close", "nhu05091190": ["Rain on a tent"], "0009039": [["A", "door"]], "07000001": "x"}
    text(raw / "descriptions.json", json.dumps(said))
    text(raw / "categories.json", json.dumps({"07033137": ["Nature", "Animals"], "nhu05091190": "Weather"}))
    text(raw / "train_list.txt", "07033137", "07000001")
    text(raw / "val_list.txt", "nhu05091190")
    text(raw / "test_list.txt", "0009039")
    for name in ("07033137.wav", "nhu05091190.flac", "0009039.ogg"):
        sound(raw / "audio" / name)
    return Expected(
        splits={"train": 1, "val": 1, "test": 1},
        clips={
            "07033137": {"captions": ["Frogs, close"], "labels": ["Nature", "Animals"], "split": "train"},
            "nhu05091190": {"captions": ["Rain on a tent"], "labels": ["Weather"]},
            "0009039": {"captions": ["A door"], "labels": [], "split": "test"},
        },
        missing=1,
    )
