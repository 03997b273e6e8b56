"""WavText5K: a table with empty descriptions, tags in Python's writing, and the sound as its links name it."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound, text


def build(raw: Path) -> Expected:
    text(
        raw / "WavText5K.csv",
        "view_link,download_link,title,description,fname,tags",
        'https://a/d-0100.html,https://a/0100.wav,Forest,"Birds singing, flying.",0100.wav,',
        "https://a/d-0477.html,https://a/0477.wav,Long scream,,0477.wav,",
        "https://b/7,https://b/grab.php?id=7&type=wav,Gun, A gun,gun_2114.wav,\"['Anti', 'Aircraft']\"",
    )
    sound(raw / "audio" / "0477.wav")
    sound(raw / "audio" / "gun_2114.wav")
    return Expected(
        splits={"": 2},
        clips={
            "0477.wav": {"captions": ["Long scream"], "labels": []},
            "gun_2114.wav": {"captions": ["A gun"], "labels": ["Anti", "Aircraft"], "sound_title": "Gun"},
        },
        missing=1,
    )
