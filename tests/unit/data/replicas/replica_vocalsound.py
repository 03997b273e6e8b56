"""VocalSound at 16 kHz: the lists hold the authors' own paths, and the tables of speakers have no header."""

from __future__ import annotations

import json
from pathlib import Path

from replica import Expected, sound, text

LISTS = {
    "tr": [("f0003_0_cough.wav", "/m/01b_21"), ("f0003_0_throatclearing.wav", "/m/0dl9sf8")],
    "val": [("m1230_1_laughter.wav", "/m/01j3sz")],
    "te": [("f2641_0_sniff.wav", "/m/07ppn3j"), ("f2641_0_sigh.wav", "/m/07plz5l")],
}


def build(raw: Path) -> Expected:
    for short, clips in LISTS.items():
        data = [{"wav": f"/data/sls/audioset/vocalsound/data/audio_16k/{wav}", "labels": code} for wav, code in clips]
        text(raw / "datafiles" / f"{short}.json", json.dumps({"data": data}, indent=1))
        for wav, _ in clips:
            if "sigh" not in wav:
                sound(raw / "audio_16k" / wav)
    text(raw / "class_labels_indices_vs.csv", "index,mid,display_name", "0,/m/01j3sz,Laughter", "1,/m/07plz5l,Sigh")
    text(raw / "meta" / "tr_meta.csv", "f0003,female,35,United States,English,no")
    text(raw / "meta" / "te_meta.csv", 'f2641,female,22,"Korea, Republic of",Korean,no')
    return Expected(
        splits={"train": 2, "validation": 1, "test": 1},
        clips={
            "f0003_0_throatclearing": {
                "labels": ["throat clearing"],
                "split": "train",
                "gender": "female",
                "speaker": "f0003",
                "age": "35",
                "audioset_id": "/m/0dl9sf8",
            },
            "m1230_1_laughter": {"labels": ["laughter"], "split": "validation", "gender": "male", "age": None},
            "f2641_0_sniff": {"labels": ["sniff"], "split": "test", "country": "Korea, Republic of"},
        },
        missing=1,
    )
