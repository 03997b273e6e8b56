"""The index of one shard: what is in it and where, in a file beside the archive."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from openclap.atomic import file_written_whole
from openclap.errors import ManifestError

FORMAT_VERSION = 1


@dataclass(frozen=True)
class LeftOut:
    """A clip that is in no shard: its id and sound, and the error that it raised."""

    id: str
    audio: str
    error: str
    reason: str


@dataclass(frozen=True)
class ShardHead:
    """What an index says of its shard.

    Attributes:
        shard: the archive's name.
        clips: how many it holds.
        bytes: the archive's size.
        sha256: of the archive, as hex; None for one that somebody else wrote.
        changed_ns: when such a one was last changed.
        seconds: of sound, where they are known.
        clipped: clips with samples above full scale, which the format cannot hold.
        left_out: clips that were meant for this shard and could not be used.
    """

    shard: str
    clips: int
    bytes: int
    sha256: str | None = None
    changed_ns: int | None = None
    seconds: float | None = None
    clipped: int = 0
    left_out: tuple[LeftOut, ...] = ()

    def fits(self, archive: Path) -> bool:
        """Whether the archive is the one that was indexed, as far as its size (and time, without checksum) tells."""
        about = archive.stat()
        return about.st_size == self.bytes and (self.sha256 is not None or about.st_mtime_ns == self.changed_ns)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """A head from the first line of an index.

        Raises:
            KeyError, TypeError, ValueError: if it is not one of this version.
        """
        if values["format_version"] != FORMAT_VERSION:
            raise ValueError(f"format_version is {values['format_version']!r}, and {FORMAT_VERSION} is known")
        fields = {name: value for name, value in values.items() if name not in ("format_version", "left_out")}
        return cls(**fields, left_out=tuple(LeftOut(**row) for row in values.get("left_out", ())))

    def plain(self) -> dict[str, Any]:
        """The first line of an index, without what there is nothing to say of."""
        empty = (None, 0, ())
        said = {name: value for name, value in asdict(self).items() if value not in empty or name == "clips"}
        return {"format_version": FORMAT_VERSION} | said


def index_beside(archive: Path) -> Path:
    """Where the index of an archive stands: `0.index.jsonl` beside `0.tar`."""
    return archive.with_name(f"{archive.name.removesuffix('.tar')}.index.jsonl")


def index_in_cache(archive: Path) -> Path:
    """Where the index of an archive stands whose folder may not be written: in the user's cache folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = hashlib.sha256(os.fsencode(archive.resolve())).hexdigest()[:32]
    return cache / "openclap" / "shards" / f"{name}.index.jsonl"


def read_head(index: Path) -> ShardHead | None:
    """The head of an index, or None if there is no index, or none that can be read."""
    try:
        with index.open(encoding="utf-8") as file:
            return ShardHead.read(json.loads(file.readline()))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_clips(index: Path) -> Iterator[dict[str, Any]]:
    """The rows of the clips, one at a time.

    Raises:
        ManifestError: for one that cannot be read, and at the end if some are not there.
    """
    head, line = read_head(index), 1
    with index.open(encoding="utf-8") as file:
        next(file, None)
        for line, text in enumerate(file, start=2):
            try:
                row = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise ManifestError(index, f"is broken ({error}): delete it, and it is made anew", line) from error
            if not isinstance(row, dict) or not isinstance(row.get("audio"), str):
                raise ManifestError(index, "is no row of an index: delete the file, and it is made anew", line)
            yield row
    if head is None or line - 1 != head.clips:
        clips = "no" if head is None else head.clips
        raise ManifestError(
            index, f"is cut: it speaks of {clips} clips, and has {line - 1}: delete it, and it is made anew"
        )


def write_index(index: Path, head: ShardHead, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write an index; complete or not at all."""
    with file_written_whole(index) as fresh, fresh.open("wb") as file:
        file.write(as_json(head.plain()) + b"\n")
        for row in rows:
            file.write(as_json(row) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def as_json(values: Mapping[str, Any]) -> bytes:
    """One line of JSON as UTF-8; half a character of a file name that is no UTF-8 is written as JSON's own escape."""
    return json.dumps(values, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace")
