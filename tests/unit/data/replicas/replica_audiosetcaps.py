"""AudioSetCaps: three tables with three forms of ids."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound, text


def build(raw: Path) -> Expected:
    folder = raw / "Dataset"
    text(folder / "AudioSetCaps_caption.csv", "id,caption", 'Y---1_cCGK4M,"A bell, tolling."', "Ygone-video1,Gone.")
    text(folder / "VGGSound_AudioSetCaps_caption.csv", "id,caption", "OxPnZzn1_L8_000883,A crowd.")
    text(folder / "YouTube-8M_AudioSetCaps_caption.csv", "id,caption", "_7Xe9vD3Hpg_4_10,A cello.")
    sound(raw / "audio" / "Y---1_cCGK4M.wav")
    sound(raw / "audio" / "OxPnZzn1_L8_000883.wav")
    sound(raw / "audio" / "_7Xe9vD3Hpg_4_10.mp3")
    return Expected(
        splits={"": 3},
        clips={
            "audioset/Y---1_cCGK4M": {"captions": ["A bell, tolling."], "youtube_id": "---1_cCGK4M"},
            "vggsound/OxPnZzn1_L8_000883": {"youtube_start_s": 883.0, "youtube_end_s": 893.0},
            "youtube8m/_7Xe9vD3Hpg_4_10": {"youtube_id": "_7Xe9vD3Hpg", "youtube_start_s": 4.0, "youtube_end_s": 14.0},
        },
        missing=1,
    )
