"""Auto-ACD: two tables whose ids have lost their leading dashes."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound, text


def build(raw: Path) -> Expected:
    text(
        raw / "train.csv",
        "youtube_id,caption",
        "1_cCGK4M,A dog barks.",
        "cB2ZVjpnA_1_30,A bell.",
        "gone-video1,Gone.",
    )
    text(raw / "test.csv", "youtube_id,caption", "Yabcdefghijk,Rain.")
    sound(raw / "audio" / "---1_cCGK4M.wav")
    sound(raw / "audio" / "YcB2ZVjpnA_1_30.000.wav")
    sound(raw / "audio" / "abcdefghijk.wav")
    return Expected(
        splits={"train": 2, "test": 1},
        clips={
            "1_cCGK4M": {"captions": ["A dog barks."], "youtube_id": "---1_cCGK4M"},
            "cB2ZVjpnA_1_30": {"youtube_id": "cB2ZVjpnA_1", "youtube_start_s": 30.0},
            "Yabcdefghijk": {"youtube_id": "abcdefghijk", "split": "test"},
        },
        missing=1,
    )
