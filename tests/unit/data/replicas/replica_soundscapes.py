"""soundscapes is generated: nothing is published."""

from __future__ import annotations

from pathlib import Path

from replica import Expected


def build(raw: Path) -> Expected:
    return Expected(
        splits={"train": 2, "validation": 1, "test": 1},
        clips={"train/00000.flac": {"split": "train"}},
        options={"n_train": 2, "n_validation": 1, "n_test": 1, "duration_s": 3.0, "sample_rate_hz": 8000},
    )
