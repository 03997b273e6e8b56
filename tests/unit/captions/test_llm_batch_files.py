"""Batch files: nothing is asked twice, nothing is counted twice, and what is no result is said to be none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from openclap.captions.llm.batch_files import read_batch, write_batch
from openclap.captions.llm.config import CostConfig
from openclap.captions.llm.request import Request
from openclap.captions.llm.store import ReplyStore
from openclap.errors import CaptionError

REQUESTS = [Request("m", ({"role": "user", "content": f"clip {number}"},), {}, ()) for number in range(5)]
COST = CostConfig(per_million_in=1, per_million_out=4)
READABLE = json.dumps({"captions": ["A dog barks."]})


def results(path: Path, texts: dict[int, str], batch: str = "batch_req") -> Path:
    """A file as a server returns it, which gives each reply an id of its own."""

    def row(number: int, text: str) -> dict[str, Any]:
        usage = {"prompt_tokens": 100, "completion_tokens": 10}
        body = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": usage}
        return {
            "id": f"{batch}_{number}",
            "custom_id": REQUESTS[number].key,
            "response": {"status_code": 200, "body": body},
        }

    path.write_text("".join(json.dumps(row(*item)) + "\n" for item in texts.items()), encoding="utf-8")
    return path


def test_what_a_longer_run_left_is_not_sent_with_what_a_shorter_one_writes(tmp_path: Path) -> None:
    out, others = tmp_path / "x.jsonl", ["x-4.jsonl", "x-y.jsonl"]
    for name in others:
        (tmp_path / name).write_text('{"audio": "a.wav"}\n')
    assert len(write_batch(REQUESTS, out, most_requests=2)) == 3
    assert sorted(path.name for path in tmp_path.glob("x*.jsonl")) == sorted(
        ["x.jsonl", "x-2.jsonl", "x-3.jsonl", *others]
    )
    assert write_batch(REQUESTS[:1], out, most_requests=2) == [(out, 1)]
    assert sorted(path.name for path in tmp_path.glob("x*.jsonl")) == sorted(["x.jsonl", *others])
    assert write_batch([], out) == []
    assert sorted(path.name for path in tmp_path.glob("x*.jsonl")) == sorted(others)


@pytest.mark.parametrize("name", ["x.jsonl", "x-2.jsonl"])
def test_no_file_of_a_batch_takes_the_place_of_something_else(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text('{"audio": "a.wav"}\n')
    with pytest.raises(CaptionError, match=rf"{name} belongs to the batch .*x\.jsonl, but holds no requests"):
        write_batch(REQUESTS, tmp_path / "x.jsonl", most_requests=2)
    assert (tmp_path / name).read_text() == '{"audio": "a.wav"}\n'


def test_replies_that_cannot_be_read_are_paid_once_each_however_often_their_files_are_read(tmp_path: Path) -> None:
    store = ReplyStore(tmp_path / "replies.sqlite")
    files = [
        results(tmp_path / "first.jsonl", {0: "what?"}),
        results(tmp_path / "second.jsonl", {0: "who?"}),
    ]
    assert read_batch(files, store, model="m", cost=COST).kept == 2
    paid = store.spent()
    again = read_batch(files, store, model="m", cost=COST)
    assert (again.kept, again.known) == (0, 2)
    assert store.spent() == paid
    assert read_batch([results(tmp_path / "third.jsonl", {0: READABLE})], store, model="m", cost=COST).kept
    assert read_batch(files, store, model="m", cost=COST).known == 2
    reply = store.get(REQUESTS[0].key)
    assert reply is not None
    assert (reply.text, reply.asked) == (READABLE, 3)


def test_a_model_that_says_the_same_again_was_asked_and_paid_again(tmp_path: Path) -> None:
    store = ReplyStore(tmp_path / "replies.sqlite")
    first, second = (results(tmp_path / f"{batch}.jsonl", {0: "what?"}, batch) for batch in ("first", "second"))
    assert read_batch([first], store, model="m", cost=COST).kept == 1
    paid = store.spent().cost
    for _ in range(2):
        read_batch([first, second], store, model="m", cost=COST)
        assert store.spent().cost == pytest.approx(2 * paid)
        reply = store.get(REQUESTS[0].key)
        assert reply is not None
        assert reply.asked == 2  # or it would be asked without end


def test_a_file_that_holds_no_results_is_an_error_wherever_it_stands(tmp_path: Path) -> None:
    store = ReplyStore(tmp_path / "replies.sqlite")
    good = results(tmp_path / "results.jsonl", {0: READABLE})
    with good.open("a") as file:
        file.write('{"custom_id": "')  # a download that broke off
    [(asked, _)] = write_batch(REQUESTS, tmp_path / "asked.jsonl")
    with pytest.raises(CaptionError, match=r"asked\.jsonl holds the requests of a batch, and not its results"):
        read_batch([good, asked], store, model="m", cost=COST)
    (tmp_path / "other.jsonl").write_text('{"audio": "a.wav"}\n')
    with pytest.raises(CaptionError, match=r"other\.jsonl holds no results: give a file as the server returned it"):
        read_batch([good, tmp_path / "other.jsonl"], store, model="m", cost=COST)
    assert read_batch([good], store, model="m", cost=COST).known == 1
