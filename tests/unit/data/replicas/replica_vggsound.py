"""VGGSound: no header; two clips of one video; six digits of seconds in the names."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound, text


def build(raw: Path) -> Expected:
    text(
        raw / "vggsound.csv",
        "---g-f_I2yQ,1,people marching,test",
        "--0PQM4-hqg,30,waterfall burbling,train",
        '--0PQM4-hqg,130,"car engine starting, idling",train',
        "gone-video1,5,dog barking,train",
    )
    sound(raw / "audio" / "---g-f_I2yQ_000001.wav")
    sound(raw / "audio" / "--0PQM4-hqg_000030.wav")
    sound(raw / "audio" / "--0PQM4-hqg_000130.wav")
    return Expected(
        splits={"train": 2, "test": 1},
        clips={
            "---g-f_I2yQ_000001": {"labels": ["people marching"], "youtube_id": "---g-f_I2yQ", "youtube_start_s": 1.0},
            "--0PQM4-hqg_000130": {"labels": ["car engine starting, idling"], "youtube_start_s": 130.0},
        },
        missing=1,
    )
