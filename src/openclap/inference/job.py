"""An embedding job that survives being killed: what is done is kept in parts on the disk until all of it is.

    FOLDER/job.json          the identity that the vectors have, and how they are made
    FOLDER/part-….npz        some sounds each: their keys, their rows, and why some have none

A part appears whole or not at all, and is never changed. A sound is known by its key, which names its content as far as
the file system tells it: what has changed since is embedded again, what is new is added, what is gone is left out.
"""

from __future__ import annotations

import json
import secrets
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from openclap.atomic import file_written_whole
from openclap.errors import ConfigError, IdentityError

_ABOUT = "job.json"
_VERSION = 1


@dataclass(frozen=True, eq=False)
class EmbeddedSound:
    """One sound of a job.

    Attributes:
        key: what it is known by.
        vectors: its rows, one a window or one in all; none if it could not be used.
        start_s: where each row begins in its file, in seconds.
        end_s: where each row ends.
        error: why it could not be used.
    """

    key: str
    vectors: Float32[np.ndarray, "rows embed"]
    start_s: tuple[float, ...] = ()
    end_s: tuple[float, ...] = ()
    error: str | None = None


class EmbeddingJob:
    """The parts of one job; made by `open`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._where: dict[str, tuple[Path, int]] = {}
        for path in sorted(folder.glob("part-*.npz")):
            self._note(path, _keys(path))
        self._held: tuple[Path, list[EmbeddedSound]] | None = None

    @classmethod
    def open(cls, folder: Path, identity: str, how: dict[str, Any]) -> EmbeddingJob:
        """The job in a folder, or a new one there.

        Args:
            folder: where its parts are.
            identity: `Embedder.identity`, which the job's vectors have.
            how: what else decides the rows, such as one a window.

        Raises:
            IdentityError: if the job in the folder is of another model, or of this one used otherwise.
            ConfigError: if the folder holds something else.
        """
        about = {"format_version": _VERSION, "identity": identity, "how": how}
        file = folder / _ABOUT
        if not file.is_file():
            if folder.exists() and any(folder.iterdir()):
                raise ConfigError(f"{folder} is in the way: the work is kept there until it is done; move it away")
            folder.mkdir(parents=True, exist_ok=True)
            with file_written_whole(file) as fresh:
                fresh.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
            return cls(folder)
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ConfigError(f"{file}: is not JSON ({error}); delete {folder} to begin again") from error
        if found != about:
            raise IdentityError(
                f"{folder} holds unfinished work of another model, or of this one used otherwise: go on with that one, "
                "or delete it to begin again (`openclap embed --restart` does)"
            )
        return cls(folder)

    @property
    def done(self) -> frozenset[str]:
        """Keys of the sounds that need not be embedded again."""
        return frozenset(self._where)

    def add(self, sounds: Sequence[EmbeddedSound]) -> None:
        """Keep what was done, as one part."""
        path = self._folder / f"part-{len(list(self._folder.glob('part-*.npz'))):06d}-{secrets.token_hex(4)}.npz"
        about = [
            {"key": s.key, "rows": len(s.vectors), "start_s": s.start_s, "end_s": s.end_s, "error": s.error}
            for s in sounds
        ]
        rows = [sound.vectors for sound in sounds if len(sound.vectors)]
        with file_written_whole(path) as fresh, fresh.open("wb") as file:
            vectors = np.concatenate(rows) if rows else np.zeros((0, 0), np.float32)
            np.savez(file, sounds=np.array(json.dumps(about)), vectors=vectors)
        self._note(path, [sound.key for sound in sounds])

    def collect(self, keys: Iterable[str]) -> Iterator[EmbeddedSound]:
        """The sounds of these keys in this order; in memory is one part at a time.

        Raises:
            KeyError: for one that is not done.
        """
        for key in keys:
            path, place = self._where[key]
            if self._held is None or self._held[0] != path:
                self._held = (path, _read(path))
            yield self._held[1][place]

    def close(self) -> None:
        """Delete the folder: its vectors have found their place."""
        self.delete(self._folder)

    @staticmethod
    def delete(folder: Path) -> None:
        """Delete the job in a folder, if there is one; killed in the middle, what is left is still a job."""
        for part in folder.glob("part-*.npz"):
            part.unlink()
        if folder.exists():
            shutil.rmtree(folder)

    def _note(self, path: Path, keys: Sequence[str]) -> None:
        self._where.update({key: (path, place) for place, key in enumerate(keys)})


def _about(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        found: list[dict[str, Any]] = json.loads(str(stored["sounds"]))
    return found


def _keys(path: Path) -> list[str]:
    """The keys in a part; none if it is broken: its sounds are then embedded again."""
    try:
        return [sound["key"] for sound in _about(path)]
    except (KeyError, TypeError, ValueError, OSError, EOFError, zipfile.BadZipFile):
        path.unlink()
        return []


def _read(path: Path) -> list[EmbeddedSound]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        vectors = stored["vectors"]
    found, first = [], 0
    for sound in _about(path):
        rows = vectors[first : first + sound["rows"]]
        first += sound["rows"]
        found.append(EmbeddedSound(sound["key"], rows, tuple(sound["start_s"]), tuple(sound["end_s"]), sound["error"]))
    return found
