"""ESC-10 is the part of ESC-50 that its table marks."""

from __future__ import annotations

from pathlib import Path

import replica_esc50
from replica import Expected


def build(raw: Path) -> Expected:
    replica_esc50.write(raw)
    return Expected(
        splits={"": 3},
        clips={
            "1-100032-A-0": {"labels": ["dog"], "fold": 1, "freesound_id": "100032"},
            "1-17150-A-12": {"labels": ["crackling fire"]},
        },
        missing=1,
    )
