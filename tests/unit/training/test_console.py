"""A run on the screen."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from openclap.training.console import ConsoleHook
from openclap.training.hooks import RunEnd, RunInfo, StepRecord

INFO = RunInfo("birds", Path("runs/birds"), 3, 10, 8, 4.5, 2_000_000, 1_000_000, "cpu", "bf16")
RECORD = StepRecord(5, 0.5, {"loss": 1.25}, 1e-3, 0.5, True, 20.0, 0.1, 60.0, ("a",))


def show(*, terminal: bool) -> str:
    screen = io.StringIO()
    hook = ConsoleHook(Console(file=screen, force_terminal=terminal, width=140))
    hook.on_start(INFO)
    hook.on_step(RECORD)
    hook.on_log(RECORD)
    hook.on_metrics(5, {f"validation/m{i}": i / 10 for i in range(10)})
    hook.on_notice(5, "2 clips could not be read")
    hook.on_save(5, Path("step-5"), best=True)
    hook.on_end(RunEnd(10, 3725.0, stopped=True))
    hook.close()
    return screen.getvalue()


def test_off_a_terminal_each_log_is_a_plain_line():
    text = show(terminal=False)
    assert "\x1b" not in text
    assert "step 5/10 · loss 1.2500 · 20.0 clips/s · left 1:00" in text
    assert "2.0 M parameters, 1.0 M learn" in text
    assert "resumed at step 3" in text
    assert "m7 0.7 · and 2 more" in text
    assert "stopped on request, and saved: 10 steps in 1:02:05 of training" in text


def test_on_a_terminal_there_is_a_bar_with_the_same_numbers():
    text = show(terminal=True)
    assert "loss 1.2500" in text
    assert "50 %" in text


@pytest.mark.parametrize("total", [None, 10])
def test_a_run_that_only_the_clock_ends_has_no_last_step_to_show(total):
    screen = io.StringIO()
    hook = ConsoleHook(Console(file=screen))
    hook.on_start(replace(INFO, total_steps=total))
    hook.on_log(RECORD)
    assert ("step 5/10" in screen.getvalue()) is (total is not None)


def test_names_and_folders_are_printed_as_they_are():
    screen = io.StringIO()
    hook = ConsoleHook(Console(file=screen, width=140))
    hook.on_start(replace(INFO, name="birds[/b]", out=Path("runs/[red]1")))
    hook.close()
    assert "birds[/b]" in screen.getvalue()
    assert "runs/[red]1" in screen.getvalue()
