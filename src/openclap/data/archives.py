"""What an archive holds, put into a folder: never outside it, never without end, and never half a file.

Each file is written under a hidden name and then renamed, and one that is there already is passed over: a process that
was killed goes on where it was. What is there already is what the archive holds, not what only has its size: a zip's
directory has checksums, which reading the file alone can confirm; a tar has none, but its bytes pass by anyhow and are
compared. A journal of what was unpacked would say nothing of what has happened to the files since. Links and devices
are refused, as nothing that we read has them.
"""

from __future__ import annotations

import lzma
import re
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self

from openclap.atomic import file_written_whole
from openclap.data.splitzip import SplitZip, volumes_of
from openclap.errors import DataError
from openclap.optional import require

Tell = Callable[[int, int | None], None]

_CHUNK_BYTES = 1 << 20
_ALWAYS_BYTES = 1 << 30  # a small archive may hold this much
_HEADER_BYTES = 1 << 20
_RATIO = 100  # sound shrinks to a half, tables to a twentieth: what grows more than this is made to fill a disk


def unpack(archive: Path, into: Path, *, tell: Tell = lambda *_: None) -> int:
    """How many files `archive` holds, after they have been put into the folder `into`.

    Reads zip (also split into volumes, x.z01 … x.zip), tar (also .gz, .bz2, .xz) and 7z (with the extra `corpora`).
    What macOS and Windows leave behind (`__MACOSX`, `.DS_Store`, `Thumbs.db`) is passed over.

    Args:
        archive: the file; of a split one, its last volume.
        into: the folder, made if need be.
        tell: is told the bytes that were unpacked, and how many there will be if the archive says.

    Raises:
        DataError: if it is broken or encrypted, is none of these, or holds what would land outside `into`, a link, or
            far more than its size allows.
        MissingExtraError: for 7z without py7zr.
    """
    if not archive.is_file():
        raise DataError(f"{archive}: there is no such archive")
    into.mkdir(parents=True, exist_ok=True)
    writer = _Writer(archive, into, tell)
    try:
        with closing(_members(archive, writer)) as members:
            for member in members:
                writer.put(member)
    except _BROKEN as error:
        raise DataError(f"{archive}: cannot be unpacked ({error}): is it complete?") from error
    except (OSError, EOFError, RuntimeError, NotImplementedError) as error:  # a full disk; encrypted; cut short
        raise DataError(f"{archive}: cannot be unpacked into {into} ({error})") from error
    return writer.count


@dataclass(frozen=True)
class _Member:
    """A file in an archive: its name, size and checksum as they are stated, and how to read it (or where it lies)."""

    name: str
    size: int
    content: Callable[[], IO[bytes]] | Path
    total: int | None = None
    crc: int | None = None


class _Writer:
    """Puts members into a folder, within bounds."""

    def __init__(self, archive: Path, into: Path, tell: Tell) -> None:
        self._archive, self.into, self._tell = archive, into, tell
        size = sum(path.stat().st_size for path in (*volumes_of(archive), archive))
        self._bound, self._written, self.count = max(_ALWAYS_BYTES, _RATIO * size), 0, 0

    def put(self, member: _Member) -> None:
        """Write one member, unless it is there."""
        path = inside(member.name, self._archive)
        if path is None:
            return
        target = self.into / path
        there = target.is_file() and target.stat().st_size == member.size
        if isinstance(member.content, Path):
            target.parent.mkdir(parents=True, exist_ok=True)
            member.content.replace(target)
            self._wrote(member.size)
        elif there and member.crc is not None and _crc(target) == member.crc:
            self._wrote(member.size)
        else:
            with member.content() as source:
                self._copy(source, target, compared=there and member.crc is None)
        self.count += 1
        self._tell(self._written, member.total)

    def check(self, size: int) -> None:
        """Raise if `size` bytes are more than an archive of this size should hold."""
        if size > self._bound:
            raise DataError(
                f"{self._archive}: unpacks to more than {self._bound:,} bytes, over {_RATIO} times its size: no corpus "
                "does; unpack it yourself if you trust it"
            )

    def _copy(self, source: IO[bytes], target: Path, *, compared: bool) -> None:
        """Write what `source` holds; where it is compared with what is there, only if that is something else."""
        same, chunk = _alike(source, target) if compared else (0, source.read(_CHUNK_BYTES))
        self._wrote(same)
        if compared and not chunk:
            return
        with file_written_whole(target) as fresh, fresh.open("wb") as file:
            if same:  # a packed tar cannot go back to its beginning, and need not
                with target.open("rb") as there:
                    for start in range(0, same, _CHUNK_BYTES):
                        file.write(there.read(min(_CHUNK_BYTES, same - start)))
            while chunk:
                self._wrote(len(chunk))
                file.write(chunk)
                chunk = source.read(_CHUNK_BYTES)

    def _wrote(self, count: int) -> None:
        self._written += count
        self.check(self._written)


def _crc(path: Path) -> int:
    found = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            found = zlib.crc32(chunk, found)
    return found


def _alike(source: IO[bytes], path: Path) -> tuple[int, bytes]:
    """How many bytes of a file are those of `source`, and what `source` has instead of those that follow."""
    same = 0
    with path.open("rb") as file:
        while chunk := source.read(_CHUNK_BYTES):
            if file.read(len(chunk)) != chunk:
                return same, chunk
            same += len(chunk)
    return same, b""


def inside(name: str, archive: Path) -> Path | None:
    """The path below a folder that a member's name means; None for what operating systems leave behind.

    Raises:
        DataError: if it means a place outside the folder.
    """
    path = PurePosixPath(name.replace("\\", "/"))  # some archives are made on Windows
    if leads_elsewhere(name):
        raise DataError(f"{archive}: holds {name!r}, which would land outside of the folder: it is not unpacked")
    litter = {"__MACOSX", ".DS_Store", "Thumbs.db"}
    if not path.parts or litter.intersection(path.parts) or path.name.startswith("._"):
        return None
    return Path(*path.parts)


def leads_elsewhere(name: str) -> bool:
    """Whether a name, taken for a path below a folder, means a place outside of it, on any system."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name) is not None or "\0" in name


_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, ValueError, OverflowError)


def _members(archive: Path, writer: _Writer) -> Generator[_Member]:
    if archive.suffix.lower() == ".7z":
        return _7z_members(archive, writer)
    if archive.suffix.lower() == ".zip" or zipfile.is_zipfile(archive):
        return _zip_members(archive)
    return _tar_members(archive)


def _zip_members(archive: Path) -> Generator[_Member]:
    opened: Any = SplitZip(archive) if volumes_of(archive) else zipfile.ZipFile(archive)
    with opened:
        infos = opened.infolist()
        total = sum(info.file_size for info in infos)
        for info in infos:
            if stat.S_ISLNK(info.external_attr >> 16):
                raise DataError(f"{archive}: holds the link {info.filename!r}: it is not unpacked")
            if not info.filename.endswith(("/", "\\")):
                yield _Member(info.filename, info.file_size, partial(opened.open, info), total, info.CRC)


def _tar_members(archive: Path) -> Generator[_Member]:
    with tarfile.open(archive, "r:*", tarinfo=_Header) as opened:
        for info in opened:
            opened.members.clear()  # type: ignore[attr-defined]  # or it keeps every header that it has passed
            if info.isfile():
                yield _Member(info.name, info.size, partial(_tar_file, opened, info))
            elif not info.isdir():
                raise DataError(f"{archive}: holds {info.name!r}, a link or device: it is not unpacked")


class _Header(tarfile.TarInfo):
    """A tar's header, which is read into memory with all that belongs to it: a packed one could be of any size."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        info = super().frombuf(buf, encoding, errors)
        if info.type in _ABOUT_OTHERS and info.size > _HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {info.size:,} bytes")
        return info


_ABOUT_OTHERS = frozenset(
    {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
)
"""Kinds of headers that say something of the member after them: a long name, a time."""


def _tar_file(opened: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = opened.extractfile(info)
    if file is None:
        raise tarfile.TarError(f"{info.name!r} cannot be read")
    return file


def _7z_members(archive: Path, writer: _Writer) -> Generator[_Member]:
    """7z streams cannot be read a member at a time: they are unpacked beside the folder first, then moved."""
    py7zr = require("py7zr", extra="corpora", purpose=f"unpacking {archive.name}")
    try:
        with py7zr.SevenZipFile(archive) as opened:
            infos = [info for info in opened.list() if not info.is_directory]
            for info in infos:
                inside(info.filename, archive)
                if info.is_symlink:
                    raise DataError(f"{archive}: holds the link {info.filename!r}: it is not unpacked")
            total = sum(info.uncompressed for info in infos)
            writer.check(total)
            beside = writer.into / f".{archive.name}.unpacking"
            shutil.rmtree(beside, ignore_errors=True)  # of a process that was killed
            try:
                opened.extractall(path=beside)  # noqa: S202 — names and links were looked at
                for path in sorted(path for path in beside.rglob("*") if path.is_file()):
                    yield _Member(path.relative_to(beside).as_posix(), path.stat().st_size, path, total)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
    except py7zr.exceptions.ArchiveError as error:
        raise DataError(f"{archive}: cannot be unpacked ({error}): is it complete?") from error
