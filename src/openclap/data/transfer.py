"""One URL into one file that keeps its place: what was cut is taken up at the same byte, also by another process."""

from __future__ import annotations

import http.client
import json
import logging
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from openclap.errors import DataError

_LOG = logging.getLogger(__name__)
_CHUNK_BYTES = 1 << 20
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})  # answers that may be another one in a while


@dataclass(frozen=True)
class Patience:
    """How a transfer deals with a network that fails.

    Attributes:
        tries: attempts in a row that bring no byte before it gives up.
        wait_s: before the second attempt; twice as long before each further one, to `longest_wait_s`.
        longest_wait_s: also for a server that asks to be left alone (Retry-After).
        timeout_s: without an answer or a byte.
    """

    tries: int = 6
    wait_s: float = 1.0
    longest_wait_s: float = 120.0
    timeout_s: float = 60.0

    def wait(self, failures: int, asked_s: float | None) -> float:
        """Seconds before the next attempt."""
        return min(self.longest_wait_s, asked_s if asked_s is not None else self.wait_s * 2 ** (failures - 1))


class _AgainError(Exception):
    """What failed may work in a while."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def transfer(
    url: str,
    unfinished: Path,
    *,
    expected_bytes: int | None = None,
    tell: Callable[[int, int | None], None] = lambda *_: None,
    stop: threading.Event | None = None,
    patience: Patience | None = None,
) -> None:
    """Bring all bytes of `url` into `unfinished`, going on behind those that it holds already.

    A server that has another version of the file by now, or cannot send parts, sends it from the beginning.

    Args:
        url: http, https or file.
        unfinished: the file; beside it lies `….json`, which says of which version of the file its bytes are.
        expected_bytes: how many there must be, if that is known.
        tell: is told the bytes that are here, and how many there will be.
        stop: ends the transfer soon after it is set; what came is kept.
        patience: with the network.

    Raises:
        DataError: if the server refuses, stays silent, or has a file of another size.
    """
    if urlsplit(url).scheme not in ("http", "https", "file"):
        raise DataError(f"{url}: is not a http, https or file URL")
    patience, stop = patience or Patience(), stop or threading.Event()
    attempt, failures = _Attempt(url, unfinished, expected_bytes, tell, stop, patience.timeout_s), 0
    while True:
        before = attempt.have
        try:
            attempt.run()
        except _AgainError as error:
            failures = 1 if attempt.have > before else failures + 1
            if failures >= patience.tries:
                have = (
                    f"; {attempt.have:,} bytes are kept: ask again, and it goes on behind them" if attempt.have else ""
                )
                raise DataError(f"{url}: {error}, {failures} times in a row{have}") from error
            wait_s = patience.wait(failures, error.wait_s)
            again = f"trying again in {wait_s:.0f} s ({failures + 1} of {patience.tries} tries)"
            _LOG.warning("%s: %s: %s", url, error, again)
            stop.wait(wait_s)
        else:
            return
        if stop.is_set():
            return


def forget(unfinished: Path) -> None:
    """Delete what came of a file, and the note beside it."""
    unfinished.unlink(missing_ok=True)
    _note_of(unfinished).unlink(missing_ok=True)


def retry_after_s(value: str | None, now: datetime | None = None) -> float | None:
    """The seconds that a server asks to be left alone with its header Retry-After, a number or a date; None else."""
    value = (value or "").strip()
    if value.isdecimal():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


@dataclass
class _Attempt:
    """Attempts at one file; `run` is one of them."""

    url: str
    unfinished: Path
    expected_bytes: int | None
    tell: Callable[[int, int | None], None]
    stop: threading.Event
    timeout_s: float

    @property
    def have(self) -> int:
        return self.unfinished.stat().st_size if self.unfinished.exists() else 0

    def run(self) -> None:
        """Ask for what is missing, and write what comes."""
        have = self.have
        if have and have == self.expected_bytes:
            self.tell(have, have)
            return
        if self.expected_bytes is not None and have > self.expected_bytes:
            forget(self.unfinished)
            have = 0
        try:
            answer = self._ask(have)
        except urllib.error.HTTPError as error:
            self._refused(error, have)
            return
        with answer:
            start = have if answer.status == 206 and _first_byte(answer) == have else 0
            if answer.status == 206 and start != have:
                raise _AgainError("the server sent another part than it was asked for")
            length = answer.headers.get("Content-Length")
            total = start + int(length) if length is not None else self.expected_bytes
            if self.expected_bytes is not None and total != self.expected_bytes:
                raise DataError(
                    f"{self.url}: has {total:,} bytes, but {self.expected_bytes:,} were published: it has been replaced"
                    ", or the address answers with another page"
                )
            self._remember(answer)
            with self.unfinished.open("ab" if start else "wb") as file:
                came = self._copy(answer, file, start, total)
        if total is not None and start + came < total and not self.stop.is_set():
            raise _AgainError(f"the connection was cut at byte {start + came:,} of {total:,}")

    def _ask(self, have: int) -> Any:
        headers = {"User-Agent": "openclap", "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if version := self._version():
                headers["If-Range"] = version
        request = urllib.request.Request(self.url, headers=headers)  # noqa: S310 — transfer() has looked at the scheme
        try:
            return urllib.request.urlopen(request, timeout=self.timeout_s)  # noqa: S310
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
            reason = getattr(error, "reason", error)
            if self.url.startswith("file:"):
                raise DataError(f"{self.url}: cannot be read ({reason})") from error
            raise _AgainError(f"the server cannot be reached ({reason})") from error

    def _copy(self, answer: Any, file: IO[bytes], start: int, total: int | None) -> int:
        came = 0
        self.tell(start, total)
        while not self.stop.is_set():
            try:
                chunk = answer.read(_CHUNK_BYTES)
            except (OSError, http.client.HTTPException) as error:
                raise _AgainError(f"the connection was cut at byte {start + came:,} ({error})") from error
            if not chunk:
                break
            file.write(chunk)
            came += len(chunk)
            self.tell(start + came, total)
        return came

    def _refused(self, error: urllib.error.HTTPError, have: int) -> None:
        with error:
            if error.code == 416:  # nothing stands behind the bytes that are here
                total = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
                if total and int(total[1]) == have:
                    return
                forget(self.unfinished)
                raise _AgainError("the server's file is shorter than what had come of it")
            if error.code in _LATER:
                raise _AgainError(
                    f"the server answers {error.code} ({error.reason})", retry_after_s(error.headers.get("Retry-After"))
                )
            raise DataError(f"{self.url}: the server answers {error.code} ({error.reason})")

    def _version(self) -> str | None:
        """What the server called the version that the bytes here are of."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return str(note["version"]) if isinstance(note, dict) and note.get("url") == self.url else None

    def _remember(self, answer: Any) -> None:
        tag = answer.headers.get("ETag", "")
        version = tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified")
        if version:
            self._note.write_text(json.dumps({"url": self.url, "version": version}), encoding="utf-8")
        else:
            self._note.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return _note_of(self.unfinished)


def _note_of(unfinished: Path) -> Path:
    return unfinished.with_name(f"{unfinished.name}.json")


def _first_byte(answer: Any) -> int | None:
    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(match[1]) if match else None
