"""The cases of `benchmarks/flap.py`: each once, none again that ran out of memory, and numbers kept on the way."""

from __future__ import annotations

import json
import subprocess
from types import ModuleType, SimpleNamespace

import pytest

OUT_OF_MEMORY = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 9.00 GiB."


@pytest.fixture
def script(load) -> ModuleType:
    return load("flap")


def case(batch: int, ratio: float = 0.0) -> dict[str, object]:
    return {"batch": batch, "part": "tower", "kind": "1d", "ratio": ratio}


@pytest.fixture
def tried(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
    """What was run, on a machine with room for 1,000 clips, where each case takes a second more than the one before."""
    calls: list[tuple[int, float]] = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        given = json.loads(command[-1])
        calls.append((given["batch"], given["ratio"]))
        if given["batch"] > 1000:
            return SimpleNamespace(returncode=1, stdout="", stderr=OUT_OF_MEMORY)
        found = {"seconds": len(calls), "grown_mb": 1.0, "tokens": 512}
        return SimpleNamespace(returncode=0, stdout=f"a line of torch's\n{json.dumps(found)}\n", stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    return calls


def test_what_ran_out_of_memory_is_not_tried_again_nor_anything_larger(
    script: ModuleType, tried: list[tuple[int, float]]
) -> None:
    cases = [case(batch, ratio) for batch in (500, 2000, 4000) for ratio in (0.0, 0.75)]
    rows = script.measure(cases, 3, lambda _: None)
    assert tried == [(500, 0.0), (500, 0.75), (2000, 0.0), (2000, 0.75), *[(500, 0.0), (500, 0.75)] * 2]
    assert [row["rounds"] for row in rows] == [3, 3, 0, 0, 0, 0]
    assert rows[0]["seconds"] == 5  # the median of 1, 5 and 7


def test_numbers_are_kept_after_each_case(script: ModuleType, tried: list[tuple[int, float]]) -> None:
    kept: list[int] = []
    script.measure([case(8), case(8, 0.75)], 2, lambda rows: kept.append(sum(row["rounds"] for row in rows)))
    assert kept == [1, 2, 3, 4]


def test_another_failure_ends_the_measurement_and_says_why(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = SimpleNamespace(returncode=1, stdout="", stderr="ValueError: no")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(SystemExit, match="ValueError: no"):
        script.measure([case(8)], 1, lambda _: None)


def test_the_table_has_the_share_of_the_peak_and_what_did_not_fit(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    common = {"reconstructs": False, "kind": "1d", "part": "tower"}
    numbers = {"tokens": 512, "seconds": 0.5, "grown_mb": 10.0, "arithmetic": 1.0, "gmac": 1000.0}
    fits = {**common, "batch": 256, "ratio": 0, **numbers}
    too_large = {**common, "batch": 4608, "ratio": 0, "seconds": None, "grown_mb": None, "tokens": None}
    script.show([fits, too_large], 120.0)
    lines = capsys.readouterr().out.splitlines()
    # 10^12 products forward, twice as many backward, 2 operations each, in half a second: 12 of 120 tera-operations.
    assert lines[2].endswith("| 512 | 0.500 | 512.0 | 1.00 | 1.00 | 10 | 1.00 | 0.10 |")
    assert lines[3] == "| 4608 | tower | 1d 0 | no | out of memory |"
