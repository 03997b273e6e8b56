"""Decisions are kept, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from openclap.errors import ConfigError, DataError, ManifestError
from openclap.serving.browse.review import Decision, DroppedCaption, Review, review_path

NOISY, BROKEN = Decision(flag="noisy", note="wind"), Decision(flag="broken")
TRIMMED = Decision(drop=(DroppedCaption(among="made", text="a dog"),))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where decisions go."""
    return tmp_path / "manifest.jsonl.review.jsonl"


def test_decisions_are_there_after_a_restart(path: Path) -> None:
    review = Review(path)
    review.decide("a", NOISY)
    review.decide("b", TRIMMED)
    assert Review(path).decisions == {"a": NOISY, "b": TRIMMED} == review.decisions


def test_the_last_decision_about_a_clip_counts(path: Path) -> None:
    review = Review(path)
    for decision in (NOISY, BROKEN):
        review.decide("a", decision)
    assert Review(path).of("a") == BROKEN
    review.decide("a", Decision())
    assert Review(path).decisions == {}
    assert review.of("a") == Decision()


def test_two_servers_take_each_others_decisions_in(path: Path) -> None:
    first, second = Review(path), Review(path)
    first.decide("a", NOISY)
    second.decide("b", BROKEN)
    first.decide("c", TRIMMED)
    second.refresh()
    assert first.of("b") == BROKEN
    assert dict(first.decisions) == dict(second.decisions) == dict(Review(path).decisions)


def test_many_processes_at_once_lose_nothing(path: Path) -> None:
    code = (
        "import sys; from openclap.serving.browse.review import *\n"
        "review = Review(sys.argv[1])\n"
        "for n in range(50): review.decide(f'{sys.argv[2]}-{n}', Decision(flag='noisy'))"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(path), str(who)]) for who in range(2)]
    assert [process.wait(timeout=60) for process in started] == [0, 0]
    assert len(Review(path).decisions) == 100


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no SIGKILL")
def test_whatever_was_saved_survives_sigkill(path: Path) -> None:
    code = (
        "import sys; from openclap.serving.browse.review import *\n"
        "review = Review(sys.argv[1])\n"
        "for n in range(10**6): review.decide(str(n), Decision(flag='noisy')); print(n, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(20)]
        process.kill()
    assert {line.strip() for line in told} <= set(Review(path).decisions)


def test_a_line_that_was_cut_is_no_decision_and_spoils_no_other(path: Path) -> None:
    Review(path).decide("a", NOISY)
    with path.open("ab") as file:
        file.write(b'{"clip": "b", "flag": "noi')
    review = Review(path)
    assert set(review.decisions) == {"a"}
    review.decide("c", BROKEN)
    assert dict(Review(path).decisions) == {"a": NOISY, "c": BROKEN}


def test_ids_that_are_no_unicode_are_kept(path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.wav")
    Review(path).decide(name, NOISY)
    assert Review(path).of(name) == NOISY


@pytest.mark.parametrize("text", ['{"audio": "a.wav"}\n', "some notes of mine\n", "[]\n"])
def test_another_file_is_never_written_into(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ManifestError, match="no file of decisions"):
        Review(path)
    assert path.read_text(encoding="utf-8") == text


def test_a_line_that_says_something_else_is_named(path: Path) -> None:
    Review(path).decide("a", NOISY)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"clip": "b", "flag": "boring"}\n')
    with pytest.raises(ManifestError, match=r":3: .*boring"):
        Review(path)


def test_a_place_that_cannot_be_written_is_said_before_anything_is_decided(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--review"):
        Review(tmp_path / "missing" / "x.review.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_is_an_error_and_no_decision(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    review = Review(path)
    review.decide("a", NOISY)
    real = os.open
    monkeypatch.setattr(os, "open", lambda _, flags, *mode: real("/dev/full", os.O_WRONLY))
    with pytest.raises(DataError, match="could not be saved"):
        review.decide("b", BROKEN)
    monkeypatch.undo()
    assert set(review.decisions) == set(Review(path).decisions) == {"a"}


def test_decisions_lie_beside_the_manifest() -> None:
    assert review_path("data/manifest.jsonl") == Path("data/manifest.jsonl.review.jsonl").absolute()
    assert review_path("sounds/") == Path("sounds.review.jsonl").absolute()


def test_a_place_below_a_file_is_said_before_anything_is_decided(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch()
    with pytest.raises(ConfigError, match="--review"):
        Review(tmp_path / "a.jsonl" / "decisions.jsonl")
