"""Commands that write files: what they would write over, and where they cannot."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from openclap.cli.app import run


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four training clips, one of which stands in the evaluation set."""
    monkeypatch.chdir(tmp_path)
    rows = [{"audio": f"{i}.wav", "caption": "a sound", "freesound_id": i} for i in range(1, 5)]
    for name, clips in {"train.jsonl": rows, "test.jsonl": rows[:1]}.items():
        Path(name).write_text("".join(json.dumps(row) + "\n" for row in clips), encoding="utf-8")
    Path("ids.txt").write_text("3\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("out", ["train.jsonl", "test.jsonl", "./test.jsonl"])
def test_cleaned_data_is_never_written_over_the_data_that_was_read(
    out: str, sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in sets.glob("*.jsonl")}
    assert run(["data", "overlap", "train.jsonl", "--against", "test.jsonl", "--by", "ids", "--out", out]) == 2
    assert "would be lost" in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in sets.glob("*.jsonl")}
    assert (
        run(["data", "overlap", "train.jsonl", "--against", "test.jsonl", "--by", "ids", "--out", "clean.jsonl"]) == 0
    )
    assert len((sets / "clean.jsonl").read_text(encoding="utf-8").splitlines()) == 3


def test_cleaned_data_takes_the_place_of_nothing_but_cleaned_data(
    sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["data", "overlap", "train.jsonl", "--against", "test.jsonl", "--by", "ids", "--out", "clean.jsonl"]
    (sets / "clean.jsonl").write_text("mine\n")
    assert run(command) == 2
    assert (
        "clean.jsonl is there, and was not written by this command (no clean.jsonl.overlap.json lies beside it)"
        in capsys.readouterr().err
    )
    assert (sets / "clean.jsonl").read_text() == "mine\n"
    (sets / "clean.jsonl").unlink()
    assert run(command) == 0
    (sets / "clean.jsonl").write_text("")
    assert run(command) == 0
    assert len((sets / "clean.jsonl").read_text(encoding="utf-8").splitlines()) == 3
    (sets / "more.jsonl").write_bytes((sets / "train.jsonl").read_bytes())
    several = ["data", "overlap", "train.jsonl", "more.jsonl", *command[3:-1], "clean"]
    assert run(several) == 0
    (sets / "clean/more.jsonl.overlap.json").unlink()
    assert run(several) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--out", "clean.csv"], "JSON Lines"),
        (["--out", "ids.txt/clean.jsonl"], "is a file, and not a folder"),
        (["--report", "ids.txt"], "--report ids.txt: ids.txt is a file"),
        (["--cache", "ids.txt"], "--cache ids.txt: ids.txt is a file"),
        (["--by", "vectors", "--cosine", "0.9"], "give --vectors"),
        (["--by", "vectors", "--vectors", "ids.txt"], "--cosine"),
        (["--vectors", "ids.txt"], "--by vectors"),
        (["--ids", "freesound=ids.txt", "--by", "content"], "add ids"),
        (["train.jsonl"], "are both called 'train'"),
    ],
)
def test_what_overlap_cannot_do_is_told_before_it_looks(
    options: list[str], said: str, sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "overlap", "train.jsonl", "--against", "test.jsonl", *options]) == 2
    assert said in capsys.readouterr().err
    assert sorted(path.name for path in sets.iterdir()) == ["ids.txt", "test.jsonl", "train.jsonl"]


@pytest.mark.parametrize(
    "command",
    [
        ["data", "overlap", "train.jsonl", "--against", "test.jsonl", "--by", "ids", "--out", "locked/clean.jsonl"],
        ["data", "overlap", "train.jsonl", "--report", "locked/new"],
        ["data", "shard", "train.jsonl", "--out", "locked"],
        ["captions", "make", "template", "train.jsonl", "--out", "locked/new/out.jsonl"],
    ],
)
def test_a_folder_that_may_not_be_written_is_told_before_the_work(
    command: list[str], sets: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    locked = sets / "locked"
    locked.mkdir()
    # Not by its mode: an administrator may write everywhere.
    monkeypatch.setattr("os.access", lambda place, mode: mode != os.W_OK or Path(place).resolve() != locked)
    assert run(command) == 2
    assert "you may not write to the folder locked" in capsys.readouterr().err
    assert not list(locked.iterdir())


@pytest.mark.parametrize("kbps", ["nan", "inf", "5", "1e9"])
def test_a_bit_rate_that_opus_has_not_is_a_wrong_option(
    kbps: str, sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "shard", "train.jsonl", "--out", "shards", "--opus-kbps", kbps]) == 2
    assert "6 to 256" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--format", "opus", "--bits", "24"], "an option of flac, and --format is opus"),
        (["--opus-kbps", "64"], "an option of opus, and --format is flac"),
    ],
)
def test_an_option_of_the_other_format_is_not_passed_over(
    given: list[str], said: str, sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "shard", "train.jsonl", "--out", "shards", *given]) == 2
    assert said in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert not (sets / "shards").exists()


def test_shards_are_not_put_into_a_file(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "shard", "train.jsonl", "--out", "test.jsonl"]) == 2
    assert "test.jsonl is a file, and not a folder" in capsys.readouterr().err


def test_a_file_that_the_system_refuses_is_named_first(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "get", "esc50", "--out", "ids.txt"]) == 1
    assert capsys.readouterr().err.strip().endswith("ids.txt/raw: Not a directory")
