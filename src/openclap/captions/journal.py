"""What a stage has made so far, kept through a kill at any moment: a line a clip, appended as soon as it is there.

Lines begin with the key of the clip, so that millions are indexed without being parsed; the index holds 16 bytes a line
and each result is read from its place when it is asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
from array import array
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from openclap.captions.stage import Made, Rejected
from openclap.data.example import Example
from openclap.data.made import read_made, read_negatives


class Entry(NamedTuple):
    """One clip's result."""

    key: str
    clip: str
    made: Made


def clip_key(example: Example) -> str:
    """32 hex digits for a clip and all that a stage may look at: where its file lies, and its split, are left out."""
    seen: list[Any] = [example.id, example.captions, example.labels, example.start_s, example.duration_s]
    seen += [[caption.plain() for caption in example.made], [caption.plain() for caption in example.negatives]]
    text = json.dumps([*seen, dict(example.extra)], default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class Journal:
    """The results of one stage in a file; `find` knows those that were there when it was opened.

    Args:
        path: the file, made where there is none. A last line that a dying process cut off is removed, and a line that
            is no result (a disk's error) is passed over: its clip is made anew.
        only_read: change nothing, for another process may be writing; the file must be there.
    """

    def __init__(self, path: Path, *, only_read: bool = False) -> None:
        self._appended = None if only_read else path.open("ab")
        if not only_read:
            _cut_torn_line(path)
        self._read = path.open("rb")
        self._in_order = False
        keys, places = array("Q"), array("q")
        place = 0
        for line in self._read:
            if (key := _key_of(line)) is not None:
                keys.append(_short(key))
                places.append(place)
            place += len(line)
        order = np.argsort(np.frombuffer(keys, np.uint64), kind="stable")  # of equal keys, the last line comes last
        self._keys, self._places = np.frombuffer(keys, np.uint64)[order], np.frombuffer(places, np.int64)[order]

    def __len__(self) -> int:
        """Lines that were there when the journal was opened."""
        return len(self._keys)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._read.close()
        if self._appended is not None:
            self._appended.flush()
            os.fsync(self._appended.fileno())
            self._appended.close()

    def find(self, key: str) -> Made | None:
        """What was made for a key, or None."""
        if self._in_order and _key_of(line := self._read.readline()) == key and (made := _result(line)) is not None:
            return made  # mostly, results are asked for in the order in which they were made
        short = _short(key)
        at = int(np.searchsorted(self._keys, np.uint64(short), side="right")) - 1
        self._in_order = at >= 0 and int(self._keys[at]) == short
        if not self._in_order:
            return None
        self._read.seek(int(self._places[at]))
        line = self._read.readline()
        return _result(line) if _key_of(line) == key else None

    def add(self, entries: Iterable[Entry]) -> None:
        """Append results; when this returns, a kill cannot take them away.

        Raises:
            ValueError: if the journal was opened to be read.
        """
        if self._appended is None:
            raise ValueError("this journal is open for reading only")
        for entry in entries:
            made = entry.made
            row: dict[str, Any] = {"key": entry.key, "clip": entry.clip}
            row |= {"made": [caption.plain() for caption in made.captions]} if made.captions else {}
            row |= {"negatives": [caption.plain() for caption in made.negatives]} if made.negatives else {}
            row |= {"rejected": [[item.text, item.reason] for item in made.rejected]} if made.rejected else {}
            self._appended.write(json.dumps(row, default=str).encode() + b"\n")
        self._appended.flush()


_BEGIN = b'{"key": "'


def _key_of(line: bytes) -> str | None:
    key = line[len(_BEGIN) : len(_BEGIN) + 32]
    whole = line.startswith(_BEGIN) and line.endswith(b"}\n") and line[len(_BEGIN) + 32 : len(_BEGIN) + 33] == b'"'
    try:
        return bytes.fromhex(key.decode("ascii")).hex() if whole else None
    except ValueError:
        return None


def _short(key: str) -> int:
    return int(key[:16], 16)


def _result(line: bytes) -> Made | None:
    try:
        row = json.loads(line)
        rejected = tuple(Rejected(str(text), str(reason)) for text, reason in row.get("rejected", ()))
        return Made(read_made(row.get("made")), read_negatives(row.get("negatives")), rejected)
    except (ValueError, TypeError, RecursionError):
        return None


def _cut_torn_line(path: Path) -> None:
    with path.open("r+b") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end > 0:
            begin = max(0, end - (1 << 16))
            file.seek(begin)
            newline = file.read(end - begin).rfind(b"\n")
            if newline >= 0:
                end = begin + newline + 1
                break
            end = begin
        if end < size:
            file.truncate(end)
