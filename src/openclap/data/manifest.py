"""One manifest type behind every form in which sounds and their captions come.

Forms that `read_manifest` takes
    FOLDER       every sound below it. `x.wav` is described by `x.txt` (one caption a line) or `x.json` (an object with
                 the columns below, or {"text": [...], "tag": [...]} as in LAION's WebDataset files). Where no sound has
                 such a sidecar, the folder that it lies in is its label (`dog_bark/1.wav`: "dog bark"). A folder that
                 holds manifest.jsonl, manifest.csv, metadata.jsonl or metadata.csv is read as that file.
    .csv .tsv    a header, and a row a clip. A list in a cell is JSON (`["a", "b"]`); labels may also be `a|b` or `a;b`.
    .jsonl       an object a line. A list is a JSON list; a text is one caption or one label.
    .parquet     a row a clip (extra `train`); paths, not sound inside the table.
    .tar         WebDataset archives, and folders of them: `openclap.data.shards` says what is in them. A path in any
                 manifest may be that of a sound in such an archive, as `openclap.audio.members` writes it.

Columns: the first of these that a row has, in any case; the rest of the row is kept in `extra`
    audio        audio path file filename file_name filepath file_path audio_path audio_file audio_filepath (required)
    captions     captions caption caption_1..caption_N text texts sentence sentences title description
    labels       labels label tags tag categories category classes class
    id           id; by default the path, with `#t=3,8` for a time range
    split        split
    fold         fold, a whole number
    start_s      start_s start offset, in seconds from the beginning of the file
    duration_s   duration_s, in seconds; also duration where there is a start (alone it mostly tells the file's length)
    end_s        end_s end, in seconds from the beginning of the file, where there is a start and no duration
    license      license licence
    credit       credit
    source       source
    made         made, a list of objects: captions that `openclap.captions` made (`openclap.data.example.MadeCaption`)
    negatives    negatives, a list of objects: captions that do not fit (`openclap.data.example.NegativeCaption`)
    `ColumnConfig(audio="clip", captions=("en", "de"))` names other columns, and wins over these.

Rules
    Paths are relative to the manifest's folder, or to `audio_root`. `..` and absolute paths are allowed: a manifest may
    point at any sound on this machine.
    Rows of the same audio, time range, split and fold become one Example with all their captions, written and made,
    and labels; of the other columns, the id too, the first row's values stay. The same audio in two splits gives two
    Examples, which `openclap data check` reports as leakage.
    Text is UTF-8. White space inside captions and labels is folded, and empty ones are dropped.
    Clips with neither caption nor label are read (they can be embedded); training refuses them.
    Every problem has its line number (a row's number in Parquet), and the first several are shown together.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from openclap.atomic import file_written_whole
from openclap.audio.members import file_behind
from openclap.config import digest
from openclap.data.columns import SYNONYMS, ColumnConfig
from openclap.data.example import Example
from openclap.data.forms import read_form
from openclap.data.readers import FOLDER_MANIFESTS, Row
from openclap.data.rows import ClipKey, RowParser, free_id, has_other_id, join
from openclap.data.where import none_left, select_examples
from openclap.errors import ManifestError


@dataclass(frozen=True)
class Manifest:
    """Examples, and where they were read.

    Attributes:
        path: the file or folder.
        root: what the audio paths are relative to.
        examples: in the order of the file.
        other_ids: ids of the file's rows that are part of a clip with another id.
    """

    path: Path
    root: Path
    examples: tuple[Example, ...]
    other_ids: tuple[str, ...] = field(default=(), compare=False)

    def __len__(self) -> int:
        return len(self.examples)

    def __iter__(self) -> Iterator[Example]:
        return iter(self.examples)

    def select(self, **where: Any) -> Manifest:
        """The part of this manifest that fits every filter (`where.select_examples` says which there are).

        Raises:
            ConfigError: for an unknown key.
            ManifestError: if nothing is left.
        """
        chosen = select_examples(self.examples, where)
        if not chosen:
            raise none_left(self.path, where, self.examples)
        return replace(self, examples=tuple(chosen))

    @cached_property
    def digest(self) -> str:
        """SHA-256 hex over all that the examples say, with paths relative to the root; the sound itself is not read."""
        # Columns that nobody uses may hold what JSON has no number for: NaN goes in by its name.
        rows = json.dumps([manifest_row(example, self.root) for example in self.examples], default=str)
        return digest(json.loads(rows, parse_constant=str))


def read_manifest(
    path: str | Path,
    *,
    columns: ColumnConfig | None = None,
    where: Mapping[str, Any] | None = None,
    audio_root: str | Path | None = None,
    check_files: bool = True,
) -> Manifest:
    """The manifest at `path`: a folder, or a .csv, .tsv, .jsonl or .parquet file, as this module describes them.

    Args:
        path: the folder or file.
        columns: names for columns that the synonyms do not find.
        where: filters, as `Manifest.select` takes them.
        audio_root: what relative audio paths start from; the manifest's own folder by default.
        check_files: report audio files that are not there (of the selected clips).

    Raises:
        ManifestError: if it is missing, broken, or selects nothing; `.line` is that of the first problem.
        ConfigError: for an unknown key in `where`.
    """
    path = find_manifest(Path(path))
    root = Path(audio_root) if audio_root is not None else (path if path.is_dir() else path.parent)
    reading = _Reading(path, root, columns or ColumnConfig())
    for row in read_form(path, reading.problems):
        reading.take(row)
    manifest = Manifest(path, root, reading.examples(), tuple(reading.other_ids))
    if where:
        manifest = manifest.select(**where)
    if check_files:
        reading.check_files(manifest.examples)
    return manifest


def write_manifest(examples: Iterable[Example], path: str | Path, *, root: Path | None = None) -> None:
    """Write a manifest, or a stream of examples, as JSON Lines; complete or not at all.

    `read_manifest(path)` gives the same examples again (a key of `extra` that has the name of a field is left out).

    Args:
        examples: the clips.
        path: the file.
        root: what audio paths are written relative to; the folder of `path` by default.
    """
    path = Path(path)
    root = path.parent if root is None else root
    # JSON can say \udce9 for a byte of a file name that is no UTF-8, where UTF-8 itself cannot.
    with file_written_whole(path) as fresh, fresh.open("w", encoding="utf-8", errors="backslashreplace") as file:
        for example in examples:
            file.write(json.dumps(manifest_row(example, root), ensure_ascii=False, default=str) + "\n")


def manifest_row(example: Example, root: Path) -> dict[str, Any]:
    """A row that reads back as `example`, its audio's path from `root`.

    Empty fields are left out, unless a synonym in `extra` would step in.
    """
    row: dict[str, Any] = {"id": example.id, "audio": Path(os.path.relpath(example.audio, root)).as_posix()}
    row |= {"captions": list(example.captions), "labels": list(example.labels)}
    taken = {name.casefold() for name in example.extra}
    for column in ("split", "fold", "start_s", "duration_s", "license", "credit", "source"):
        value = getattr(example, column)
        rivals = SYNONYMS[column] + (SYNONYMS["end_s"] if column == "duration_s" else ())
        if value != _DEFAULTS[column] or taken.intersection(rivals):
            row[column] = value
    for column in ("made", "negatives"):
        if (made := getattr(example, column)) or column in taken:
            row[column] = [caption.plain() for caption in made]
    return row | {name: value for name, value in example.extra.items() if name not in row}


def find_manifest(path: Path) -> Path:
    """The manifest that `path` stands for: itself, or one that lies in the folder."""
    if not path.exists():
        raise ManifestError(path, "there is no such file or folder")
    if path.is_dir():
        return next((path / name for name in FOLDER_MANIFESTS if (path / name).is_file()), path)
    return path


class _Reading:
    """Rows merging into examples, with the line at which each audio was first seen."""

    def __init__(self, path: Path, root: Path, config: ColumnConfig) -> None:
        self._path = path
        self._parser = RowParser(path, root, config)
        self.problems = self._parser.problems
        self.other_ids: list[str] = []
        self._found: dict[ClipKey, Example] = {}
        self._lines: dict[Path, int | None] = {}

    def take(self, row: Row) -> None:
        """Merge one row into the examples."""
        if (parsed := self._parser.parse(row)) is None:
            return
        key, example = parsed
        if (first := self._found.get(key)) is not None and has_other_id(key, first, example):
            self.other_ids.append(example.id)
        self._found[key] = example if first is None else join(first, example)
        self._lines.setdefault(example.audio, row.line)

    def examples(self) -> tuple[Example, ...]:
        """All examples, once nothing is wrong with any row."""
        self._parser.check_columns()
        found: dict[str, Example] = {}
        for key, example in self._found.items():
            own = free_id(key, example, found.__contains__)
            if own in found:
                reason = f"id {own!r} is that of another clip already, {found[own].audio}"
                self.problems.add(self._lines[example.audio], reason)
            found[own] = replace(example, id=own)
        self.problems.raise_if_any()
        if not found:
            raise ManifestError(self._path, "holds no clips")
        return tuple(found.values())

    def check_files(self, examples: tuple[Example, ...]) -> None:
        """Raise for audio files that are not there."""
        files = {file_behind(audio): audio for audio in dict.fromkeys(example.audio for example in examples)}
        for file, audio in files.items():
            if not file.is_file():
                self.problems.add(self._lines[audio], f"there is no audio file {file}")
        self.problems.raise_if_any()


_DEFAULTS = {field.name: field.default for field in fields(Example)}
