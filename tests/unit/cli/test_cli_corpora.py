"""The commands on corpora say what there is, and what they did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from replica import sound, text

from openclap.cli.app import run
from openclap.data.corpus import corpora


def test_the_list_has_every_corpus_and_its_licence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [info["name"] for info in listed] == corpora.names()
    assert all(info["licence"] and "download_bytes" in info for info in listed)


@pytest.mark.parametrize("name", corpora.names())
def test_all_of_a_corpus_can_be_asked_for(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "info", name]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert " ".join(corpora.get(name).info.licence.split()) in said


def test_options_stand_in_the_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "info", "audiocaps", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["options"] == {"missing": "skip", "audio": "audio", "whole_videos": False, "version": 1}


def test_a_folder_becomes_a_manifest_and_what_is_missing_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text(tmp_path / "sounds/metadata.csv", "file,english", "1.wav,A dog", "gone.wav,Rain")
    sound(tmp_path / "sounds/1.wav")
    command = ["data", "prepare", "folder", "--raw", str(tmp_path / "sounds"), "--out", str(tmp_path / "mine")]
    assert run([*command, "--set", "columns.captions=english", "--json"]) == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert (told["clips"], told["missing"], told["splits"]) == (1, 1, {"": 1})
    assert "1 clips are listed and have no sound here" in printed.err
    assert run([*command, "--set", "missing=fail"]) == 3


def test_what_must_be_done_by_hand_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "get", "laion-630k", "--raw", str(tmp_path)]) == 3
    assert "LAION publishes tables of links" in " ".join(capsys.readouterr().err.split())
    assert run(["data", "get", "soundscapes"]) == 0
    assert "is made by code" in capsys.readouterr().out


def test_the_next_command_can_be_copied_whatever_the_folder_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(type(corpora.get("esc50")), "fetch", lambda *_, **__: None)
    assert run(["data", "get", "esc50", "--out", str(tmp_path / "my corpora")]) == 0
    assert f"openclap data prepare esc50 --out '{tmp_path / 'my corpora'}'" in capsys.readouterr().out


def test_an_option_that_is_none_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "prepare", "clotho", "--out", str(tmp_path), "--set", "mising=fail"]) == 2
    assert "'missing'" in capsys.readouterr().err
