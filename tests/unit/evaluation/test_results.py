"""Results are written, read back and laid side by side."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openclap.data.manifest import Manifest
from openclap.errors import EvaluationError
from openclap.evaluation.results import Result, Score, compare, read_results, table, write_results
from openclap.evaluation.task import evaluate


@pytest.fixture
def results(manifest: Manifest, oracle: Callable[..., Any]) -> list[Result]:
    return evaluate(oracle(noise=1.0), manifest, ["retrieval", "zero-shot"])


def score(value: float, **others: Any) -> Score:
    return Score(**{"name": "T→A R@1", "value": value, "chance": 0.1, "low": value, "high": value, "n": 5} | others)


def test_a_file_reads_back_as_it_was(results: list[Result], tmp_path: Path) -> None:
    write_results(results, tmp_path / "deep" / "results.json")
    assert read_results(tmp_path / "deep" / "results.json") == results
    assert [entry.name for entry in (tmp_path / "deep").iterdir()] == ["results.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "cannot be read"), ('{"format_version": 99}', "format_version is 99"), ("[]", "format_version is None"),
     ('{"format_version": 1, "results": [{"task": "x"}]}', "not a file of results")],
)  # fmt: skip
def test_a_file_that_holds_something_else_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(EvaluationError, match=message) as caught:
        read_results(path)
    assert "results.json" in str(caught.value)


def test_json_holds_what_is_needed_to_trust_a_number(results: list[Result], tmp_path: Path) -> None:
    write_results(results, tmp_path / "results.json")
    first = json.loads((tmp_path / "results.json").read_text())["results"][0]
    assert first["model"]["identity"] == "oracle-1"
    assert len(first["data"]["digest"]) == 64
    assert {"value", "chance", "low", "high", "n"} <= set(first["scores"]["t2a_r1"])
    assert first["date"].endswith("+00:00")


def test_the_table_shows_chance_beside_every_number(results: list[Result]) -> None:
    rows = table(results)
    assert len(rows) == sum(len(result.scores) for result in results)
    assert all(row["chance"] and row["interval"] for row in rows)
    assert rows[0]["value"].endswith("%")
    assert next(row for row in rows if "rank" in row["metric"])["value"].replace(".", "").isdigit()


def test_runs_share_a_row_only_on_the_same_question(results: list[Result]) -> None:
    [retrieval, _] = results
    other_data = retrieval.model_copy(update={"data": {"path": "x", "digest": "0" * 64}})
    rows = compare({"a": [retrieval], "b": [retrieval], "c": [other_data]})
    assert len(rows) == 2 * len(retrieval.scores)
    assert rows[0]["a"] == rows[0]["b"] != ""
    assert rows[0]["c"] == ""


@pytest.mark.parametrize(
    ("made", "beats"),
    [(score(0.5, low=0.2), True), (score(0.5, low=0.05), False), (score(3, high=4, chance=9, better="lower"), True),
     (score(3, high=10, chance=9, better="lower"), False)],
)  # fmt: skip
def test_a_score_beats_chance_when_its_interval_does(made: Score, beats: bool) -> None:
    assert made.beats_chance is beats
