"""Events in a manifest: each sound is heard once, whatever is said of it meanwhile."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openclap.captions.llm.evidence import Event
from openclap.captions.llm.hearing import HeardReport, add_events
from openclap.data.example import Example
from openclap.data.manifest import read_manifest


class Ears:
    """Hears a dog everywhere, and remembers where it listened."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def hear(self, clips: Sequence[Example]) -> list[list[Event] | str]:
        self.heard += [clip.id for clip in clips]
        return [[Event("dog", 0.5)] for _ in clips]


def hear(rows: list[dict[str, Any]], folder: Path, model: str = "m") -> tuple[list[str], HeardReport]:
    """The ids of the clips that were listened to."""
    folder.mkdir(exist_ok=True)
    (folder / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    clips, ears = read_manifest(folder / "clips.jsonl", check_files=False), Ears()
    report = add_events(clips, ears.hear, folder / "out.jsonl", identity={"model": model})
    return ears.heard, report


def test_captions_that_have_come_since_make_no_clip_be_heard_again(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": name, "audio": f"{name}.wav"} for name in "ab"]
    assert hear(rows, tmp_path / "here")[0] == ["a", "b"]
    rows[0] |= {"captions": ["a dog"], "made": [{"text": "A dog barks", "maker": "llm", "of": ["a dog"]}]}
    rows[1] |= {"labels": ["dog"], "stars": 3}
    heard, report = hear(rows, tmp_path / "here")
    assert (heard, report.from_journal, report.with_events) == ([], 2, 2)
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert hear(rows, tmp_path / "there")[0] == []


def test_another_file_range_or_model_is_heard(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": name, "audio": f"{name}.wav"} for name in "abc"]
    hear(rows, tmp_path)
    rows[0]["audio"] = "d.wav"
    rows[1] |= {"start_s": 1.0, "duration_s": 2.0}
    assert hear(rows, tmp_path)[0] == ["a", "b"]
    assert hear(rows, tmp_path, "another")[0] == ["a", "b", "c"]
