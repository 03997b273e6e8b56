"""LAION's WebDataset: archives of FLAC and JSON in a folder a split, with a sizes.json."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

from replica import Expected, sound, text

FREESOUND = {
    "text": ["futuresoundfx-795.", "Sci-Fi effects"],
    "tag": ["fx", "Alien"],
    "text_augment_t5": "an alien effect",
    "original_data": {
        "title": "futuresoundfx-795.mp3", "description": "Sci-Fi", "username": "someone", "id": 158824,
        "download_url": "https://freesound.org/apiv2/sounds/158824/download/",
    },
}  # fmt: skip


def archive(folder: Path, name: str, *described: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / name, "w") as file:
        for number, said in enumerate(described, start=1):
            made = folder / "made"
            file.add(sound(made / f"{folder.name}{number}.flac", rate_hz=48000), f"{number}.flac")
            file.add(text(made / f"{number}.json", json.dumps(said)), f"{number}.json")
            for path in made.iterdir():
                path.unlink()
            made.rmdir()
    text(folder / "sizes.json", json.dumps({name: len(described)}))


def build(raw: Path) -> Expected:
    archive(raw / "train", "0.tar", FREESOUND, {"text": ["The sounds of Harp"], "tag": ["Harp"], "original_data": {}})
    archive(raw / "test", "0.tar", {"text": ["A door"], "tag": [], "original_data": None})
    return Expected(splits={"train": 2, "test": 1})
