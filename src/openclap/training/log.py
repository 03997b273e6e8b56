"""Hooks that write a run down: a line of JSON for each event, and TensorBoard's event files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from openclap.atomic import file_written_whole
from openclap.optional import require
from openclap.training.hooks import Hook, RunEnd, RunInfo, StepRecord


class JsonLog(Hook):
    """Writes `log.jsonl`: objects with "kind" (start, step, metrics, save, notice, end) and "step".

    A run that is resumed at a step first drops what the log says of later steps, and a last line that a kill cut short,
    so that each step stands there once.

    Args:
        path: the log; need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def on_start(self, info: RunInfo) -> None:
        """Drop later steps, and note the start."""
        _truncate(self._path, info.start_step)
        self._file = self._path.open("a", encoding="utf-8", errors="backslashreplace", buffering=1)  # a line at a time
        values = {key: value for key, value in asdict(info).items() if key not in {"out", "start_step"}}
        self._write("start", info.start_step, values)

    def on_log(self, record: StepRecord) -> None:
        """Note a step; the examples only of one that was skipped."""
        values = {key: value for key, value in asdict(record).items() if key not in {"step", "losses", "ids"}}
        values.update(record.losses)
        if not record.applied:
            values["ids"] = list(record.ids)
        self._write("step", record.step, values)

    def on_metrics(self, step: int, metrics: Mapping[str, float]) -> None:
        """Note an evaluation."""
        self._write("metrics", step, metrics)

    def on_save(self, step: int, directory: Path, *, best: bool) -> None:
        """Note a checkpoint."""
        self._write("save", step, {"directory": directory.name, "best": best})

    def on_notice(self, step: int, message: str) -> None:
        """Note a message."""
        self._write("notice", step, {"message": message})

    def on_end(self, end: RunEnd) -> None:
        """Note the end."""
        self._write("end", end.step, {"elapsed_s": end.elapsed_s, "stopped": end.stopped})

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _write(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        if self._file is not None:
            plain = {key: _json_value(value) for key, value in values.items()}
            self._file.write(json.dumps({"kind": kind, "step": step, **plain}, ensure_ascii=False) + "\n")


class TensorBoardLog(Hook):
    """Writes TensorBoard event files; a resumed run hides what was written of later steps.

    Args:
        directory: of the event files.

    Raises:
        MissingExtraError: without the extra `train`.
    """

    def __init__(self, directory: Path) -> None:
        self._module = require("tensorboardX", extra="train", purpose="trainer.tensorboard")
        self._directory = directory
        self._writer: Any = None

    def on_start(self, info: RunInfo) -> None:
        """Open a new event file."""
        purge = info.start_step + 1 if info.start_step else None
        self._writer = self._module.SummaryWriter(str(self._directory), purge_step=purge)

    def on_log(self, record: StepRecord) -> None:
        """Write a step's scalars."""
        for name, value in record.losses.items():
            self._writer.add_scalar(f"train/{name}", value, record.step)
        for name in ("rate", "grad_norm", "clips_per_s", "data_share"):
            self._writer.add_scalar(f"run/{name}", getattr(record, name), record.step)

    def on_metrics(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write an evaluation's scalars."""
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """The events of a `log.jsonl`; a last line that a kill cut short is left out."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def _truncate(path: Path, step: int) -> None:
    kept = [event for event in read_log(path) if event["step"] <= step and event["kind"] != "end"]
    with file_written_whole(path) as fresh:
        text = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in kept)
        fresh.write_text(text, encoding="utf-8", errors="backslashreplace")


def _json_value(value: Any) -> Any:
    if isinstance(value, float):
        # JSON has no NaN: a word says it, and every reader can read the line.
        return float(f"{value:.6g}") if math.isfinite(value) else str(value)
    return value
