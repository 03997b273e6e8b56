"""What the page asks of its server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from starlette.testclient import TestClient

from openclap.data.example import Example, MadeCaption
from openclap.data.manifest import Manifest, read_manifest
from openclap.serving.browse.app import browse_app
from openclap.serving.browse.rejected import read_rejected
from openclap.serving.browse.review import Review, review_path

RATE_HZ = 16_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the sounds lie, among them one that is broken and one that is no part of the manifest."""
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE_HZ) / RATE_HZ)).astype(np.float32)
    for name in ("a.wav", "b.aiff", "secret.wav"):
        soundfile.write(tmp_path / name, tone, RATE_HZ)
    (tmp_path / "broken.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVEjunk")
    return tmp_path


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    """A client of the page of four clips."""
    made = MadeCaption("a person hums", "debias", of=("a man hums",), replaces=True, details={"p": float("nan")})
    examples = (
        Example(id="a", audio=folder / "a.wav", captions=("a man hums",), made=(made,), split="train"),
        Example(id="b", audio=folder / "b.aiff", start_s=0.25, duration_s=0.5, labels=("hum",)),
        Example(id="broken", audio=folder / "broken.wav"),
        Example(id=os.fsdecode(b"caf\xe9"), audio=folder / os.fsdecode(b"caf\xe9.wav"), extra={"x": float("inf")}),
    )
    manifest = Manifest(folder / "manifest.jsonl", folder, examples)
    app = browse_app(manifest, Review(review_path(manifest.path)), "token")
    with TestClient(app, base_url="http://127.0.0.1:1/token/") as client:
        yield client


def decide(client: TestClient, place: int, **decision: object):
    return client.post(f"api/clips/{place}/decision", json=decision)


def test_the_page_and_its_parts_are_served(client: TestClient) -> None:
    page = client.get("")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "http" not in page.text.replace("http-equiv", "")  # nothing from the network
    for name in ("browse.js", "shared/player.js", "shared/theme.css", "shared/icon.svg"):
        assert client.get(name).status_code == 200
    assert client.get("browse.js").headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize(
    "name", ["secret.wav", "../secret.wav", "%2e%2e/app.py", "app.py", "shared/../../guard.py", "docs", "openapi.json"]
)
def test_nothing_else_is_served(client: TestClient, name: str) -> None:
    assert client.get(name).status_code in {403, 404}


def test_a_clip_says_what_is_known_of_it(client: TestClient) -> None:
    clip = client.get("api/clips/0").json()
    assert clip["sound"] == {"format": "wav/pcm_16", "sample_rate_hz": RATE_HZ, "channels": 1, "seconds": 1.0}
    written, made = clip["captions"]
    assert (written["maker"], written["replaced_by"]) == ("original", "debias")
    assert made["difference"] == [["same", "a"], ["removed", "man"], ["added", "person"], ["same", "hums"]]
    assert made["details"] == [["p", "nan"]]
    assert ["file", "a.wav"] in clip["facts"]


def test_captions_that_a_stage_refused_are_told_with_the_reason(client: TestClient, folder: Path) -> None:
    beside = folder / "manifest.jsonl.captions"
    beside.mkdir()
    rows = '{"clip": "a", "text": "a cat", "reason": "not heard"}\nno JSON\n{"clip": "a"}\n'
    (beside / "llm-0a1b.rejected.jsonl").write_text(rows, encoding="utf-8")
    assert read_rejected(folder / "manifest.jsonl") == {"a": [("llm", "a cat", "not heard")]}
    assert client.get("api/clips/0").json()["rejected"] == []  # read when the page was opened


def test_names_and_numbers_that_json_has_not_get_through(client: TestClient) -> None:
    clip = client.get("api/clips/3").json()
    assert clip["id"] == os.fsdecode(b"caf\xe9")
    assert ["x", "inf"] in clip["facts"]


def test_broken_sound_is_told_and_the_rest_goes_on(client: TestClient) -> None:
    clip = client.get("api/clips/2").json()
    assert clip["sound"]["error"] == "AudioDecodeError"
    for what in ("sound", "spectrogram"):
        answer = client.get(f"api/clips/2/{what}")
        assert answer.status_code == 422
        assert "broken" in answer.json()["reason"]
    assert client.get("api/clips/0/sound").status_code == 200


def test_sound_comes_in_the_parts_that_a_player_asks_for(client: TestClient, folder: Path) -> None:
    whole = (folder / "a.wav").read_bytes()
    answer = client.get("api/clips/0/sound", headers={"range": "bytes=1000-1999"})
    assert (answer.status_code, answer.content) == (206, whole[1000:2000])
    assert answer.headers["content-range"] == f"bytes 1000-1999/{len(whole)}"
    assert client.get("api/clips/0/sound", headers={"range": "bytes=99999999-"}).status_code == 416


def test_a_range_of_a_format_that_browsers_do_not_play_is_wav_of_that_range(client: TestClient, tmp_path: Path) -> None:
    answer = client.get("api/clips/1/sound")
    assert answer.headers["content-type"] == "audio/wav"
    (tmp_path / "got.wav").write_bytes(answer.content)
    assert soundfile.info(tmp_path / "got.wav").frames == RATE_HZ // 2


def test_a_spectrogram_is_bytes_with_what_they_mean(client: TestClient) -> None:
    answer = client.get("api/clips/1/spectrogram?columns=100")
    head = json.loads(answer.headers["x-spectrogram"])
    assert head["duration_s"] == 0.5
    assert len(answer.content) == head["bands"] * head["columns"]
    assert max(answer.content) == 255


def test_decisions_are_seen_at_once_by_every_page(client: TestClient) -> None:
    before = client.get("api/clips").json()["version"]
    assert decide(client, 0, flag="noisy", note="wind").json()["clip"]["flag"] == "noisy"
    after = client.get("api/clips?flag=noisy").json()
    assert after["version"] > before
    assert [clip["id"] for clip in after["clips"]] == ["a"]
    assert client.get("api/clips/0").json()["decision"] == {"flag": "noisy", "note": "wind", "drop": []}


@pytest.mark.parametrize("decision", [{"flag": "boring"}, {"note": "x" * 5000}, {"drop": [{"text": "x"}]}, {"x": 1}])
def test_decisions_that_make_no_sense_are_refused(client: TestClient, decision: dict[str, object]) -> None:
    assert decide(client, 0, **decision).status_code == 422
    assert client.get("api/clips/0").json()["decision"]["flag"] is None


@pytest.mark.parametrize("place", ["-1", "4", "x", "1e3"])
def test_clips_that_there_are_not_are_not_found(client: TestClient, place: str) -> None:
    assert client.get(f"api/clips/{place}").status_code in {404, 422}


def test_the_part_of_the_list_that_has_a_clip_is_given(client: TestClient) -> None:
    part = client.get("api/clips?limit=2&around=3").json()
    assert (part["offset"], [clip["place"] for clip in part["clips"]]) == (2, [2, 3])
    assert client.get("api/clips?limit=2&around=3&split=train").json()["offset"] == 0


def test_an_export_goes_beside_the_manifest_and_asks_before_it_replaces(client: TestClient, folder: Path) -> None:
    decide(client, 2, flag="broken")
    asked = {"name": "clean.jsonl"}
    report = client.post("api/export", json=asked).json()
    assert report["flagged"] == {"broken": 1}
    assert [e.id for e in read_manifest(folder / "clean.jsonl", check_files=False)][:2] == ["a", "b"]
    assert client.post("api/export", json=asked).json() == {"exists": "clean.jsonl is there already"}
    assert client.post("api/export", json={**asked, "overwrite": True}).json()["clips"] == 3


@pytest.mark.parametrize("name", ["../x.jsonl", "/x.jsonl", "a/b.jsonl", "", ".hidden.jsonl", "x.txt", "x\0.jsonl"])
def test_an_export_goes_nowhere_else(client: TestClient, folder: Path, name: str) -> None:
    before = sorted(folder.rglob("*"))
    assert client.post("api/export", json={"name": name}).status_code == 422
    assert sorted(folder.rglob("*")) == before
