"""Manifests and stored results, broken."""

from __future__ import annotations

import json
import random
from pathlib import Path

from mutations import broken_bytes, broken_json

from openclap.data.manifest import read_manifest

ROWS = [
    {"path": "a.wav", "captions": ["a dog barks", "woof"], "labels": ["dog"], "split": "train", "seconds": 1.5},
    {"path": "b.wav", "caption": "rain", "start_s": 0.5, "duration_s": 2.0, "license": "CC0"},
    {"path": "sub/c.flac", "captions": [], "tags": ["x"], "fold": 3},
]
CSV = 'path,caption,start_s,duration_s\na.wav,"a dog, barking",0,1\nb.wav,rain,0.5,2\n'


class Documents:
    """A manifest as JSON Lines, CSV or a folder with sidecars."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, rng: random.Random) -> tuple[str, bytes]:
        kind = rng.choice(("m.jsonl", "m.jsonl", "m.csv", "m.tsv", "folder"))
        if kind == "folder":
            return kind, broken_json(rng, json.dumps(ROWS[0]))
        if kind == "m.jsonl":
            lines = [json.dumps(row).encode() for row in ROWS]
            at = rng.randrange(len(lines))
            lines[at] = broken_json(rng, lines[at].decode())
            text = b"\n".join(lines)
            return kind, text if rng.random() < 0.7 else broken_bytes(rng, text)
        text = CSV if kind == "m.csv" else CSV.replace(",", "\t")
        return kind, broken_bytes(rng, text.encode())

    def read(self, made: tuple[str, bytes]) -> None:
        kind, data = made
        if kind == "folder":
            place = self._folder / "sounds"
            place.mkdir(exist_ok=True)
            (place / "a.wav").touch()
            (place / "a.json").write_bytes(data)
        else:
            place = self._folder / kind
            place.write_bytes(data)
        manifest = read_manifest(place, check_files=False)
        assert isinstance(manifest.digest, str)

    def keep(self, made: tuple[str, bytes], number: int) -> str:
        path = self._folder / f"document-{number}-{made[0]}"
        path.write_bytes(made[1])
        return str(path)
