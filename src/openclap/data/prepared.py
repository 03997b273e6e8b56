"""What `prepare` leaves in a corpus's folder: the manifest, written a row at a time, and what it was made with."""

from __future__ import annotations

import json
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np

from openclap.atomic import file_written_whole
from openclap.audio.members import file_behind, member_of
from openclap.data.manifest import Manifest, read_manifest
from openclap.errors import ConfigError, DataError

MANIFEST, STAMP = "manifest.jsonl", "corpus.json"

_Row = TypeVar("_Row", bound=Mapping[str, Any])
_CLIP = ("audio", "start_s", "duration_s", "split", "fold")  # what tells one clip from another
_NAMED = 3  # clips without sound that are named


@dataclass(frozen=True)
class Prepared:
    """A corpus that is ready to be read.

    Attributes:
        path: its manifest.
        clips: how many it holds.
        splits: how many of them each split has; "" for those of none.
        missing: clips that are listed, and left out because their sound is not there.
        missing_examples: the first of them, by id.
    """

    path: Path
    clips: int
    splits: Mapping[str, int] = field(default_factory=dict)
    missing: int = 0
    missing_examples: tuple[str, ...] = ()

    def read(self) -> Manifest:
        """The manifest's examples; all of them in memory."""
        return read_manifest(self.path, check_files=False)


def write_prepared(
    rows: Iterable[Mapping[str, Any]],
    out: Path,
    raw: Path,
    stamp: Mapping[str, Any],
    *,
    accept: Callable[[Prepared], None] = lambda _: None,
) -> Prepared:
    """What was written: `rows` as `out/manifest.jsonl`, whole or not at all, and beside it the stamp.

    Args:
        rows: manifest rows; `audio` is a path from `raw`, an absolute one, or None for sound that is missing.
        out: the corpus's folder, made if need be.
        raw: where the published files lie.
        stamp: which corpus it is, and its options.
        accept: is shown what would be written, and raises if it must not be.

    Raises:
        ConfigError: if `out` holds a manifest that this corpus has not made.
        DataError: if two clips have the same id.
    """
    corpus = str(stamp["corpus"])
    _check_ours(out, corpus)
    with file_written_whole(out / MANIFEST) as fresh:
        # JSON can say \udce9 for a byte of a file name that is no UTF-8, where UTF-8 itself cannot.
        with fresh.open("w", encoding="utf-8", errors="backslashreplace") as file:
            prepared, ids = _write_rows(rows, file, out, raw, corpus)
        _check_ids(ids, fresh, corpus)
        accept(prepared)
    counts = {"clips": prepared.clips, "splits": dict(prepared.splits), "missing": prepared.missing}
    with file_written_whole(out / STAMP) as fresh:
        fresh.write_text(json.dumps({**stamp, "raw": os.path.relpath(raw, out), **counts}, indent=2) + "\n", "utf-8")
    return prepared


def counted(rows: Iterable[_Row], tell: Callable[[int], None], *, every: int = 1000) -> Iterator[_Row]:
    """The same rows, while `tell` is told now and then, and at the end, how many there were."""
    count = 0
    for count, row in enumerate(rows, start=1):
        yield row
        if count % every == 0:
            tell(count)
    tell(count)


def read_stamp(out: Path) -> dict[str, Any]:
    """What a corpus's folder says of itself; nothing if it has no stamp."""
    try:
        stamp = json.loads((out / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _write_rows(
    rows: Iterable[Mapping[str, Any]], file: IO[str], out: Path, raw: Path, corpus: str
) -> tuple[Prepared, array[int]]:
    """What was written to `file`, and a hash of each id."""
    here, there = str(raw.absolute()), os.path.relpath(raw, out)
    splits: Counter[str] = Counter()
    ids, missing, named = array("q"), 0, list[str]()
    for row in rows:
        audio = None if row["audio"] is None else str(row["audio"])
        if audio is None or not is_file(here, audio):
            missing += 1
            if len(named) < _NAMED:
                named.append(str(row.get("id", audio)))
            continue
        written: dict[str, Any] = {"id": audio, **row, "audio": _from(out, there, audio)}
        written["id"] = str(written["id"])
        written.setdefault("source", corpus)
        kept = {name: value for name, value in written.items() if value is not None}
        file.write(json.dumps(kept, ensure_ascii=False, default=str) + "\n")
        splits[str(row.get("split") or "")] += 1
        ids.append(hash(written["id"]))
    prepared = Prepared(out / MANIFEST, len(ids), dict(splits), missing, tuple(named))
    return prepared, ids


# Strings and not Paths in these: they run two million times, and Paths would take minutes.
def is_file(folder: str, path: str) -> bool:
    """Whether `path`, from `folder` or absolute, is a file, or the archive of a member is."""
    path = os.path.join(folder, path)  # noqa: PTH118
    return os.path.isfile(path) or (member_of(path) is not None and file_behind(Path(path)).is_file())  # noqa: PTH113


def _from(out: Path, there: str, audio: str) -> str:
    """The path from the corpus's folder, as `write_manifest` has it: both can be moved together."""
    folder, name = os.path.split(audio)
    return f"{_folder_from(str(out), there, folder)}/{name}".removeprefix("./")


@lru_cache(maxsize=1024)
def _folder_from(out: str, there: str, folder: str) -> str:
    absolute = os.path.isabs(folder)  # noqa: PTH117
    path = os.path.relpath(folder, out) if absolute else os.path.normpath(os.path.join(there, folder))  # noqa: PTH118
    return path.replace(os.sep, "/")


def _check_ids(ids: array[int], manifest: Path, corpus: str) -> None:
    """Raise if two clips have one id (two rows of one clip may); hashes first, a tenth of the ids' own size."""
    values, counts = np.unique(np.asarray(ids), return_counts=True)
    suspects = set(values[counts > 1].tolist())
    if not suspects:
        return
    seen: dict[str, list[Any]] = {}
    with manifest.open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            own, clip = row["id"], [row.get(name) for name in _CLIP]
            if hash(own) in suspects and seen.setdefault(own, clip) != clip:
                raise DataError(f"corpus {corpus}: two of its clips have the id {own!r}: its tables list one twice")


def _check_ours(out: Path, corpus: str) -> None:
    """Raise if the folder holds a manifest of something else: nothing of anybody's is replaced."""
    found = read_stamp(out).get("corpus")
    if (out / MANIFEST).exists() and found != corpus:
        whose = f"the corpus {found}" if found else "no corpus that openclap has prepared"
        raise ConfigError(f"{out / MANIFEST} is of {whose}: give another folder than {out} to the corpus {corpus}")
