"""A run of a stage: every clip in its place, every result paid once, whatever happens."""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from openclap.captions.pipeline import estimate, make_captions
from openclap.captions.stage import Estimate, Made, Rejected
from openclap.data.example import Example, MadeCaption, NegativeCaption
from openclap.data.manifest import read_manifest
from openclap.data.stream import ManifestStream
from openclap.errors import CaptionError, ConfigError
from openclap.exclusive import held


class FakeStage:
    """Says a clip's first caption in capitals; counts what it is asked for, and fails or dies where it is told to."""

    name = "fake"

    def __init__(
        self,
        *,
        batch_size: int = 2,
        concurrency: int = 1,
        version: int = 1,
        fail_at: str | None = None,
        die_at: str | None = None,
        slow: dict[str, float] | None = None,
        calls: int = 0,
    ) -> None:
        self.batch_size, self.concurrency = batch_size, concurrency
        self.asked: list[str] = []
        self.at_once = 0
        self._version, self._calls = version, calls
        self._fail_at, self._die_at, self._slow = fail_at, die_at, slow or {}
        self._lock, self._busy = threading.Lock(), 0

    @property
    def identity(self) -> dict[str, Any]:
        return {"version": self._version}

    def estimate(self, examples: Sequence[Example]) -> Estimate:
        clips = sum(bool(example.captions) for example in examples)
        return Estimate(clips=clips, calls=clips * self._calls, cost=0.5 * clips if self._calls else None, note="fake")

    def make(self, examples: Sequence[Example]) -> list[Made]:
        with self._lock:
            self.asked += [example.id for example in examples]
            self._busy += 1
            self.at_once = max(self.at_once, self._busy)
        time.sleep(max((self._slow.get(example.id, 0.0) for example in examples), default=0.0))
        with self._lock:
            self._busy -= 1
        for example in examples:
            if example.id == self._fail_at:
                raise CaptionError("the service is gone")
            if example.id == self._die_at:
                os._exit(9)
        return [self._made(example) for example in examples]

    def _made(self, example: Example) -> Made:
        if not example.captions:
            return Made(rejected=(Rejected("", "nothing to shout"),))
        text = example.captions[0].upper()
        return Made((MadeCaption(text, self.name, of=example.captions[:1], details={"version": self._version}),))


def manifest_of(folder: Path, count: int = 7, **changed: dict[str, Any]) -> ManifestStream:
    rows: list[dict[str, Any]] = [
        {"audio": f"{n}.wav", "captions": [f"clip {n}"], "labels": ["dog"], "split": "train", "stars": n}
        for n in range(count)
    ]
    for name, values in changed.items():
        rows[int(name.removeprefix("row"))] |= values
    path = folder / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return ManifestStream(path)


def read(path: Path) -> tuple[Any, ...]:
    return read_manifest(path, check_files=False).examples


@pytest.mark.parametrize(("batch_size", "concurrency"), [(1, 1), (3, 1), (2, 3), (100, 2)])
def test_every_clip_keeps_its_place_and_all_that_was_said_of_it(
    tmp_path: Path, batch_size: int, concurrency: int
) -> None:
    clips = manifest_of(tmp_path)
    slow = {"0.wav": 0.05}  # the first result is the last to come
    report = make_captions(
        clips, FakeStage(batch_size=batch_size, concurrency=concurrency, slow=slow), tmp_path / "out.jsonl"
    )
    before, after = list(clips), read(tmp_path / "out.jsonl")
    assert [example.id for example in after] == [example.id for example in before]
    for old, new in zip(before, after, strict=True):
        assert (new.captions, new.labels, new.split, new.extra) == (old.captions, old.labels, old.split, old.extra)
        (made,) = new.made
        assert (made.text, made.maker, made.of) == (old.captions[0].upper(), "fake", old.captions)
        assert made.details == {"version": 1, "identity": report.identity}
    assert (report.clips, report.captions, report.changed, report.unchanged) == (7, 7, 7, 0)


def test_a_second_run_makes_nothing(tmp_path: Path) -> None:
    clips, out = manifest_of(tmp_path), tmp_path / "out.jsonl"
    make_captions(clips, FakeStage(), out)
    first, again = out.read_bytes(), FakeStage()
    report = make_captions(clips, again, out)
    assert again.asked == []
    assert (report.from_journal, report.captions) == (7, 7)
    assert out.read_bytes() == first


def test_only_changed_rows_are_made_anew(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    make_captions(manifest_of(tmp_path), FakeStage(), out)
    stage = FakeStage()
    changed = manifest_of(tmp_path, 8, row2={"captions": ["another"]}, row4={"split": "test"})
    make_captions(changed, stage, out)
    assert stage.asked == ["2.wav", "7.wav"], "the split is nothing that a stage looks at"
    assert read(out)[2].made[0].text == "ANOTHER"


def test_a_stage_that_has_changed_makes_all_anew(tmp_path: Path) -> None:
    clips, out = manifest_of(tmp_path), tmp_path / "out.jsonl"
    make_captions(clips, FakeStage(version=1), out)
    changed, back = FakeStage(version=2), FakeStage(version=1)
    assert make_captions(clips, changed, out).identity != make_captions(clips, back, out).identity
    assert (len(changed.asked), back.asked) == (7, [])


def test_in_place_a_second_run_changes_nothing(tmp_path: Path) -> None:
    path = manifest_of(tmp_path).path
    make_captions(ManifestStream(path), FakeStage(), path)
    first = path.read_bytes()
    stage = FakeStage()
    make_captions(ManifestStream(path), stage, path)
    assert (path.read_bytes(), stage.asked) == (first, [])


def test_captions_of_others_stay_and_what_is_there_already_is_not_added(tmp_path: Path) -> None:
    others = [MadeCaption("CLIP 0", "llm", details={"identity": "x"}).plain()]
    negative = NegativeCaption("no clip", "order", "clip 0", "negatives").plain()
    clips = manifest_of(tmp_path, row0={"made": others, "negatives": [negative]})
    report = make_captions(clips, FakeStage(), tmp_path / "out.jsonl")
    first = read(tmp_path / "out.jsonl")[0]
    assert [caption.maker for caption in first.made] == ["llm"]
    assert first.negatives == (NegativeCaption(**negative),)
    assert (report.rejected, report.unchanged) == ({"already there": 1}, 1)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_what_was_made_before_a_failure_is_not_made_again(tmp_path: Path, concurrency: int) -> None:
    clips, out = manifest_of(tmp_path, 20), tmp_path / "out.jsonl"
    failing = FakeStage(batch_size=1, concurrency=concurrency, fail_at="9.wav")
    with pytest.raises(CaptionError, match="the service is gone"):
        make_captions(clips, failing, out)
    assert not out.exists()
    going_on = FakeStage(batch_size=1, concurrency=concurrency)
    make_captions(clips, going_on, out)
    paid_twice = set(failing.asked) & set(going_on.asked)
    assert paid_twice == {"9.wav"}
    assert len(read(out)) == 20


@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_kill_loses_nothing(tmp_path: Path, concurrency: int) -> None:
    clips, out = manifest_of(tmp_path), tmp_path / "out.jsonl"
    run = multiprocessing.get_context("fork").Process(
        target=make_captions, args=(clips, FakeStage(batch_size=1, concurrency=concurrency, die_at="5.wav"), out)
    )
    run.start()
    run.join()
    assert run.exitcode == 9
    assert not out.exists()
    stage = FakeStage(batch_size=1)
    report = make_captions(clips, stage, out)
    assert "5.wav" in stage.asked
    assert len({*stage.asked} - {"5.wav", "6.wav"}) < concurrency, "what the other threads had at work"
    assert report.captions == 7
    assert len(read(out)) == 7
    assert not list(tmp_path.rglob(".*")), "nothing half-written is left"


def test_calls_go_out_at_once_but_no_more_than_the_stage_allows(tmp_path: Path) -> None:
    stage = FakeStage(batch_size=1, concurrency=3, slow={f"{n}.wav": 0.02 for n in range(12)})
    make_captions(manifest_of(tmp_path, 12), stage, tmp_path / "out.jsonl")
    assert stage.at_once == 3


def test_clips_that_are_not_wanted_pass_through(tmp_path: Path) -> None:
    clips, stage = manifest_of(tmp_path, row1={"split": "test"}), FakeStage()
    wanted = clips.condition({"split": "train"})
    report = make_captions(clips, stage, tmp_path / "out.jsonl", wanted=wanted, limit=3)
    assert stage.asked == ["0.wav", "2.wav", "3.wav"]
    assert (report.clips, report.asked) == (7, 3)
    assert [len(example.made) for example in read(tmp_path / "out.jsonl")] == [1, 0, 1, 1, 0, 0, 0]


def test_rejected_captions_are_counted_and_kept_aside(tmp_path: Path) -> None:
    clips, out = manifest_of(tmp_path, row3={"captions": []}), tmp_path / "out.jsonl"
    report = make_captions(clips, FakeStage(), out)
    assert report.rejected == {"nothing to shout": 1}
    assert read(out)[3].made == ()
    (row,) = (tmp_path / "out.jsonl.captions").glob("*.rejected.jsonl")
    assert json.loads(row.read_text()) == {"clip": "3.wav", "text": "", "reason": "nothing to shout"}
    (about,) = (tmp_path / "out.jsonl.captions").glob(f"fake-{report.identity}.json")
    assert json.loads(about.read_text())["identity"] == {"version": 1}


def test_progress_counts_the_clips(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    make_captions(
        manifest_of(tmp_path),
        FakeStage(),
        tmp_path / "out.jsonl",
        progress=lambda done, all_: told.append((done, all_)),
    )
    assert told == [(n, 7) for n in range(1, 8)]


def test_two_processes_do_not_make_the_same_captions(tmp_path: Path) -> None:
    folder = tmp_path / "out.jsonl.captions"
    folder.mkdir()
    with held(folder), pytest.raises(CaptionError, match="another process is making captions"):
        make_captions(manifest_of(tmp_path), FakeStage(), tmp_path / "out.jsonl")


def test_only_json_lines_are_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ends in \.jsonl"):
        make_captions(manifest_of(tmp_path), FakeStage(), tmp_path / "out.csv")


def test_a_stage_that_miscounts_is_told_so(tmp_path: Path) -> None:
    class Short(FakeStage):
        def make(self, examples: Any) -> Any:
            return super().make(examples)[:-1]

    with pytest.raises(CaptionError, match="'fake' gave 1 results for 2 clips"):
        make_captions(manifest_of(tmp_path), Short(), tmp_path / "out.jsonl")


def test_an_estimate_times_a_local_stage_on_some_clips(tmp_path: Path) -> None:
    stage = FakeStage(batch_size=4, slow={f"{n}.wav": 0.02 for n in range(50)})
    takes = estimate(manifest_of(tmp_path, 50), stage)
    assert takes.clips == 50
    assert takes.seconds is not None
    assert 50 * 0.02 / 4 < takes.seconds < 50 * 0.2, "a batch of four sleeps once"
    assert len(stage.asked) == 5, "one to warm up, and a batch"


def test_an_estimate_of_a_service_calls_nothing_and_leaves_out_what_is_there(tmp_path: Path) -> None:
    clips, out = manifest_of(tmp_path), tmp_path / "out.jsonl"
    make_captions(clips, FakeStage(), out, limit=3)
    stage = FakeStage(calls=1)
    takes = estimate(clips, stage, out)
    assert (takes.clips, takes.calls, takes.cost, takes.seconds) == (4, 4, 2.0, None)
    assert takes.note == "fake; 3 clips are in the journal already"
    assert stage.asked == []


def test_threads_end_with_the_run(tmp_path: Path) -> None:
    before = threading.active_count()
    make_captions(manifest_of(tmp_path), FakeStage(concurrency=4), tmp_path / "out.jsonl")
    assert threading.active_count() == before
