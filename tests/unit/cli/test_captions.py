"""`openclap captions`: what it prints, writes, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openclap.cli.app import run
from openclap.data.manifest import read_manifest

Run = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def captions(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `openclap captions …`: exit code, stdout (read, if it is JSON), stderr."""

    def call(*arguments: object) -> tuple[int, Any, str]:
        code = run(["captions", *map(str, arguments)])
        said = capsys.readouterr()
        return code, json.loads(said.out) if "--json" in arguments and code == 0 else said.out, said.err

    return call


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    rows = [
        {"audio": "dog.wav", "labels": ["dog_bark", "rain"], "split": "train", "captions": ["a dog"]},
        {"audio": "car.wav", "labels": ["Vehicle horn, car horn, honking"], "split": "test"},
        {"audio": "rain.wav", "split": "train", "title": "rain", "stars": 4},
    ]
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_stages_are_listed_with_what_they_make(captions: Run) -> None:
    code, found, _ = captions("list", "--json")
    assert code == 0
    names = {stage["name"]: stage["what"] for stage in found}
    assert {"template", "k2c"} <= set(names)
    assert names["template"].startswith("Captions made of labels")


def test_captions_are_made_and_shown(captions: Run, manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    code, words, _ = captions("make", "template", manifest, "--out", out)
    assert code == 0
    assert "estimate: captions for 2 of 3 clips" in words
    assert "2 captions for 2 of 3 clips" in words
    made = [[caption.text for caption in example.made] for example in read_manifest(out, check_files=False)]
    assert made == [["The sound of a dog bark and rain"], ["The sound of a vehicle horn"], []]
    code, words, _ = captions("show", out)
    assert code == 0
    for text in ("dog.wav", "original", "template", "The sound of a dog bark and rain", "dog_bark; rain"):
        assert text in words


def test_as_json_there_is_one_document(captions: Run, manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    code, found, said = captions("make", "template", manifest, "--out", out, "--json")
    assert code == 0
    assert (found["estimate"]["clips"], found["report"]["captions"], found["manifest"]) == (2, 2, str(out))
    assert "estimate" in said
    _, again, _ = captions("make", "template", manifest, "--out", out, "--json")
    assert (again["estimate"]["clips"], again["report"]["from_journal"]) == (0, 3)
    _, shown, _ = captions("show", out, "--json", "--samples", 1)
    assert shown["clips"] == 3
    assert shown["by"]["template"] == {"texts": 2, "clips": 2}
    assert len(shown["samples"]) == 1


def test_a_dry_run_writes_nothing(captions: Run, manifest: Path, tmp_path: Path) -> None:
    code, found, _ = captions("make", "template", manifest, "--out", tmp_path / "out.jsonl", "--dry-run", "--json")
    assert code == 0
    assert found["estimate"]["clips"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_where_limit_and_options_say_which_and_how(captions: Run, manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    captions(
        "make", "template", manifest, "--out", out, "--where", "split=train", "--limit", 1, "--set", "prompts=msclap"
    )
    made = [[caption.text for caption in example.made] for example in read_manifest(out, check_files=False)]
    assert made == [["this is the sound of a dog bark and rain"], [], []]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("make", "tempalte"), 2, "there is no caption stage named 'tempalte'; did you mean 'template'?"),
        (("make", "template", "--set", "promts=laion"), 2, "promts is not a setting; did you mean 'prompts'?"),
        (("make", "template", "--where", "splt=train"), 2, "did you mean 'split'?"),
        (("make", "k2c"), 2, "caption stage 'k2c': model: Field required"),
        (("make", "k2c", "--set", "model=nowhere/at-all", "--set", "gates.kept=2"), 2, "gates.kept: Input should be"),
        (("make", "k2c", "--set", "model=nowhere/at-all"), 9, "'nowhere/at-all' is no folder, and cannot be had"),
    ],
)
def test_errors_say_what_to_do(
    captions: Run, manifest: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    command, stage, *rest = arguments
    ended, _, said = captions(command, stage, manifest, "--out", tmp_path / "out.jsonl", *rest)
    assert ended == code
    assert message in said


def test_rows_that_become_a_clip_of_another_id_are_told(captions: Run, tmp_path: Path) -> None:
    rows = [{"audio": "a.wav", "id": name, "caption": f"sound {name}"} for name in "xyx"]
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for command in (["make", "template", path, "--out", tmp_path / "out.jsonl"], ["show", path]):
        code, words, _ = captions(*command)
        assert (code, "note: 1 rows whose id is not that of the first row" in words) == (0, True)


def test_filters_that_leave_no_clip_are_an_error(captions: Run, manifest: Path, tmp_path: Path) -> None:
    chat = ["--set", "model=m", "--set", f"store={tmp_path / 'replies.sqlite'}"]
    for command in (
        ["make", "template", manifest, "--out", tmp_path / "out.jsonl"],
        ["batch", "write", "llm", manifest, "--out", tmp_path / "x.jsonl", *chat],
        ["show", manifest],
    ):
        code, _, error = captions(*command, "--where", "split=tset")
        assert (code, "leaves none of its 3 clips; split is one of ['test', 'train']" in error) == (3, True)
    assert not (tmp_path / "out.jsonl").exists()


def test_both_streams_of_a_broken_manifest_are_one_message(captions: Run, tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"audio": "a.wav", "made": [{"text": 1}]}\n')
    code, out, said = captions("show", tmp_path / "m.jsonl")
    assert (code, out) == (3, "")
    assert "m.jsonl:1: made has an object whose text takes a text, but is 1" in said


@pytest.mark.parametrize("command", [("make", "template"), ("events", "no-model")])
def test_what_this_command_has_not_written_is_not_written_over(
    command: tuple[str, ...], captions: Run, manifest: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_text("my notes\n", encoding="utf-8")
    code, words, error = captions(*command, manifest, "--out", mine)
    assert code == 2
    assert "mine.jsonl is there, and was not written by this command" in error
    assert words == ""
    assert mine.read_text(encoding="utf-8") == "my notes\n"


def test_a_stage_may_go_over_a_manifest_in_its_place_and_over_its_own_output_again(
    captions: Run, manifest: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    for _ in range(2):
        assert captions("make", "template", manifest, "--out", out)[0] == 0
        assert captions("make", "negatives", manifest, "--out", manifest)[0] == 0
    folder = tmp_path / "corpus"
    folder.mkdir()
    manifest.rename(folder / "manifest.jsonl")
    manifest = folder / "manifest.jsonl"
    assert captions("make", "negatives", folder, "--out", manifest)[0] == 0
    assert next(iter(read_manifest(manifest, check_files=False))).captions == ("a dog",)


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("x.csv", "JSON Lines"),
        ("folder.jsonl", "is a folder"),
        ("in.jsonl/x.jsonl", "is a file, and not a folder"),
        ("blocked.jsonl", "blocked.jsonl.captions is a file"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_anything_is_made(
    out: str, said: str, captions: Run, manifest: Path, tmp_path: Path
) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "blocked.jsonl.captions").touch()
    code, words, error = captions("make", "template", manifest, "--out", tmp_path / out)
    assert code == 2
    assert said in error
    assert words == ""


def test_a_limit_beyond_all_bounds_is_a_wrong_option(captions: Run, manifest: Path, tmp_path: Path) -> None:
    code, _, error = captions("make", "template", manifest, "--out", tmp_path / "x.jsonl", "--limit", "9" * 24)
    assert code == 2
    assert "--limit" in error


@pytest.mark.parametrize(("out", "said"), [("in.jsonl", "would be lost"), ("batch.csv", "JSON Lines")])
def test_a_batch_is_not_written_over_the_manifest_nor_under_a_name_of_another_format(
    out: str, said: str, captions: Run, manifest: Path, tmp_path: Path
) -> None:
    before = manifest.read_bytes()
    store = f"store={tmp_path / 'replies.sqlite'}"
    settings = ("--set", "model=any", "--set", store)
    code, _, error = captions("batch", "write", "llm", manifest, "--out", tmp_path / out, *settings)
    assert code == 2
    assert said in error
    assert manifest.read_bytes() == before
    assert not (tmp_path / "batch.csv").exists()


def test_a_store_of_replies_that_is_a_folder_is_told(captions: Run, manifest: Path, tmp_path: Path) -> None:
    settings = ("--set", "model=any", "--set", f"store={tmp_path}")
    code, _, error = captions("make", "llm", manifest, "--out", tmp_path / "x.jsonl", *settings)
    assert code == 9
    assert "is a folder" in error


@pytest.mark.parametrize("name", ["captions", "made", "Title", ""])
def test_events_go_into_no_column_that_means_something_else(
    name: str, captions: Run, manifest: Path, tmp_path: Path
) -> None:
    code, _, error = captions("events", "no-model", manifest, "--out", tmp_path / "x.jsonl", "--into", name)
    assert code == 2
    assert "--into" in error
