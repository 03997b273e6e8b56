"""What a person decided about clips, kept in a file beside the manifest from the moment it is decided.

The file is JSON Lines. Its first line says what it is; every other is the whole decision about one clip, and the last
one of a clip counts. A line is appended by a single write, and on the disk before the page hears that it is saved: a
process that is killed loses nothing that was saved, and several servers of one manifest may write to the file at once
without losing each other's clips.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from pydantic import Field

from openclap.config import Config
from openclap.errors import ConfigError, DataError, ManifestError

Reason: TypeAlias = Literal["broken", "wrong-caption", "duplicate", "noisy", "other"]
REASONS: tuple[Reason, ...] = get_args(Reason)
"""Why a clip is left out."""

Among: TypeAlias = Literal["captions", "made", "negatives"]
"""Which of an example's fields a caption stands in."""

_HEAD = {"openclap": "review", "version": 1}


class DroppedCaption(Config):
    """One caption that is left out, by where it stands and what it says."""

    among: Among
    text: str = Field(max_length=100_000)


class Decision(Config):
    """What was decided about one clip; the empty one lets it be.

    Attributes:
        flag: why the clip is left out; None keeps it.
        note: a person's own words.
        drop: captions that are left out of a clip that stays.
    """

    flag: Reason | None = None
    note: str = Field("", max_length=4000)
    drop: tuple[DroppedCaption, ...] = ()

    def drops(self, among: Among, text: str) -> bool:
        """Whether that caption is left out."""
        return any(caption.among == among and caption.text == text for caption in self.drop)


class Review:
    """The decisions in a file, by clip id.

    Args:
        path: the file; it is made by the first decision.

    Raises:
        ManifestError: if it is something else, or a line is no decision.
        ConfigError: if it cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._decisions: dict[str, Decision] = {}
        self._read_bytes = self._line = self.version = 0
        self._lock = threading.Lock()
        place = self.path if self.path.exists() else self.path.parent
        if not os.access(place, os.W_OK) or (place != self.path and not place.is_dir()):
            raise ConfigError(f"{place} cannot be written, where decisions are kept: give another file with --review")
        self.refresh()

    def refresh(self) -> None:
        """Take in what other processes have appended."""
        with self._lock:
            self._refresh()

    @property
    def decisions(self) -> Mapping[str, Decision]:
        """Every clip about which something is decided."""
        with self._lock:
            return dict(self._decisions)

    def of(self, clip: str) -> Decision:
        """What is decided about a clip."""
        return self._decisions.get(clip, Decision())

    def decide(self, clip: str, decision: Decision) -> None:
        """Keep a decision, in the place of all earlier ones about that clip; on the disk when this returns.

        Raises:
            DataError: if it cannot be written.
        """
        line = _line({"clip": clip, "at": datetime.now(UTC).isoformat(timespec="seconds"), **decision.plain()})
        with self._lock:
            self._refresh()
            try:
                self._append(line)
            except OSError as error:
                raise DataError(f"{self.path}: the decision could not be saved ({error})") from error
            self._refresh()

    def _append(self, line: bytes) -> None:
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        try:
            held = os.fstat(file).st_size
            if held == 0:
                line = _line(_HEAD) + line
            elif held > self._read_bytes:  # a line without an end: whoever wrote it died
                line = b"\n" + line
            if os.write(file, line) < len(line):
                raise OSError("the disk is full")
            os.fsync(file)
        finally:
            os.close(file)

    def _refresh(self) -> None:
        """Read the complete lines that are new."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read_bytes)
            complete, newline, _ = file.read().rpartition(b"\n")
        if not newline:
            return
        for line in complete.split(b"\n"):
            self._line += 1
            self._take(line)
        self._read_bytes += len(complete) + 1
        self.version += 1

    def _take(self, line: bytes) -> None:
        try:
            values = json.loads(line) if line.strip() else None
        except ValueError:
            values = None  # cut by the death of its writer, who had not said that it was saved
            if self._line == 1:
                raise ManifestError(self.path, "is no file of decisions: give another with --review", 1) from None
        if self._line == 1:
            if values != _HEAD:
                raise ManifestError(self.path, "is no file of decisions: give another with --review", 1)
        elif values is not None and values != _HEAD:  # two processes that begin at once both write it
            clip, decision = self._decision(values)
            self._decisions.pop(clip, None)  # the order is that of deciding
            if decision != Decision():
                self._decisions[clip] = decision

    def _decision(self, values: Any) -> tuple[str, Decision]:
        if not isinstance(values, dict) or not isinstance(values.get("clip"), str):
            raise ManifestError(self.path, "takes an object with the id of a clip", self._line)
        rest = {key: value for key, value in values.items() if key not in ("clip", "at")}
        try:
            return values["clip"], Decision.read(rest, origin="decision")
        except ConfigError as error:
            raise ManifestError(self.path, str(error), self._line) from error


def review_path(manifest: str | Path) -> Path:
    """Where the decisions about a manifest are kept: `NAME.review.jsonl` beside it."""
    manifest = Path(manifest).absolute()
    return manifest.with_name(f"{manifest.name}.review.jsonl")


def _line(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=True).encode("ascii") + b"\n"
