"""One shard, written whole: an archive of clips, and then its index."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from openclap.atomic import file_written_whole
from openclap.audio.members import Member, member_of
from openclap.data.example import Example
from openclap.data.manifest import manifest_row
from openclap.data.policy import training_texts
from openclap.data.shards.encode import ShardConfig, encode_clip
from openclap.data.shards.index import LeftOut, ShardHead, as_json, index_beside, write_index
from openclap.errors import AudioError, DataError


@dataclass(frozen=True)
class ShardTask:
    """One shard to write; what is in it depends on nothing else.

    Attributes:
        archive: where it goes.
        first: number of its first clip among those of its split.
        examples: its clips.
        root: what their audio's paths are told from.
        config: how they are encoded.
    """

    archive: Path
    first: int
    examples: tuple[Example, ...]
    root: Path
    config: ShardConfig


@dataclass(frozen=True)
class WrittenShard:
    """A shard that is complete.

    Attributes:
        head: what its index says of it.
        cpu_s: processor time that it took.
    """

    head: ShardHead
    cpu_s: float


def write_shard(task: ShardTask, told: Callable[[], None] = lambda: None) -> WrittenShard:
    """Write a shard: first its archive, then its index, each whole or not at all. Equal tasks give equal files.

    Clips whose sound cannot be used are left out, and named in the index. `told` is called after each clip.

    Raises:
        DataError: if the disk is full.
        OSError: if it cannot be written to for another reason.
    """
    begin = time.process_time()
    left_out: list[LeftOut] = []
    rows: list[dict[str, Any]] = []
    seconds, clipped = 0.0, 0
    with _disk(task.archive):
        with file_written_whole(task.archive) as fresh, fresh.open("wb") as file:
            hashing = _Hashing(file)
            with tarfile.open(fileobj=hashing, mode="w", format=tarfile.GNU_FORMAT) as tar:  # type: ignore[call-overload]
                for number, example in enumerate(task.examples, start=task.first):
                    try:
                        clip = encode_clip(example, task.config)
                    except AudioError as error:
                        audio = _from_root(example, task.root)
                        left_out.append(LeftOut(example.id, audio, type(error).__name__, error.reason))
                        continue
                    finally:
                        told()
                    key = f"{number:08d}"
                    name = f"{key}.{task.config.audio_format}"
                    place = hashing.tell() + tarfile.BLOCKSIZE
                    _add(tar, name, clip.data)
                    row = _row(example, Member(task.archive, name, place, len(clip.data)), clip.seconds, task.root)
                    _add(tar, f"{key}.json", as_json(_sidecar(example, row)))
                    rows.append(row)
                    seconds += clip.seconds
                    clipped += clip.clipped
            file.flush()
            os.fsync(file.fileno())
        digest, size = hashing.digest, hashing.tell()
        # Summed over and over, seconds keep a tail that says nothing.
        head = ShardHead(task.archive.name, len(rows), size, digest, None, round(seconds, 6), clipped, tuple(left_out))
        write_index(index_beside(task.archive), head, rows)
    return WrittenShard(head, time.process_time() - begin)


class _Hashing:
    """A file to write that knows the SHA-256 of what was written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._digest, self._size = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        self._size += len(data)
        return self._file.write(data)

    def tell(self) -> int:
        return self._size

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a file that says nothing of who wrote it and when."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def _row(example: Example, member: Member, seconds: float, root: Path) -> dict[str, Any]:
    """The clip's row, with its sound in the shard; of one that comes out of a shard, `original` is the first one."""
    original: Any = example.extra.get("original") if member_of(example.audio) is not None else None
    if original is None:
        original = {"audio": _from_root(example, root)}
        if example.start_s or example.duration_s is not None:
            original |= {"start_s": example.start_s, "duration_s": example.duration_s}
    extra = {**example.extra, "seconds": seconds, "original": original}
    moved = replace(example, audio=member.path, start_s=0.0, duration_s=None, extra=extra)
    return manifest_row(moved, member.archive.parent)


def _sidecar(example: Example, row: dict[str, Any]) -> dict[str, Any]:
    """What stands beside the sound in the archive: what LAION-CLAP's loader reads, and the row."""
    theirs = {"text": list(training_texts(example)) if example.has_text else [], "tag": list(example.labels)}
    return theirs | {name: value for name, value in row.items() if name != "audio" and name not in theirs}


def _from_root(example: Example, root: Path) -> str:
    return Path(os.path.relpath(example.audio, root)).as_posix()


@contextmanager
def _disk(archive: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        reason = "free some of it, and run the same command again: it goes on where it was"
        raise DataError(f"{archive}: the disk is full ({error.strerror}); {reason}") from error
