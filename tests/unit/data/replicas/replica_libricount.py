"""LibriCount: a JSON beside each mixture."""

from __future__ import annotations

import json
from pathlib import Path

from replica import Expected, sound, text


def build(raw: Path) -> Expected:
    for name in ("0_00a1c4", "1_5pQ0fq", "10_zW3xUd"):
        sound(raw / "test" / f"{name}.wav")
        speakers = [{"sex": "F", "activity": [[0, 51076]], "speaker_id": 1221}] * int(name.split("_")[0])
        text(raw / "test" / f"{name}.json", json.dumps(speakers))
    return Expected(
        splits={"": 3},
        clips={
            "0_00a1c4": {"labels": ["0 speakers"], "speakers": 0, "split": None},
            "1_5pQ0fq": {"labels": ["1 speaker"]},
            "10_zW3xUd": {"labels": ["10 speakers"], "speakers": 10},
        },
    )
