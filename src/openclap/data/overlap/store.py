"""Fingerprints kept in one file, so that no sound is heard twice: sqlite3, from the standard library.

A database because it is written piece by piece and survives being killed at any moment (what was committed is there,
what was not is made again), and because it finds one of two million clips without holding any of them.
"""

from __future__ import annotations

import shutil
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from openclap.data.overlap.fingerprint import Fingerprint
from openclap.data.overlap.heard import Heard, clip_key, hear, in_order
from openclap.data.overlap.ledger import Numbered
from openclap.errors import ConfigError, DataError
from openclap.exclusive import held

_FILE, _SCRATCH = "fingerprints.sqlite", "overlap.unfinished"
_COMMIT_CLIPS = 256
_TABLE = """
CREATE TABLE IF NOT EXISTS heard (
    key TEXT PRIMARY KEY, content TEXT, duration_s REAL, error TEXT, peaks BLOB, bits BLOB
) WITHOUT ROWID"""


class FingerprintStore:
    """The fingerprints in a folder, for this process alone until the block ends: `with FingerprintStore(folder) as …`.

    Args:
        folder: made if need be.

    Attributes:
        scratch: a folder for files that nobody needs after the block; what a killed process left there is gone.

    Raises:
        ConfigError: if another process uses it.
        DataError: if its file is broken.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / _FILE
        self.scratch = folder / _SCRATCH

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._hold = held(self._folder)
        try:
            self._hold.__enter__()
        except BlockingIOError as error:
            raise ConfigError(
                f"{self._folder}: another process keeps fingerprints there: wait for it, or give another --cache"
            ) from error
        try:
            self._database = sqlite3.connect(self._file)
            self._database.execute(_TABLE)
            _remove(self.scratch)
            self.scratch.mkdir()
        except sqlite3.DatabaseError as error:
            self._hold.__exit__(None, None, None)
            raise DataError(f"{self._file}: holds no fingerprints ({error}); delete it to make them anew") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.commit()
        self._database.close()
        _remove(self.scratch)
        self._hold.__exit__(kind, error, trace)

    def hear_all(self, clips: Iterable[Numbered], *, threads: int = 1) -> Iterator[tuple[Numbered, Heard]]:
        """Each clip with what is kept of it: from here, or else heard now and kept.

        Why a clip could not be read is not kept: it may be readable once an extra is installed, or a disk is back.

        Args:
            clips: in any number.
            threads: how many are heard at once.
        """
        fresh = 0

        def known(numbered: Numbered) -> _Asked:
            key = clip_key(numbered.clip)
            kept = None if key is None else self.get(key)
            return _Asked(numbered, key, None if kept is None or kept.error is not None else kept)

        def heard(asked: _Asked) -> tuple[_Asked, Heard]:
            return asked, asked.kept or hear(asked.numbered.clip)

        for asked, found in in_order(heard, map(known, clips), threads):
            if asked.kept is None and asked.key is not None and found.error is None:
                self._put(asked.key, found)
                fresh += 1
                if fresh % _COMMIT_CLIPS == 0:
                    self._database.commit()
            yield asked.numbered, found
        self._database.commit()

    def get(self, key: str) -> Heard | None:
        """What is kept under a key, or None."""
        with closing(self._database.execute("SELECT * FROM heard WHERE key = ?", (key,))) as rows:
            row = rows.fetchone()
        return None if row is None else _heard(*row[1:])

    def _put(self, key: str, found: Heard) -> None:
        kept = found.fingerprint
        bits = zlib.compress(np.concatenate((kept.bits, kept.mask)).astype("<u8").tobytes(), 1)
        row = (key, found.content, found.duration_s, found.error, kept.peaks.astype("<u4").tobytes(), bits)
        self._database.execute("INSERT OR REPLACE INTO heard VALUES (?, ?, ?, ?, ?, ?)", row)


class _Asked(NamedTuple):
    """A clip, the key of its sound (None: there is no file), and what is kept under it."""

    numbered: Numbered
    key: str | None
    kept: Heard | None


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _heard(content: str, duration_s: float, error: str | None, peaks: Any, bits: Any) -> Heard:
    words = np.frombuffer(zlib.decompress(bits), "<u8").astype(np.uint64, copy=False)
    half = len(words) // 2
    found = Fingerprint(np.frombuffer(peaks, "<u4").astype(np.uint32, copy=False), words[:half], words[half:])
    return Heard(found, content, duration_s, error)
