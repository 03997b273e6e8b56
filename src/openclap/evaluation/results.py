"""Results of evaluations: numbers with their chance levels and intervals, and all that is needed to trust them."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

import openclap
from openclap.atomic import file_written_whole
from openclap.config import Config
from openclap.errors import EvaluationError

FORMAT_VERSION = 1


class Score(Config):
    """One number.

    Attributes:
        name: for tables: "T→A R@10".
        value: what was measured.
        chance: what guessing gets.
        low: lower end of the 95 % bootstrap interval over clips.
        high: upper end.
        n: queries (or clips, or classes) that it is a mean or median of.
        unit: "share" (0 to 1, shown as per cent) or "rank" (from 1).
        better: which way is up.
    """

    name: str
    value: float
    chance: float
    low: float
    high: float
    n: int
    unit: Literal["share", "rank"] = "share"
    better: Literal["higher", "lower"] = "higher"

    @property
    def beats_chance(self) -> bool:
        """Whether chance lies outside the interval, on the worse side."""
        return self.low > self.chance if self.better == "higher" else self.high < self.chance


class Result(Config):
    """What one task gave for one model on one set of clips.

    Attributes:
        task: name of the task.
        task_version: raised whenever the task's numbers change for the same input.
        protocol: what was done, in words.
        settings: the task's config.
        scores: by key ("t2a_r10").
        clips: how many clips were evaluated.
        model: "identity" (hash of weights, front-end, windowing) and "path", as far as they are known.
        data: "path" and "digest" of the manifest (after the task's filters).
        details: what the task lists beside its scores, as plain values (confusion matrix, examples).
        versions: of openclap, torch, numpy, Python.
        date: when, UTC, ISO 8601.
    """

    task: str
    task_version: int
    protocol: str
    settings: dict[str, Any]
    scores: dict[str, Score]
    clips: int
    model: dict[str, str]
    data: dict[str, str]
    details: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, str]
    date: str

    def values(self) -> dict[str, float]:
        """The bare numbers, by key."""
        return {key: score.value for key, score in self.scores.items()}


def write_results(results: Sequence[Result], path: str | Path) -> None:
    """Write results as one JSON file, complete or not at all."""
    tree = {"format_version": FORMAT_VERSION, "results": [result.plain() for result in results]}
    with file_written_whole(Path(path)) as fresh:
        text = json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
        fresh.write_text(text, encoding="utf-8", errors="backslashreplace")  # file names need not be Unicode


def read_results(path: str | Path) -> list[Result]:
    """The results in a file that `write_results` wrote.

    Raises:
        EvaluationError: if it cannot be read, or is of another format version.
    """
    try:
        tree = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationError(f"{path}: cannot be read as results ({error})") from error
    found = tree.get("format_version") if isinstance(tree, dict) else None
    if found != FORMAT_VERSION:
        raise EvaluationError(f"{path}: format_version is {found}, but this openclap reads {FORMAT_VERSION}")
    try:
        return [Result.model_validate(item) for item in tree["results"]]
    except (KeyError, TypeError, ValidationError) as error:
        raise EvaluationError(f"{path}: is not a file of results ({error})") from error


def table(results: Sequence[Result]) -> list[dict[str, str]]:
    """A row a score, as text: task, metric, value, interval, chance, n."""
    return [
        {
            "task": result.task,
            "metric": score.name,
            "value": shown(score.value, score),
            "interval": f"{shown(score.low, score)} – {shown(score.high, score)}",
            "chance": shown(score.chance, score),
            "n": str(score.n),
        }
        for result in results
        for score in result.scores.values()
    ]


def compare(runs: Mapping[str, Sequence[Result]]) -> list[dict[str, str]]:
    """A row a score that any run has, with one column a run; scores are matched by task, version, settings and data.

    Rows of different data or settings never share a line: a number stands beside another only if they answer the same
    question.
    """
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for run, results in runs.items():
        for result in results:
            question = (result.task, str(result.task_version), json.dumps(result.settings, sort_keys=True))
            for key, score in result.scores.items():
                row = rows.setdefault(
                    (*question, result.data.get("digest", ""), key),
                    {"task": result.task, "metric": score.name, "chance": shown(score.chance, score)}
                    | dict.fromkeys(runs, ""),
                )
                row[run] = shown(score.value, score)
    return list(rows.values())


def shown(value: float, score: Score) -> str:
    """A number as tables print it: "41.5 %", or a rank as "3"."""
    return f"{100 * value:.1f} %" if score.unit == "share" else f"{value:g}"


def versions() -> dict[str, str]:
    """The versions that a result depends on."""
    found = {"openclap": openclap.__version__, "python": platform.python_version()}
    for package in ("torch", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def now() -> str:
    """The time, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
