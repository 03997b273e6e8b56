"""Zip archives in volumes (x.z01, x.z02, …, x.zip), which Python's zipfile does not read.

FSD50K and WavCaps are published so. The layout is that of PKWARE's APPNOTE 6.3.10, sections 4.3.7 to 4.3.16 and 8: the
directory at the end says in which volume each file's header lies, and where in it; data go on in the next volume.
"""

from __future__ import annotations

import bisect
import io
import itertools
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from openclap.errors import DataError

if TYPE_CHECKING:
    from typing_extensions import Buffer  # of collections.abc from Python 3.12 on

_CHUNK_BYTES = 1 << 20
_END = struct.Struct("<4s4H2LH")  # end of central directory
_END64_AT = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_HEADER = struct.Struct("<4s5H3L2H")
_BIG = 0xFFFFFFFF


def volumes_of(archive: Path) -> list[Path]:
    """The volumes before `archive`, in order; none if it is no split zip.

    Raises:
        DataError: if one is missing between them.
    """
    if archive.suffix.lower() != ".zip":
        return []
    found = {}
    for path in archive.parent.glob(f"{_escaped(archive.stem)}.[zZ][0-9]*"):
        if match := re.fullmatch(r"\.z(\d{2,})", path.suffix, re.IGNORECASE):
            found[int(match[1])] = path
    absent = [number for number in range(1, max(found, default=0)) if number not in found]
    if absent:
        raise DataError(f"{archive}: its volume {archive.stem}.z{absent[0]:02} is missing")
    return [found[number] for number in sorted(found)]


@dataclass(frozen=True)
class Entry:
    """A file in the archive, with the names that `zipfile.ZipInfo` has for the same."""

    filename: str
    file_size: int
    compress_size: int
    compress_type: int
    external_attr: int
    encrypted: bool
    CRC: int
    position: int


class SplitZip:
    """An open archive of several volumes; used as `zipfile.ZipFile` is.

    Raises:
        zipfile.BadZipFile: if its directory cannot be read.
        DataError: if a volume is missing.
    """

    def __init__(self, archive: Path) -> None:
        self._archive, self._data = archive, _Joined([*volumes_of(archive), archive])
        try:
            self._entries = list(self._read_directory())
        except BaseException:
            self._data.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._data.close()

    def infolist(self) -> list[Entry]:
        """What it holds, in the order of its directory."""
        return self._entries

    def open(self, entry: Entry) -> IO[bytes]:
        """One file, to read from its beginning to its end; the end is checked against the checksum."""
        if entry.encrypted or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise zipfile.BadZipFile(f"{entry.filename} is encrypted or compressed in a way that is not known here")
        signature, *_, name, extra = _HEADER.unpack(self._data.read(entry.position, _HEADER.size))
        if signature != b"PK\3\4":
            raise zipfile.BadZipFile(f"{entry.filename} is not where the directory says")
        return io.BufferedReader(_Content(self._data, entry.position + _HEADER.size + name + extra, entry))

    def _read_directory(self) -> Iterator[Entry]:
        tail_at = max(0, self._data.size - _END.size - 0xFFFF)
        tail = self._data.read(tail_at, self._data.size - tail_at)
        end = tail.rfind(b"PK\5\6")
        if end < 0:
            raise zipfile.BadZipFile("no directory at the end")
        _, volume, at_volume, _, count, size, offset, _ = _END.unpack_from(tail, end)
        if end >= _END64_AT.size and tail[end - _END64_AT.size :][:4] == b"PK\6\7":
            _, in_volume, at, volumes = _END64_AT.unpack_from(tail, end - _END64_AT.size)
            self._check_volumes(volumes)
            record = self._data.read(self._data.position(in_volume, at), _END64.size)
            *_, at_volume, _, count, size, offset = _END64.unpack(record)
        else:
            self._check_volumes(volume + 1)
        directory, place = self._data.read(self._data.position(at_volume, offset), size), 0
        for _ in range(count):
            yield self._entry(directory, place)
            name, extra, comment = struct.unpack_from("<3H", directory, place + 28)
            place += _ENTRY.size + name + extra + comment

    def _check_volumes(self, count: int) -> None:
        if count != len(self._data.starts):
            raise DataError(f"{self._archive}: is the last of {count} volumes, but {len(self._data.starts)} are there")

    def _entry(self, directory: bytes, place: int) -> Entry:
        fields = _ENTRY.unpack_from(directory, place)
        signature, _, _, flags, method, _, _, crc, packed, size, name, extra, _, volume, _, mode, offset = fields
        if signature != b"PK\1\2":
            raise zipfile.BadZipFile("its directory is damaged")
        place += _ENTRY.size
        text = directory[place : place + name].decode("utf-8" if flags & 0x800 else "cp437")
        big = _zip64(directory[place + name : place + name + extra])
        size, packed, offset = (struct.unpack("<Q", big.read(8))[0] if n == _BIG else n for n in (size, packed, offset))
        volume = struct.unpack("<L", big.read(4))[0] if volume == 0xFFFF else volume
        return Entry(text, size, packed, method, mode, bool(flags & 1), crc, self._data.position(volume, offset))


class _Joined:
    """Volumes as one long file."""

    def __init__(self, paths: list[Path]) -> None:
        sizes = [path.stat().st_size for path in paths]
        self._paths, self.size = paths, sum(sizes)
        self.starts = [0, *itertools.accumulate(sizes[:-1])]
        self._opened: tuple[int, IO[bytes]] | None = None

    def position(self, volume: int, offset: int) -> int:
        if volume >= len(self.starts):
            raise zipfile.BadZipFile(f"its directory names volume {volume + 1} of {len(self.starts)}")
        return self.starts[volume] + offset

    def read(self, position: int, count: int) -> bytes:
        """`count` bytes from `position`, across volumes."""
        if position + count > self.size:
            raise zipfile.BadZipFile("it is shorter than its directory says")
        parts = []
        while count > 0:
            volume = bisect.bisect_right(self.starts, position) - 1
            file = self._volume(volume)
            file.seek(position - self.starts[volume])
            part = file.read(count)
            if not part:
                raise zipfile.BadZipFile(f"{self._paths[volume].name} ends too early")
            parts.append(part)
            position, count = position + len(part), count - len(part)
        return b"".join(parts)

    def close(self) -> None:
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None

    def _volume(self, number: int) -> IO[bytes]:
        """The volume, open; one at a time, as there may be hundreds."""
        if self._opened is None or self._opened[0] != number:
            self.close()
            self._opened = (number, self._paths[number].open("rb"))
        return self._opened[1]


class _Content(io.RawIOBase):
    """The content of one file, unpacked as it is read."""

    def __init__(self, data: _Joined, position: int, entry: Entry) -> None:
        self._data, self._position, self._left, self._entry = data, position, entry.compress_size, entry
        self._unpacker = zlib.decompressobj(-15) if entry.compress_type == zipfile.ZIP_DEFLATED else None
        self._ready, self._crc, self._size = b"", 0, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        while not self._ready and self._more():
            pass
        given, self._ready = self._ready[: len(view)], self._ready[len(view) :]
        view[: len(given)] = given
        return len(given)

    def _more(self) -> bool:
        """Unpack a piece; False at the end, which is compared with the checksum."""
        waiting = self._unpacker.unconsumed_tail if self._unpacker else b""
        if not waiting and not self._left:
            # A piece that was full may have left some bytes inside the unpacker, which had taken in all of its input.
            self._take(self._unpacker.flush() if self._unpacker and not self._unpacker.eof else b"")
            if (self._size, self._crc) != (self._entry.file_size, self._entry.CRC):
                raise zipfile.BadZipFile(f"{self._entry.filename} is damaged: its checksum is wrong")
            return False
        if not waiting:
            waiting = self._data.read(self._position, min(self._left, _CHUNK_BYTES))
            self._position, self._left = self._position + len(waiting), self._left - len(waiting)
        self._take(self._unpacker.decompress(waiting, _CHUNK_BYTES) if self._unpacker else waiting)
        return True

    def _take(self, piece: bytes) -> None:
        self._ready, self._crc, self._size = piece, zlib.crc32(piece, self._crc), self._size + len(piece)


def _zip64(extra: bytes) -> io.BytesIO:
    """The extra field in which numbers stand that need more than 32 bits, in the order of the entry."""
    place = 0
    while place + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, place)
        if kind == 1:
            return io.BytesIO(extra[place + 4 : place + 4 + size])
        place += 4 + size
    return io.BytesIO()


def _escaped(name: str) -> str:
    return re.sub(r"([\[*?])", r"[\1]", name)
