"""Speech Commands 0.02: a folder a word, lists for validation and test, background noise that is no word."""

from __future__ import annotations

from pathlib import Path

from replica import Expected, sound, text

CLIPS = (
    "yes/0a7c2a8d_nohash_0.wav",
    "yes/0a7c2a8d_nohash_1.wav",
    "marvin/1ecfb537_nohash_0.wav",
    "zero/0ab3b47d_nohash_0.wav",
)


def write(raw: Path) -> None:
    """The release, and the test set of the twelve classes."""
    home = raw / "speech_commands_v0.02"
    for clip in CLIPS:
        sound(home / clip)
    text(home / "validation_list.txt", CLIPS[2])
    text(home / "testing_list.txt", CLIPS[3])
    sound(home / "_background_noise_" / "running_tap.wav", seconds=2.25)
    sound(home / "_background_noise_" / "pink_noise.wav", seconds=1.6)
    test_set = raw / "speech_commands_test_set_v0.02"
    for clip in ("_silence_/0.wav", "_unknown_/0ab3b47d_nohash_0.wav", "yes/022cd682_nohash_0.wav"):
        sound(test_set / clip)


def build(raw: Path) -> Expected:
    write(raw)
    return Expected(
        splits={"train": 2, "validation": 1, "test": 1},
        clips={
            "yes/0a7c2a8d_nohash_1": {"labels": ["yes"], "command": "yes", "speaker": "0a7c2a8d"},
            "marvin/1ecfb537_nohash_0": {"labels": ["marvin"], "split": "validation"},
            "zero/0ab3b47d_nohash_0": {"labels": ["zero"], "split": "test", "command": "unknown"},
        },
    )
