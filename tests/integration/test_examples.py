"""Every example runs, and says what its page promises."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from .conftest import SMALL_RUN

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TESTED = {"search_a_folder", "where_in_a_recording", "train_in_python", "write_an_encoder", "embed_without_torch"}


def test_there_is_a_test_for_every_example():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == TESTED


def test_search_a_folder(model, corpus, capsys, monkeypatch):
    _run("search_a_folder", [model, str(corpus / "test"), "a dog barks", "rain"], monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == ["a dog barks", "rain"]
    assert len(lines) == 2 * (1 + 5)
    scores = [float(line.split()[0]) for line in lines[1:6]]
    assert scores == sorted(scores, reverse=True)


def test_where_in_a_recording(model, corpus, capsys, monkeypatch):
    _run("where_in_a_recording", [model, str(corpus / "test" / "00000.flac"), "a bell"], monkeypatch)
    assert capsys.readouterr().out.startswith("a bell: 0.0 s to 3.0 s (")


def test_train_in_python(corpus, tmp_path, capsys, monkeypatch):
    _run("train_in_python", [str(corpus / "manifest.jsonl"), str(tmp_path / "run"), *SMALL_RUN], monkeypatch)
    printed = capsys.readouterr().out
    assert printed.startswith("2 steps in")
    assert "T→A R@10" in printed


def test_write_an_encoder(capsys, monkeypatch):
    from openclap.models.zoo import audio_encoders

    audio_encoders.names()
    try:
        _run("write_an_encoder", [], monkeypatch)
    finally:
        audio_encoders._entries.pop("convnet", None)  # other tests sweep the registry
    assert capsys.readouterr().out.startswith("(2, 32), of length [")


def _run(name: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
