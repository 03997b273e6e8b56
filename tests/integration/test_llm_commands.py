"""From sounds to richer captions through the command line: events, the estimate, a server, batch files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # chat_server.py stands beside the tests

from chat_server import ChatServer

from openclap.cli.app import run
from openclap.data.manifest import read_manifest


def set_all(**settings):
    """`--set` options."""
    return [part for key, value in settings.items() for part in ("--set", f"{key.replace('__', '.')}={value}")]


@pytest.fixture(scope="module")
def heard(model, clips, tmp_path_factory) -> Path:
    """A manifest of six clips, with what an untrained model hears in each."""
    folder = tmp_path_factory.mktemp("heard")
    (folder / "labels.txt").write_text("rain\ndog bark\n\nbell\n", encoding="utf-8")
    out = folder / "heard.jsonl"
    command = ["captions", "events", model, str(clips), "--out", str(out), "--labels", str(folder / "labels.txt")]
    assert run([*command, "--top", "2", "--min-score", "0", "--prompts", "{label}"]) == 0
    return out


def test_a_models_labels_become_the_evidence_of_each_clip(heard, clips):
    examples = list(read_manifest(heard))
    assert [example.captions for example in examples] == [(f"noise number {n}",) for n in range(6)]
    for example in examples:
        labels, scores = zip(*((event["label"], event["score"]) for event in example.extra["events"]), strict=True)
        assert len(labels) == 2
        assert set(labels) < {"rain", "dog bark", "bell"}
        assert 1 >= scores[0] >= scores[1] >= 0


def test_hearing_goes_on_after_its_end_and_names_what_it_cannot_hear(model, clips, tmp_path, capsys):
    manifest = tmp_path / "clips.jsonl"
    rows = [{"audio": str(clips / f"{n}.flac"), "caption": "x"} for n in range(2)]
    rows.append({"audio": "absent.wav", "caption": "y"})
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "labels.txt").write_text("rain\nbell\n", encoding="utf-8")
    out = tmp_path / "out.jsonl"
    command = ["captions", "events", model, str(manifest), "--out", str(out), "--labels", str(tmp_path / "labels.txt")]
    assert run([*command, "--json"]) == 3
    said = json.loads(capsys.readouterr().out)
    assert [bad["clip"] for bad in said["bad"]] == ["absent.wav"]
    assert ["events" in example.extra for example in read_manifest(out, check_files=False)] == [True, True, False]
    [journal] = (tmp_path / "out.jsonl.events").glob("*.jsonl")
    lines = journal.read_text(encoding="utf-8").splitlines()
    journal.write_text(lines[0] + "\n" + lines[1][:30], encoding="utf-8")  # as a kill in the middle of a line leaves it
    first = out.read_bytes()
    out.unlink()
    assert run(command) == 3
    assert out.read_bytes() == first


def test_captions_are_estimated_and_made_and_a_spent_budget_has_its_exit_code(heard, tmp_path, capsys):
    out, store = tmp_path / "out.jsonl", tmp_path / "replies.sqlite"
    prices = set_all(cost__per_million_in=1, cost__per_million_out=4)
    with ChatServer() as server:
        command = ["captions", "make", "llm", str(heard), "--out", str(out)]
        command += set_all(model="m", server__base_url=server.url, store=store)
        assert run([*command, *prices, "--dry-run"]) == 0
        said = capsys.readouterr().out
        assert "6 calls" in said
        assert "cost about 0.0" in said
        assert not server.bodies
        assert run([*command, *prices, *set_all(cost__budget=0.00001)]) == 9
        assert "the budget is spent" in capsys.readouterr().err
        assert not out.exists()
        assert run(command) == 0
        said = capsys.readouterr().out
        assert "the server takes a JSON schema; 6 replies" in said
        asked = len(server.bodies)
        assert run([*command[:-2], *set_all(store=store)]) == 0
        assert len(server.bodies) == asked == 6
    for example in read_manifest(out):
        assert len(example.captions) == 1
        assert [caption.maker for caption in example.made] in ([], ["llm"])


def test_batch_files_are_written_and_read_by_commands(heard, tmp_path, capsys):
    options = set_all(model="m", store=tmp_path / "replies.sqlite", prompt="rewrite-1")
    batch, results = tmp_path / "batch.jsonl", tmp_path / "results.jsonl"
    assert run(["captions", "batch", "write", "llm", str(heard), "--out", str(batch), *options]) == 0
    requests = [json.loads(line) for line in batch.read_text(encoding="utf-8").splitlines()]
    assert len(requests) == 6
    with ChatServer() as server:
        bodies = [server.reply(request["body"], request["custom_id"], "") for request in requests]
    rows = [
        {"custom_id": request["custom_id"], "response": {"status_code": 200, "body": body}}
        for request, body in zip(requests, bodies, strict=True)
    ]
    results.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    capsys.readouterr()
    assert run(["captions", "batch", "read", "llm", str(results), *options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 6
    assert run(["captions", "make", "llm", str(heard), "--out", str(tmp_path / "out.jsonl"), *options]) == 0
    assert run(["captions", "batch", "write", "llm", str(heard), "--out", str(tmp_path / "none.jsonl"), *options]) == 0
    assert "nothing to ask" in capsys.readouterr().out
    assert not (tmp_path / "none.jsonl").exists()


def test_stages_that_ask_no_model_have_no_batch_files(heard, tmp_path, capsys):
    assert run(["captions", "batch", "write", "template", str(heard), "--out", str(tmp_path / "x.jsonl")]) == 2
    assert "asks no language model" in capsys.readouterr().err
