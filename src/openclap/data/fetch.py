"""Files out of the net into a folder: resumed, verified, several at once, and unpacked.

A file is written as `NAME.unfinished`, and gets its name when its size and checksum are those that were published: a
file that has its name is complete. A process that is killed, even in the middle of a write, goes on at the byte that it
had reached when it is called again. What was verified and unpacked is noted in `.fetched/`, so that a second call looks
at sizes and times only.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openclap.atomic import file_written_whole
from openclap.data.archives import leads_elsewhere, unpack
from openclap.data.splitzip import volumes_of
from openclap.data.transfer import Patience, forget, transfer
from openclap.errors import DataError
from openclap.exclusive import held

Progress = Callable[[str, int, int | None], None]
"""Is told (what is done, how much of it, of how much if that is known), in bytes; called from several threads."""

_AT_ONCE = 4


@dataclass(frozen=True)
class RemoteFile:
    """A file that is published at a URL.

    Attributes:
        name: where it lies below raw/.
        url: http, https or file.
        bytes: its size, if that is published.
        md5: its MD5 as hex, if that is published.
        sha256: its SHA-256 as hex, if that is published.
        unpack: the kind of archive ("zip", "tar", "7z") if it is one that is to be unpacked; "no" leaves it as it is.
            The volumes of a split zip (`x.z01`, …) stay as they are, and `x.zip` is unpacked with them.
        into: folder below raw/ that it is unpacked into; by default the one it lies in.
    """

    name: str
    url: str
    bytes: int | None = None
    md5: str | None = None
    sha256: str | None = None
    unpack: str = "no"
    into: str = ""


def fetch_files(
    files: Iterable[RemoteFile],
    raw: Path,
    *,
    progress: Progress = lambda *_: None,
    at_once: int = _AT_ONCE,
    patience: Patience | None = None,
) -> None:
    """Bring `files` below `raw`, verify them, and unpack those that are archives.

    A file that somebody has put there by hand is verified in the same way. An archive that was unpacked may be deleted.

    Args:
        files: what to bring.
        raw: the folder.
        progress: is told how far each file is.
        at_once: files fetched at a time.
        patience: with the network.

    Raises:
        DataError: if a server refuses or stays silent, a size or checksum is wrong, the disk is too small, an archive
            is broken or dangerous, two files have one name or one would land outside of `raw`, or another process is
            fetching into it. Whatever else could be fetched is there.
    """
    files = _distinct(files, raw)
    raw.mkdir(parents=True, exist_ok=True)
    try:
        with held(raw):
            records = {file: _Record(raw, file) for file in files}
            wanted = [file for file in files if not records[file].is_here()]
            _check_space(wanted, raw)
            _fetch_all(wanted, raw, progress, at_once, patience or Patience())
            parts = {raw / file.name: record for file, record in records.items()}
            for file, record in records.items():
                if file.unpack != "no" and not record.is_unpacked():
                    into = raw / file.into if file.into else (raw / file.name).parent
                    unpack(raw / file.name, into, tell=lambda *told, file=file: progress(f"unpack {file.name}", *told))
                    for part in (*volumes_of(raw / file.name), raw / file.name):
                        if part in parts:
                            parts[part].note(unpacked=True)
    except BlockingIOError as error:
        raise DataError(f"{raw}: another process is fetching into it: wait for it, or end it") from error


def _distinct(files: Iterable[RemoteFile], raw: Path) -> tuple[RemoteFile, ...]:
    """Each file once: names and addresses may come out of a table that somebody else wrote.

    Raises:
        DataError: if a name leads elsewhere, or stands for two files.
    """
    by_name: dict[str, RemoteFile] = {}
    for file in files:
        if leads_elsewhere(file.name):
            raise DataError(f"{file.url}: is to be called {file.name!r}, outside of {raw}: nothing is fetched")
        if (other := by_name.setdefault(file.name, file)) != file:
            raise DataError(f"{other.url} and {file.url} are both to be called {file.name!r}: nothing is fetched")
    return tuple(by_name.values())


def _fetch_all(files: Sequence[RemoteFile], raw: Path, progress: Progress, at_once: int, patience: Patience) -> None:
    """Fetch in threads; a file that fails does not keep the others from coming."""
    stop, failures = threading.Event(), []
    with ThreadPoolExecutor(max(1, min(at_once, len(files)))) as pool:
        try:
            running = [pool.submit(_fetch, file, raw, progress, stop, patience) for file in files]
            failures = [error for task in as_completed(running) if (error := task.exception()) is not None]
        finally:
            stop.set()  # on Ctrl-C: the threads end at their next chunk, and keep what they have
            pool.shutdown(cancel_futures=True)
    for error in failures:
        if not isinstance(error, DataError):
            raise error
    if failures:
        rest = f" ({len(files) - len(failures)} of {len(files)} files came)" if len(files) > 1 else ""
        raise DataError("\n".join(map(str, failures)) + rest)


def _fetch(file: RemoteFile, raw: Path, progress: Progress, stop: threading.Event, patience: Patience) -> None:
    target = raw / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.unfinished")
    resumed = unfinished.exists()
    while True:
        transfer(
            file.url,
            unfinished,
            expected_bytes=file.bytes,
            tell=lambda done, total: progress(file.name, done, total),
            stop=stop,
            patience=patience,
        )
        if stop.is_set():
            return
        wrong = _wrong(file, unfinished)
        if wrong is None:
            break
        forget(unfinished)
        if not resumed:
            raise DataError(f"{file.url}: {wrong}: the connection or the server has changed it; ask for it once more")
        resumed = False  # the first bytes may have been of an older version: once more, from the beginning
    unfinished.replace(target)
    forget(unfinished)
    _Record(raw, file).note(unpacked=False)


def _wrong(file: RemoteFile, path: Path) -> str | None:
    """What is wrong with a file, measured against what was published; None if nothing is."""
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        return f"{path.name} has {size:,} bytes, but {file.bytes:,} were published"
    for algorithm, published in (("md5", file.md5), ("sha256", file.sha256)):
        if published is not None:
            with path.open("rb") as opened:
                found = hashlib.file_digest(opened, algorithm).hexdigest()
            if found != published:
                return f"{path.name} has {algorithm.upper()} {found}, but {published} was published"
    return None


def _check_space(files: Sequence[RemoteFile], raw: Path) -> None:
    """Raise if what is known to come does not fit on the disk."""
    have = (raw / f"{file.name}.unfinished" for file in files)
    here = sum(path.stat().st_size for path in have if path.exists())
    needed, free = sum(file.bytes or 0 for file in files) - here, shutil.disk_usage(raw).free
    if needed > free:
        raise DataError(f"{raw}: {needed / 1e9:.1f} GB are to come, but {free / 1e9:.1f} GB are free on its disk")


class _Record:
    """What is known of a fetched file: that it was verified as it lies there, and whether it was unpacked."""

    def __init__(self, raw: Path, file: RemoteFile) -> None:
        self._file, self._target = file, raw / file.name
        self._path = raw / ".fetched" / f"{file.name.replace('/', '%2F')}.json"

    def is_here(self) -> bool:
        """Whether the file is there, or was unpacked and then deleted.

        Raises:
            DataError: if it is there, and is not the published one.
        """
        noted = self._read()
        if not self._target.exists():
            return self.is_unpacked()
        if self._as_it_lies().items() <= noted.items():
            return True
        if wrong := _wrong(self._file, self._target):
            raise DataError(f"{self._target}: {wrong}: delete it, and it is fetched from {self._file.url}")
        self.note(unpacked=False)
        return True

    def is_unpacked(self) -> bool:
        return self._read().get("unpacked") is True

    def note(self, *, unpacked: bool) -> None:
        """Note that the file, as it lies there, is the published one."""
        self._path.parent.mkdir(exist_ok=True)
        with file_written_whole(self._path) as fresh:
            fresh.write_text(json.dumps({**self._as_it_lies(), "unpacked": unpacked}) + "\n", encoding="utf-8")

    def _as_it_lies(self) -> dict[str, Any]:
        stat = self._target.stat()
        return {
            "url": self._file.url,
            "md5": self._file.md5,
            "sha256": self._file.sha256,
            "bytes": stat.st_size,
            "modified_ns": stat.st_mtime_ns,
        }

    def _read(self) -> dict[str, Any]:
        try:
            noted = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return noted if isinstance(noted, dict) else {}
