"""Sound inside a tar archive, read where it lies: a path that names a member, and that part of the archive as a file.

    train/0.tar::1536+48213/00000012.flac    48,213 bytes from byte 1536 on, which are the member 00000012.flac
    train/0.tar::00000012.flac               the same, looked up: the archive's headers are read from its beginning

Such a path goes wherever a path of a sound goes (`openclap.audio.source.opened` opens both). Its name and suffix are
the member's, and with the range nothing has to be looked up. The member's header, 512 bytes before, must still be
there: an archive that was replaced is an error, and never another sound.

Each reading opens the archive for itself and closes it: no handle is shared between threads or processes, and no more
are open than sounds are being read.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from openclap.errors import AudioDecodeError, AudioNotFoundError

_MARK = ".tar::"
_MEMBER = re.compile(r"(?P<archive>.*?\.tar)::(?:(?P<offset>\d+)\+(?P<size>\d+)/)?(?P<name>.+)", re.DOTALL)
_NAME_BYTES = 100  # a longer name, or one beyond ASCII, may stand elsewhere than in the header before the content
_READ_BYTES = 1 << 16


@dataclass(frozen=True)
class Member:
    """A file inside an archive.

    Attributes:
        archive: the tar file.
        name: the member's, without "./".
        offset: the byte of the archive at which its content begins; None to look it up.
        size: how many bytes it has; None to look it up.
    """

    archive: Path
    name: str
    offset: int | None = None
    size: int | None = None

    @property
    def path(self) -> Path:
        """The path that stands for it."""
        place = "" if self.offset is None else f"{self.offset}+{self.size}/"
        return Path(f"{self.archive}::{place}{self.name}")


def member_of(path: str | os.PathLike[str]) -> Member | None:
    """The member that a path stands for; None for any other path."""
    text = os.fspath(path)
    if not isinstance(text, str) or _MARK not in text:
        return None
    match = _MEMBER.fullmatch(text)
    if match is None:
        return None
    offset, size = (None if match[part] is None else int(match[part]) for part in ("offset", "size"))
    return Member(Path(match["archive"]), match["name"], offset, size)


def file_behind(path: Path) -> Path:
    """The file on the disk that a sound's path needs: the archive of a member, any other path itself."""
    text = str(path)
    end = text.find(_MARK)
    return path if end < 0 else _as_path(text[: end + len(_MARK) - 2])


def encoded_size(path: Path) -> int:
    """How many bytes the encoded sound has; where a member's path says it, nothing is opened.

    Raises:
        OSError: if there is no such file.
        AudioError: if it is a member that the archive does not hold.
    """
    member = member_of(path)
    return path.stat().st_size if member is None else _place(member)[1]


def open_encoded(path: Path) -> io.BufferedReader:
    """The encoded sound as a binary file, whether a member of an archive or a file of its own.

    Raises:
        OSError: if there is no such file.
        AudioError: as `open_member`.
    """
    member = member_of(path)
    return path.open("rb") if member is None else open_member(member)


def members(archive: Path) -> Iterator[Member]:
    """The files in an archive, in their order, each with its range; only headers are read.

    Links, folders, sparse files and names that lead elsewhere (absolute, "..") are passed over. Nothing is unpacked.

    Raises:
        OSError: if it cannot be read.
        AudioDecodeError: if it is no tar file, is compressed, broken or cut.
    """
    name = str(archive)
    with archive.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(6)
        packed = next((kind for start, kind in _COMPRESSED.items() if head.startswith(start)), None)
        if packed is not None:
            raise AudioDecodeError(
                name, f"is compressed with {packed}, which has no places to read from: unpack it first"
            )
        file.seek(0)
        end = 0
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                for info in tar:
                    last = info.offset_data + (info.size if info.isreg() else 0)
                    if last > size:
                        raise AudioDecodeError(name, f"is cut: {info.name} ends at byte {last}, and {size} are there")
                    end = -(-last // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
                    inside = _inside(info.name)
                    if inside and info.isreg() and not info.issparse():
                        yield Member(archive, inside, info.offset_data, info.size)
        except _BROKEN as error:
            raise AudioDecodeError(name, f"is no tar archive ({error})") from error
        file.seek(end)
        if any(file.read(tarfile.BLOCKSIZE)):  # the reader takes a broken header for the end
            raise AudioDecodeError(name, f"is broken: the header at byte {end} cannot be read")


def open_member(member: Member) -> io.BufferedReader:
    """The member as a seekable binary file, with which the archive is closed.

    Raises:
        AudioNotFoundError: if there is no such archive, or no such member in it.
        AudioDecodeError: if the archive is no tar file, or another one than the path was made for.
    """
    name = str(member.path)
    try:
        offset, size = _place(member)
        file = member.archive.open("rb", buffering=0)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AudioNotFoundError(name, f"there is no archive {member.archive}") from error
    except OSError as error:
        raise AudioDecodeError(name, f"the archive cannot be read ({error})") from error
    try:
        _check_header(file, member.name, offset, size, name)
    except BaseException:
        file.close()
        raise
    return io.BufferedReader(_Part(file, offset, size), _READ_BYTES)


class _Part(io.RawIOBase):
    """A range of an open file, as a file of its own."""

    def __init__(self, file: io.FileIO, offset: int, size: int) -> None:
        self._file, self._offset, self._size, self._position = file, offset, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        wanted = min(len(buffer), max(0, self._size - self._position))
        self._file.seek(self._offset + self._position)
        count = self._file.readinto(memoryview(buffer)[:wanted])
        self._position += count
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"byte {base + offset} is before the beginning")
        self._position = base + offset
        return self._position

    def close(self) -> None:
        self._file.close()
        super().close()


@lru_cache(maxsize=64)
def _as_path(archive: str) -> Path:
    """One object for all members of an archive: it is asked for millions of times."""
    return Path(archive)


def _place(member: Member) -> tuple[int, int]:
    """Where the content is and how long, looked up if the path does not say."""
    if member.offset is not None and member.size is not None:
        return member.offset, member.size
    about = member.archive.stat()
    found = _places(member.archive, about.st_size, about.st_mtime_ns).get(member.name)
    if found is None:
        raise AudioNotFoundError(str(member.path), f"there is no {member.name!r} in {member.archive}")
    return found


@lru_cache(maxsize=4)
def _places(archive: Path, size: int, changed_ns: int) -> dict[str, tuple[int, int]]:  # noqa: ARG001 - the cache's key
    """Name -> range of all members; of two with one name the later one, as when unpacking."""
    return {member.name: (member.offset or 0, member.size or 0) for member in members(archive)}


def _check_header(file: io.FileIO, inside: str, offset: int, size: int, name: str) -> None:
    """Raise unless the header before `offset` is that of the member."""
    file.seek(max(0, offset - tarfile.BLOCKSIZE))
    try:
        info = tarfile.TarInfo.frombuf(file.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
    except _BROKEN:
        info = None
    elsewhere = not inside.isascii() or len(inside) >= _NAME_BYTES
    same = info is not None and info.size == size and (elsewhere or _inside(info.name) == inside)
    if not same or file.seek(0, io.SEEK_END) < offset + size:
        reason = "is not at this place of the archive, which has changed: read the archive's manifest again"
        raise AudioDecodeError(name, reason)


def _inside(name: str) -> str | None:
    """A member's name without "./"; None for one that leads elsewhere."""
    path = PurePosixPath(name)
    return None if path.is_absolute() or ".." in path.parts or not path.parts else str(path)


_BROKEN = (tarfile.TarError, ValueError, OverflowError, EOFError)
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstandard"}
