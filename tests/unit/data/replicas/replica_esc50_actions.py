"""The ratings lie beside ESC-50's own folder."""

from __future__ import annotations

from pathlib import Path

import replica_esc50
from replica import Expected, text

from openclap.data.corpora.esc50_actions import ACTIONS, TABLE


def build(raw: Path) -> Expected:
    replica_esc50.write(raw)
    rated = {
        "1-100032-A-0.wav,1,0,dog": {
            "calling": "3.3333333333333335",
            "exhaling": "1.0",
            "wailing": "1.3333333333333333",
        },
        "1-17150-A-12.wav,1,12,crackling_fire": {"sizzling": "3.3333333333333335", "breaking": "2.0"},
        "2-122104-B-0.wav,2,0,dog": {"breaking": "0.3333333333333333"},
        "5-9032-A-0.wav,5,0,dog": {"calling": "4.0"},
    }
    lines = (",".join([clip, *(says.get(action, "0.0") for action in ACTIONS)]) for clip, says in rated.items())
    text(raw / TABLE, ",".join(["filename", "fold", "target", "category", *ACTIONS]), *lines)
    return Expected(
        splits={"": 3},
        clips={
            "1-100032-A-0": {
                "labels": ["calling"],
                "ratings": {"calling": 3.333, "exhaling": 1.0, "wailing": 1.333},
                "freesound_id": "100032",
                "fold": 1,
            },
            "1-17150-A-12": {"labels": ["breaking", "sizzling"]},
            "2-122104-B-0": {"labels": [], "fold": 2},
        },
        missing=1,
    )
