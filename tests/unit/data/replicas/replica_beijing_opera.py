"""Beijing Opera percussion: one folder, everything in the names; here with HEAR's folds."""

from __future__ import annotations

import json
from pathlib import Path

from replica import Expected, sound, text

FOLDS = (
    {"205972-ajaysm-daluo-negative-01.wav": ["daluo"], "205973-ajaysm-bangu-negative-06.wav": ["bangu"]},
    {"206020-ajaysm-xiaoluo-negative-12.wav": ["xiaoluo"]},
)


def build(raw: Path) -> Expected:
    home = raw / "beijing_opera_percussion_instrument_1.0"
    for name in ("205972__ajaysm__daluo-01.wav", "205973__ajaysm__bangu-06.wav", "206020__ajaysm__xiaoluo-12.wav"):
        sound(home / name, rate_hz=44100)
    for number, fold in enumerate(FOLDS):
        text(raw / "hear" / f"fold{number:02d}.json", json.dumps(fold))
    return Expected(
        splits={"": 3},
        clips={
            "205972__ajaysm__daluo-01": {
                "labels": ["daluo"],
                "english": "large gong",
                "freesound_id": "205972",
                "fold": 1,
            },
            "206020__ajaysm__xiaoluo-12": {"labels": ["xiaoluo"], "fold": 2},
        },
        options={"folds": "hear"},
    )
