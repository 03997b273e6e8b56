"""Rows out of every form of manifest: a folder, CSV or TSV, JSON Lines, Parquet."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openclap.data.problems import Problems
from openclap.errors import ManifestError
from openclap.optional import require

AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".m4a", ".mp4"}
    | {".aac", ".webm"}
)
"""File names that a folder's reader takes for sound."""

FOLDER_MANIFESTS = ("manifest.jsonl", "manifest.csv", "metadata.jsonl", "metadata.csv")
"""Files that stand for the folder they lie in, the first one present; `metadata.*` is the audiofolder convention of
Hugging Face datasets."""


@dataclass(frozen=True)
class Row:
    """One row: where it stands, what it says, and its audio where the place of the row itself says which."""

    line: int | None
    values: dict[str, Any]
    audio: str | None = None
    cells: bool = False


def read_rows(path: Path, problems: Problems) -> Iterator[Row]:
    """The rows of the manifest at `path`; rows that cannot be read are noted as problems and left out.

    Raises:
        ManifestError: if the file's form is not known, or the whole of it cannot be read.
        MissingExtraError: for Parquet without pyarrow.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ManifestError(path, f"is not a manifest, which is a folder or a file that ends in {', '.join(_READERS)}")
    try:
        yield from reader(path, problems)
    except UnicodeDecodeError as error:
        raise ManifestError(path, f"is not UTF-8 text ({error.reason}): save it as UTF-8") from error
    except OSError as error:
        raise ManifestError(path, f"cannot be read ({error})") from error


def read_folder(root: Path, problems: Problems) -> Iterator[Row]:
    """One row for each sound below `root`, in the order of the paths.

    `x.wav` is described by `x.txt` (a caption a line) or `x.json` (an object) beside it. Where no sound of the folder
    has such a sidecar, the name of the folder that a sound lies in is its label.
    """
    names = sorted(files_below(root))
    present = set(names)
    sounds = [name for name in names if Path(name).suffix.lower() in AUDIO_SUFFIXES]
    if not sounds:
        looked_for = f"{' '.join(sorted(AUDIO_SUFFIXES))}) and none of {', '.join(FOLDER_MANIFESTS)}"
        problems.add(None, f"holds no sound files (looked for {looked_for}")
    stems = {name: name[: -len(Path(name).suffix)] for name in sounds}
    sidecars = any(stem + suffix in present for stem in stems.values() for suffix in (".txt", ".json"))
    for name, stem in stems.items():
        if sidecars:
            values = _sidecar(root, stem, present, problems)
        else:
            folder = Path(name).parent.name
            values = {"labels": [folder.replace("_", " ")]} if folder else {}
        yield Row(None, values, audio=name)


def files_below(root: Path) -> Iterator[str]:
    """Paths of the files below `root`, from there: through links but each folder once, without what is hidden."""
    seen: set[str] = set()
    for directory, folders, files in os.walk(root, followlinks=True):
        seen.add(os.path.realpath(directory))
        folders[:] = sorted(
            folder
            for folder in folders
            if not folder.startswith(".") and os.path.realpath(Path(directory, folder)) not in seen
        )
        yield from (Path(directory, name).relative_to(root).as_posix() for name in files if not name.startswith("."))


def _sidecar(root: Path, stem: str, present: set[str], problems: Problems) -> dict[str, Any]:
    """What the files beside a sound say of it; nothing where there are none."""
    described = [suffix for suffix in (".json", ".txt") if stem + suffix in present]
    if len(described) == 2:
        problems.add(None, f"{stem}.json stands beside {stem}.txt: keep one of them")
    if not described:
        return {}
    name = stem + described[0]
    try:
        text = (root / name).read_text(encoding="utf-8-sig")
        values = json.loads(text) if described[0] == ".json" else {"captions": text.splitlines()}
    except (ValueError, RecursionError, OSError) as error:  # JSON and UTF-8 errors are ValueErrors
        problems.add(None, f"{name} cannot be read ({error})")
        return {}
    if not isinstance(values, dict):
        problems.add(None, f"{name} holds a {type(values).__name__}, but takes an object")
        return {}
    return values


def _read_table(path: Path, problems: Problems, delimiter: str) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
        except csv.Error as error:
            problems.add(1, f"is not the header of a table ({error})")
            return
        repeated = {name for name in header if name and header.count(name) > 1}
        if repeated:
            problems.add(1, f"the header has {', '.join(sorted(repeated))} twice")
        before = reader.line_num
        try:
            for cells in reader:
                line, before = before + 1, reader.line_num
                if not any(cells):
                    continue
                if len(cells) != len(header):
                    counts = f"has {len(cells)} cells, but the header has {len(header)}"
                    problems.add(line, f"{counts}: put text that holds {delimiter!r} in quotes")
                    continue
                values = {name: cell or None for name, cell in zip(header, cells, strict=True) if name}
                yield Row(line, values, cells=True)
        except csv.Error as error:
            problems.add(before + 1, f"is not a row of a table ({error})")


def _read_csv(path: Path, problems: Problems) -> Iterator[Row]:
    return _read_table(path, problems, ",")


def _read_tsv(path: Path, problems: Problems) -> Iterator[Row]:
    return _read_table(path, problems, "\t")


def _read_jsonl(path: Path, problems: Problems) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        for line, text in enumerate(file, start=1):
            if not text.strip():
                continue
            try:
                values = json.loads(text.rstrip())
            except json.JSONDecodeError as error:  # which counts lines anew in each
                problems.add(line, f"is not JSON ({error.msg}, at character {error.pos + 1})")
                continue
            except (ValueError, RecursionError) as error:
                problems.add(line, f"is not JSON ({error})")
                continue
            if isinstance(values, dict):
                yield Row(line, values)
            else:
                problems.add(line, f"holds a {type(values).__name__}, but each line takes one object")


def _read_parquet(path: Path, problems: Problems) -> Iterator[Row]:
    parquet = require("pyarrow.parquet", extra="train", purpose="reading a Parquet manifest")
    arrow = require("pyarrow", extra="train", purpose="reading a Parquet manifest")
    try:
        with parquet.ParquetFile(path) as table:
            rows = (values for batch in table.iter_batches(batch_size=4096) for values in batch.to_pylist())
            for number, values in enumerate(rows, start=1):
                yield Row(number, values)
    except arrow.ArrowException as error:
        problems.add(None, f"is not a Parquet file that can be read ({error})")


_READERS: dict[str, Callable[[Path, Problems], Iterator[Row]]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
