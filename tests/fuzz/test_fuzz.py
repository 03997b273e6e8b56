"""Broken and hostile files, bounded: `make fuzz SECONDS=600` runs the same for longer, from other seeds.

Each target runs in a process of its own, so that a crash of a library is a failure here and not the end of the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TARGETS = {"audio": 150, "checkpoints": 100, "documents": 500}


def run(target: str, folder: Path, *options: str) -> dict[str, Any]:
    """What the process found; its end by a signal is told with the case that it was at."""
    command = [sys.executable, str(Path(__file__).with_name("run.py")), target, str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    if done.returncode != 0:
        at = (folder / "case").read_text() if (folder / "case").exists() else "the beginning"
        pytest.fail(f"ended with {done.returncode} (14 is a hang) at: run.py {at}\n{done.stderr[-2000:]}")
    return dict(json.loads((folder / "result.json").read_text()))


def assert_sound(found: dict[str, Any]) -> None:
    """Everything was read or refused by name, and nothing cost more than it was worth."""
    assert not found["failures"], json.dumps(found["failures"], indent=1)
    assert not found["heavy"], found["heavy"]


@pytest.mark.parametrize("target", TARGETS)
def test_broken_files_are_read_or_refused_by_name(target: str, tmp_path: Path) -> None:
    found = run(target, tmp_path, "--cases", str(TARGETS[target]))
    assert found["cases"] == TARGETS[target]
    assert len(found["outcomes"]) > 1  # some are read, and some refused
    assert_sound(found)


@pytest.mark.fuzz
@pytest.mark.parametrize("target", TARGETS)
def test_broken_files_for_as_long_as_asked(target: str, tmp_path: Path) -> None:
    seconds = float(os.environ.get("OPENCLAP_FUZZ_SECONDS", "60")) / len(TARGETS)
    seed = os.environ.get("OPENCLAP_FUZZ_SEED", "1")
    found = run(target, tmp_path, "--seconds", str(seconds), "--seed", seed)
    print(target, {name: value for name, value in found.items() if name != "failures"})
    assert_sound(found)
