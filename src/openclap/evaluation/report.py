"""A report that one opens in a browser: numbers beside chance, curves, confusions, and sounds to judge by ear.

The folder is self-contained (relative links only, nothing from the network) and can be moved or served as it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from openclap.audio.decode import decode
from openclap.data.example import Example
from openclap.data.manifest import Manifest
from openclap.errors import ConfigError
from openclap.evaluation.pictures import draw_confusion, draw_spectrogram
from openclap.evaluation.results import Result, Score, shown, write_results
from openclap.optional import require

_TEMPLATES = Path(__file__).parent / "templates"
_PAGE, _FOLDERS = "index.html", ("sounds", "pictures")
_MARK = '<meta name="generator" content="openclap report">'  # in the page's head, too
_LONGEST_S = 30.0  # of a long recording, the page plays the beginning
_HEADLINES = ("t2a_r10", "a2t_r10", "top1", "map")
_CONFUSIONS = 8


@dataclass(frozen=True)
class NextStep:
    """Something for the reader to type: a command, and what it does."""

    command: str
    purpose: str


def write_report(
    directory: str | Path,
    results: Sequence[Result],
    manifest: Manifest,
    *,
    title: str = "Evaluation",
    curves: str | Path | None = None,
    next_steps: Sequence[NextStep] = (),
) -> Path:
    """The path of `index.html`, after a report of `results` has been written into `directory`.

    Args:
        directory: made if absent; an earlier report in it is replaced.
        results: of one model.
        manifest: holds the clips that the results list as examples.
        title: heading of the page.
        curves: picture of the learning curves; left out if it is None or absent.
        next_steps: what to suggest at the end.

    Raises:
        MissingExtraError: without the extra `eval`.
        ConfigError: if `directory` holds something else than a report, which is then left alone.
        AudioError: if an example's sound cannot be decoded.
    """
    jinja2 = require("jinja2", extra="eval", purpose="writing a report")
    directory = Path(directory)
    _make_room(directory)
    write_results(results, directory / "results.json")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template("report.html.j2").render(
        title=title,
        headlines=[_row(result, key) for key in _HEADLINES for result in results if key in result.scores],
        tables=[(result, [_row(result, key) for key in result.scores]) for result in results],
        curves=_copy_curves(curves, directory),
        confusions=[found for place, result in enumerate(results) if (found := _confusion(result, place, directory))],
        sounds=_sounds(results, manifest, directory),
        next_steps=list(next_steps),
        first=results[0] if results else None,
    )
    (directory / _PAGE).write_text(page, encoding="utf-8", errors="backslashreplace")
    return directory / _PAGE


def _make_room(directory: Path) -> None:
    """Make the folder, or empty it of an earlier report, which is known by its page; nothing else is ever removed."""
    held = {entry.name for entry in directory.iterdir()} if directory.is_dir() else set()
    page = directory / _PAGE
    known = page.is_file() and _MARK in page.read_text(encoding="utf-8", errors="replace")
    others = sorted(held - {_PAGE, "results.json", *_FOLDERS} if known else held)
    if others:
        raise ConfigError(f"{directory} holds {others[0]!r}, which is not of a report: give an empty folder")
    directory.mkdir(parents=True, exist_ok=True)
    page.write_text(f"{_MARK}\nThis report is not finished.\n", encoding="utf-8")  # first: it says whose folder it is
    for name in _FOLDERS:
        shutil.rmtree(directory / name, ignore_errors=True)
        (directory / name).mkdir()


def _row(result: Result, key: str) -> dict[str, Any]:
    """A score as the page shows it: text, and the places of its bar and its chance mark in per cent of the width."""
    score = result.scores[key]
    return {
        "name": score.name,
        "task": result.task,
        "value": shown(score.value, score),
        "chance": shown(score.chance, score),
        "interval": f"{shown(score.low, score)} to {shown(score.high, score)}",
        "n": score.n,
        "verdict": _verdict(score),
        "bar": round(100 * score.value, 2) if score.unit == "share" else None,
        "low": round(100 * score.low, 2),
        "high": round(100 * score.high, 2),
        "mark": round(100 * score.chance, 2),
    }


def _verdict(score: Score) -> str:
    if score.beats_chance:
        return "better than chance"
    worse = score.high < score.chance if score.better == "higher" else score.low > score.chance
    return "worse than chance" if worse else "not told apart from chance"


def _copy_curves(curves: str | Path | None, directory: Path) -> str | None:
    if curves is None or not Path(curves).is_file():
        return None
    name = f"pictures/curves{Path(curves).suffix}"
    shutil.copyfile(curves, directory / name)
    return name


def _confusion(result: Result, place: int, directory: Path) -> dict[str, Any] | None:
    """The confusion matrix of a result as a picture, and, for readers who cannot see it, the commonest errors."""
    details = result.details
    if "confusion" not in details:
        return None
    classes, matrix = details["classes"], details["confusion"]
    name = f"pictures/confusion-{place}.png"
    draw_confusion(matrix, classes, directory / name)
    errors = [
        {"true": classes[row], "said": classes[column], "clips": count}
        for row, counts in enumerate(matrix)
        for column, count in enumerate(counts)
        if row != column and count >= 0.5
    ]
    errors.sort(key=lambda error: -error["clips"])
    listed = zip(classes, details["clips"], details["per_class"], strict=True)
    per_class = [
        {"name": label, "clips": clips, "value": "–" if value is None else f"{100 * value:.0f} %"}
        for label, clips, value in listed
    ]
    return {"picture": name, "task": result.task, "errors": errors[:_CONFUSIONS], "per_class": per_class}


def _sounds(results: Sequence[Result], manifest: Manifest, directory: Path) -> list[dict[str, Any]]:
    """The listed clips, each with a sound to play, a picture of it, what it is, and what the model finds fits best."""
    known = {example.id: example for example in manifest}
    items: dict[str, dict[str, Any]] = {}
    for result in results:
        for entry in result.details.get("examples", ()):
            example = known.get(entry["id"])
            if example is None:
                continue
            if example.id not in items:
                items[example.id] = _sound(example, len(items), directory)
            items[example.id]["answers"].append(_answer(entry))
    return list(items.values())


def _sound(example: Example, number: int, directory: Path) -> dict[str, Any]:
    length_s = min(_LONGEST_S, example.duration_s or _LONGEST_S)
    waveform = decode(example.audio, start_s=example.start_s, duration_s=length_s)
    sound, picture = f"sounds/{number:02d}.wav", f"pictures/{number:02d}.png"
    # Always WAV, at its own rate: every browser plays it, and what is heard is the mono mix that the model hears.
    soundfile.write(directory / sound, waveform.samples, waveform.sample_rate_hz, subtype="PCM_16")
    draw_spectrogram(waveform, directory / picture)
    return {
        "id": example.id,
        "sound": sound,
        "picture": picture,
        "seconds": f"{waveform.duration_s:.1f}",
        "captions": list(example.captions),
        "labels": list(example.labels),
        "credit": example.credit,
        "license": example.license,
        "answers": [],
    }


def _answer(entry: dict[str, Any]) -> dict[str, Any]:
    """An example of either task in one form: what was asked, and the best texts with their scores."""
    if "captions" in entry:
        question = f"Captions that fit best (its own is at rank {entry['rank']:g})"
        best = [(item["text"], item["score"], item["right"]) for item in entry["best"]]
    else:
        question = "Classes that fit best"
        best = [(item["label"], item["score"], item["label"] in entry["labels"]) for item in entry["best"]]
    return {
        "question": question,
        "best": [{"text": text, "score": f"{score:.3f}", "right": right} for text, score, right in best],
    }
