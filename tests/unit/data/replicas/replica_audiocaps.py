"""AudioCaps 1: one caption in train, five lines that stand apart in val and test; the user's own sound beside them."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound, text

HEADER = "audiocap_id,youtube_id,start_time,caption"


def build(raw: Path) -> Expected:
    folder = raw / "dataset"
    text(
        folder / "train.csv",
        HEADER,
        '1,-0aB_cdEfGh,30,"A dog barks, twice"',
        "2,abcdefghij_,0,Rain",
        "9,zzzzzzzzzzz,5,Wind",
    )
    text(
        folder / "val.csv",
        HEADER,
        *(f"{n},Yvideo-four,{start},Caption {n}" for n in range(3, 8) for start in (10,)),
    )
    lines = [f"{10 * n + clip},test{clip}-video,{clip},Clip {clip} caption {n}" for n in range(1, 6) for clip in (1, 2)]
    text(folder / "test.csv", HEADER, *lines)
    sound(raw / "audio" / "deep" / "Y-0aB_cdEfGh.wav")
    sound(raw / "audio" / "abcdefghij_.flac")
    sound(raw / "audio" / "Yvideo-four_10.000_20.000.ogg")
    sound(raw / "audio" / "test1-video_1000.wav")
    sound(raw / "audio" / "test2-video_2_12.wav")
    sound(raw / "audio" / "zzzzzzzzzzz_90.wav")  # another clip of the same video
    return Expected(
        splits={"train": 2, "val": 1, "test": 2},
        clips={
            "-0aB_cdEfGh_30": {
                "captions": ["A dog barks, twice"], "youtube_id": "-0aB_cdEfGh", "youtube_start_s": 30.0,
                "youtube_end_s": 40.0, "start_s": 0.0, "duration_s": None, "split": "train",
            },
            "Yvideo-four_10": {"captions": [f"Caption {n}" for n in range(3, 8)], "youtube_id": "Yvideo-four"},
            "test2-video_2": {"captions": [f"Clip 2 caption {n}" for n in range(1, 6)], "split": "test"},
        },
        missing=1,
    )  # fmt: skip
