"""WavCaps: a table a source, blacklists, and FLAC files in the deep folders that the archives unpack to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from replica import Expected, sound, text

DEEP = "mnt/fast/nobackup/scratch4weeks/xm00178/WavCaps/data/waveforms"


def table(raw: Path, path: str, items: list[dict[str, Any]]) -> None:
    text(raw / "json_files" / path, json.dumps({"num_captions_per_audio": 1, "data": items}))


def build(raw: Path) -> Expected:
    table(raw, "AudioSet_SL/as_final.json", [
        {"id": "Yb0RFKhbpFJA.wav", "caption": "Wind and a man speaking.", "audio": "wav_path", "duration": 10.0},
        {"id": "YvfY_TJq7n_U.wav", "caption": "Ducks quack.", "audio": "wav_path", "duration": 10.0},
    ])  # fmt: skip
    table(raw, "FreeSound/fsd_final.json", [
        {
            "id": "180913", "file_name": "rain.wav", "href": "/people/x/sounds/180913/", "caption": "It rains.",
            "download_link": "https://freesound.org/x", "duration": 12.5, "author": "x", "tags": ["rain"],
            "description": "Rain on a [tin] roof",
        },
        {"id": "156", "caption": "Blacklisted.", "duration": 1.0, "tags": [], "description": "", "author": "y"},
    ])  # fmt: skip
    table(raw, "SoundBible/sb_final.json", [
        {
            "title": "Bell", "description": "A bell.", "author": "D", "href": "2218-Bell.html", "duration": 1.5,
            "caption": "A bell rings.", "id": "2218",
        },
    ])  # fmt: skip
    table(raw, "BBC_Sound_Effects/bbc_final.json", [
        {"id": "NHU05093027", "category": "Nature", "caption": "Frogs.", "duration": 60.0, "description": "Frogs",
         "download_link": "https://bbc"},
    ])  # fmt: skip
    blacklist = {"AudioSet": ["YvfY_TJq7n_U.wav"], "FreeSound": ["156"]}
    text(raw / "json_files" / "blacklist" / "blacklist_exclude_test_ac.json", json.dumps(blacklist, indent=4))
    for path in ("AudioSet_SL/{}/AudioSet_SL_flac/Yb0RFKhbpFJA", "FreeSound/{}/FreeSound_flac/180913",
                 "FreeSound/{}/FreeSound_flac/156", "SoundBible/{}/SoundBible_flac/2218"):  # fmt: skip
        sound(raw / "Zip_files" / f"{path.format(DEEP)}.flac", rate_hz=32000)
    return Expected(
        splits={"": 3},
        clips={
            "AudioSet_SL/Yb0RFKhbpFJA": {"captions": ["Wind and a man speaking."], "youtube_id": "b0RFKhbpFJA"},
            "FreeSound/180913": {
                "captions": ["It rains."], "labels": [], "freesound_id": "180913", "source": "wavcaps/FreeSound",
                "credit": "x", "source_tags": ["rain"], "source_description": "Rain on a [tin] roof",
            },
            "SoundBible/2218": {"source_title": "Bell"},
        },
        missing=1,
    )  # fmt: skip
