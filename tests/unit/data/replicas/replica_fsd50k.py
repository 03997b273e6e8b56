"""FSD50K as it unpacks: ground truth with a split column in dev only, and what the uploaders said."""

from __future__ import annotations

import json
from pathlib import Path

from replica import Expected, sound, text


def build(raw: Path) -> Expected:
    truth = raw / "FSD50K.ground_truth"
    text(
        truth / "dev.csv",
        "fname,labels,mids,split",
        '64760,"Electric_guitar,Guitar,Music","/m/02sgy,/m/0342h,/m/04rlf",train',
        '16399,"Accelerating_and_revving_and_vroom,Vehicle","/m/07q2z82,/m/07yv9",val',
        '1,"Rain","/m/06mb1",train',
    )
    text(truth / "eval.csv", "fname,labels,mids", '37199,"Rain","/m/06mb1"')
    text(truth / "vocabulary.csv", "0,Accelerating_and_revving_and_vroom,/m/07q2z82")
    about = {
        "title": "guitar.wav", "description": "A riff", "tags": ["guitar", "riff"], "license": "http://cc/by/3.0/",
        "uploader": "someone",
    }  # fmt: skip
    text(raw / "FSD50K.metadata" / "dev_clips_info_FSD50K.json", json.dumps({"64760": about}))
    for name in ("dev_audio/64760", "dev_audio/16399", "eval_audio/37199"):
        sound(raw / f"FSD50K.{name}.wav", rate_hz=44100)
    return Expected(
        splits={"train": 1, "val": 1, "eval": 1},
        clips={
            "64760": {
                "labels": ["Electric guitar", "Guitar", "Music"], "captions": [], "freesound_id": "64760",
                "credit": "someone", "license": "http://cc/by/3.0/", "freesound_tags": ["guitar", "riff"],
            },
            "16399": {"labels": ["Accelerating and revving and vroom", "Vehicle"], "split": "val"},
            "37199": {"mids": ["/m/06mb1"], "split": "eval"},
        },
        missing=1,
    )  # fmt: skip
