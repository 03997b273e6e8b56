"""The picture of a run."""

from __future__ import annotations

import json

import pytest

from openclap.training.curves import draw_curves, series

pytest.importorskip("matplotlib")


def test_a_picture_is_drawn_of_a_whole_run(tmp_path):
    log = tmp_path / "log.jsonl"
    steps = [
        {"kind": "step", "step": i, "loss": 3 / i, "rate": 1e-3, "grad_norm": 1.0, "clips_per_s": 9.0}
        for i in range(1, 40)
    ]
    metrics = [{"kind": "metrics", "step": i, "validation/loss": 2 / i, "validation/r_at_1": 0.5} for i in (10, 20)]
    log.write_text("".join(json.dumps(event) + "\n" for event in [*steps, *metrics]))
    draw_curves(log, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob(".part*"))


def test_a_run_that_was_stopped_before_its_first_log_has_an_empty_picture(tmp_path):
    draw_curves(tmp_path / "log.jsonl", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").exists()


def test_what_is_not_a_number_is_left_out_of_a_curve():
    events = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": "nan"}, {"step": 3}, {"step": 4, "loss": 1.0}]
    assert series(events, "loss") == ([1, 4], [2.0, 1.0])
