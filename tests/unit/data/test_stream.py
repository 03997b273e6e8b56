"""A streamed manifest gives what a whole one does, and holds little of it."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openclap.data.manifest import read_manifest
from openclap.data.stream import ManifestStream
from openclap.errors import ConfigError, ManifestError

ROWS = st.lists(
    st.fixed_dictionaries(
        {"audio": st.sampled_from(["a.wav", "b/a.wav", "./a.wav", "c.wav"]), "caption": st.sampled_from("xyz")},
        optional={
            "split": st.sampled_from(["train", "test"]),
            "start_s": st.sampled_from([0.0, 1.5]),
            "labels": st.lists(st.sampled_from(["dog", "rain"])),
            "made": st.just([{"text": "A dog", "maker": "k2c"}]),
            "id": st.sampled_from(["one", "a.wav", "a.wav#2"]),
            "stars": st.integers(0, 3),
        },
    ),
    min_size=1,
    max_size=12,
)


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_a_stream_gives_the_clips_that_reading_whole_gives(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    path = written(tmp_path / "m.jsonl", rows)
    try:
        whole = read_manifest(path, check_files=False).examples
    except ManifestError:  # two clips of one id
        with pytest.raises(ManifestError, match="is that of another clip already"):
            ManifestStream(path)
        return
    stream = ManifestStream(path)
    assert (tuple(stream), len(stream)) == (whole, len(whole))
    assert tuple(stream) == whole, "a second time too"


def test_a_folder_streams_as_well(tmp_path: Path) -> None:
    for name in ("rain/1.wav", "dog_bark/1.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert [example.labels for example in ManifestStream(tmp_path)] == [("dog bark",), ("rain",)]


def test_all_problems_are_told_before_the_first_clip(tmp_path: Path) -> None:
    path = written(tmp_path / "m.jsonl", [{"audio": "a.wav"}, {"audio": "b.wav", "made": "no list"}, {"audio": ""}])
    with pytest.raises(ManifestError, match="made takes a JSON list of objects") as caught:
        ManifestStream(path)
    assert caught.value.line == 2
    assert "line 3: audio takes the path" in str(caught.value)


def test_a_manifest_that_changes_meanwhile_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path / "m.jsonl", [{"audio": "a.wav"}])
    stream = ManifestStream(path)
    written(path, [{"audio": "a.wav"}, {"audio": "b.wav"}])
    with pytest.raises(ManifestError, match="has changed since it was first read"):
        list(stream)


def test_filters_are_those_of_a_whole_manifest(tmp_path: Path) -> None:
    path = written(tmp_path / "m.jsonl", [{"audio": "a.wav", "stars": 3}, {"audio": "b.wav", "split": "test"}])
    stream = ManifestStream(path)
    assert [stream.condition({"stars": "3"})(example) for example in stream] == [True, False]
    with pytest.raises(ConfigError, match="'stras', which is no column of the manifest; did you mean 'stars'"):
        stream.condition({"stras": 3})


def test_filters_that_leave_nothing_are_the_same_error_as_of_a_whole_manifest(tmp_path: Path) -> None:
    path = tmp_path / "clips.jsonl"
    path.write_text('{"audio": "a.wav", "split": "train"}\n{"audio": "b.wav", "split": "test"}\n')
    stream = ManifestStream(path)
    said = []
    left = r"leaves none of its 2 clips; split is one of \['test', 'train'\]"
    for choose in (stream.wanted, lambda where: read_manifest(path, where=where, check_files=False)):
        with pytest.raises(ManifestError, match=left) as error:
            choose({"split": "tset"})
        said.append(str(error.value))
    assert said[0] == said[1]
    assert [clip.id for clip in filter(stream.wanted({"split": "test"}), stream)] == ["b.wav"]


@pytest.mark.parametrize("names", [["x", "y", "", "x"], ["", "x", "", "a.wav"], ["x"] * 4, [""] * 4])
def test_rows_of_one_clip_with_other_ids_are_counted(names: list[str], tmp_path: Path) -> None:
    path = tmp_path / "clips.jsonl"
    rows: list[dict[str, Any]] = [{"audio": "a.wav"} | ({"id": name} if name else {}) for name in names]
    rows += [{"audio": "a.wav", "start_s": 1.0, "id": "other"}, {"audio": "b.wav", "id": "b"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    whole, stream = read_manifest(path, check_files=False), ManifestStream(path)
    clip = names[0] or "a.wav"
    assert whole.other_ids == tuple(name for name in names if name and name != clip)
    assert stream.other_ids == len(whole.other_ids)
    assert [example.id for example in stream] == [example.id for example in whole] == [clip, "other", "b"]


def test_memory_grows_by_bytes_and_not_by_clips(tmp_path: Path) -> None:
    rows = [{"audio": f"{number:05}.wav", "caption": "x" * 4000} for number in range(6000)]
    stream = ManifestStream(written(tmp_path / "m.jsonl", rows))
    tracemalloc.start()
    try:
        assert sum(1 for _ in stream) == 6000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Of what is left, most is Python's own table of names, which grows in steps of megabytes.
    assert peak < 6000 * 4000 / 4, "the captions alone are four times as much"
