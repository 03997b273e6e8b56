"""The log of a run: lines of JSON, and TensorBoard."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from openclap.training.hooks import RunEnd, RunInfo, StepRecord
from openclap.training.log import JsonLog, TensorBoardLog, read_log

INFO = RunInfo(
    name="run",
    out=Path(),
    start_step=0,
    total_steps=10,
    clips_per_step=4,
    steps_per_epoch=5,
    parameters=100,
    trainable_parameters=50,
    device="cpu",
    precision="fp32",
)
RECORD = StepRecord(
    step=1,
    progress=0.1,
    losses={"loss": 2.5},
    rate=1e-3,
    grad_norm=0.5,
    applied=True,
    clips_per_s=12.0,
    data_share=0.1,
    elapsed_s=1.0,
    ids=("a", "b"),
)


def write(path: Path, start: int, steps: range) -> None:
    log = JsonLog(path)
    log.on_start(replace(INFO, start_step=start))
    for step in steps:
        log.on_log(replace(RECORD, step=step))
    log.close()


def steps_of(path: Path) -> list[int]:
    return [event["step"] for event in read_log(path) if event["kind"] == "step"]


def test_a_resumed_log_holds_each_step_once(tmp_path):
    path = tmp_path / "log.jsonl"
    write(path, 0, range(1, 6))
    write(path, 3, range(4, 8))
    assert steps_of(path) == [1, 2, 3, 4, 5, 6, 7]
    assert [event["step"] for event in read_log(path) if event["kind"] == "start"] == [0, 3]


def test_a_last_line_that_a_kill_cut_short_is_dropped(tmp_path):
    path = tmp_path / "log.jsonl"
    write(path, 0, range(1, 4))
    with path.open("a") as file:
        file.write('{"kind": "step", "st')
    assert steps_of(path) == [1, 2, 3]
    write(path, 3, range(4, 5))
    assert steps_of(path) == [1, 2, 3, 4]


def test_every_line_is_strict_json_even_when_a_loss_is_not_a_number(tmp_path):
    path = tmp_path / "log.jsonl"
    log = JsonLog(path)
    log.on_start(INFO)
    log.on_log(replace(RECORD, losses={"loss": float("nan")}, grad_norm=float("inf"), applied=False))
    log.close()

    def refuse(word: str) -> None:
        raise AssertionError(word)

    last = [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()][-1]
    assert last["loss"] == "nan"
    assert last["ids"] == ["a", "b"]  # who was in a step that was skipped


def test_the_end_is_dropped_when_a_finished_run_is_opened_again(tmp_path):
    path = tmp_path / "log.jsonl"
    for _ in range(2):
        log = JsonLog(path)
        log.on_start(replace(INFO, start_step=10))
        log.on_end(RunEnd(10, 5.0, stopped=False))
        log.close()
    assert [event["kind"] for event in read_log(path)] == ["start", "start", "end"]


def test_tensorboard_gets_an_event_file(tmp_path):
    pytest.importorskip("tensorboardX")
    log = TensorBoardLog(tmp_path)
    log.on_start(INFO)
    log.on_log(RECORD)
    log.on_metrics(1, {"validation/loss": 2.0})
    log.close()
    (file,) = tmp_path.glob("events*")
    content = file.read_bytes()
    assert b"train/loss" in content
    assert b"validation/loss" in content


def test_a_file_name_that_is_no_unicode_can_be_noted(tmp_path):
    path = tmp_path / "log.jsonl"
    for start in (0, 1):  # written, and kept on resuming
        log = JsonLog(path)
        log.on_start(replace(INFO, start_step=start))
        log.on_notice(start, "caf\udce9.wav is broken")
        log.close()
    assert [event["step"] for event in read_log(path) if event["kind"] == "notice"] == [0, 1]
