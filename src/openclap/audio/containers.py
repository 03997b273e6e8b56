"""What a file's own bytes say: which container it is, and whether its end is missing.

Decoders shorten a cut file without a word, so that half a recording would be trained on as if it were whole. The
containers say how long they are; only their headers and last bytes are read here, whatever the length of the file:

- WAV, RF64, AIFF, AU: the size of the sample chunk against the size of the file. Sizes that recorders write before
  they know better (0, 0xFFFFFFFF and near 0x7FFFFFFF) promise nothing.
- Ogg (Vorbis, Opus, FLAC): the last page must be whole, and flagged as the stream's end (RFC 3533, section 6).
- MP3: see `openclap.audio.mp3`.
- MP4, M4A, MOV: a top-level box must not reach past the end of the file (ISO/IEC 14496-12, section 4.2).
- WebM, Matroska: likewise the segment, where its size is known (RFC 8794, section 6).

FLAC has no such mark that is cheap to read; there the decoder's own count against the header's tells (see `decode`).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

from openclap.audio import mp3
from openclap.audio.source import BinaryFile

MEDIA_CONTAINERS = frozenset({"mp4", "matroska", "aac", "asf", "avi", "flv"})
"""The containers that libsndfile does not read, and PyAV does."""

_SIGNATURES = {
    b"fLaC": "flac",
    b"OggS": "ogg",
    b".snd": "au",
    b"caff": "caf",
    b"riff": "w64",
    b"\x1aE\xdf\xa3": "matroska",
}
_ASF = bytes.fromhex("3026b2758e66cf11")
_UNKNOWN_SIZE = 0x7FFF0000  # sizes from here on are what recorders write while they do not know yet
_LARGEST_OGG_PAGE = 65_307  # 27 + 255 + 255 * 255 bytes
_MOST_CHUNKS = 4096  # a file with more is not sound; keeps garbage from being walked for ever


def container_of(file: BinaryFile) -> str | None:
    """The container's name by its first bytes ("wav", "flac", "mp4", …), or None if they say nothing."""
    start = mp3.id3_bytes(file)
    file.seek(start)
    head = file.read(16)
    found = _by_signature(head)
    if found is None and len(head) >= 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return "aac" if head[1] & 0x06 == 0 else "mp3"
    if found is None and start:
        return "mp3"
    return found


def missing_end(file: BinaryFile, container: str | None) -> str | None:
    """Why the file is known to end too early, as a sentence; None if nothing says so."""
    check = _CHECKS.get(container or "")
    return None if check is None else check(file, file.seek(0, io.SEEK_END))


def closed(file: BinaryFile, container: str | None) -> BinaryFile:
    """The same file, or, of a WAV that its recorder never closed (its sizes are still 0), a copy in memory that is.

    The decoder takes such a file for empty.
    """
    if container != "wav":
        return file
    size = file.seek(0, io.SEEK_END)
    found = _find_chunk(file, b"data")
    file.seek(4)
    whole = struct.unpack("<I", file.read(4))[0]
    if found is None or found[1] != 0 or whole + 8 == size:
        return file  # the last: closed by a program that had nothing to write
    file.seek(0)
    data = bytearray(file.read())
    data[found[0] - 4 : found[0]] = b"\xff\xff\xff\xff"
    return io.BytesIO(data)


def _by_signature(head: bytes) -> str | None:
    form = head[8:12]
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return {b"WAVE": "wav", b"AVI ": "avi"}.get(form)
    if head[:4] == b"FORM":
        return "aiff" if form in (b"AIFF", b"AIFC") else None
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return "mp4"
    if head[:8] == _ASF:
        return "asf"
    return _SIGNATURES.get(head[:4]) or ("flv" if head[:3] == b"FLV" else None)


def _missing_chunk(file: BinaryFile, size: int, wanted: bytes) -> str | None:
    found = _find_chunk(file, wanted)
    if found is None:
        return None  # no sample chunk at all: for the decoder to say
    start, length = found
    return None if length == 0 or _UNKNOWN_SIZE <= length <= 0xFFFFFFFF else _shortfall(length, size - start)


def _find_chunk(file: BinaryFile, wanted: bytes) -> tuple[int, int] | None:
    """Where the content of a chunk of an IFF-like file begins, and how long it says it is."""
    file.seek(0)
    order = ">" if file.read(4) in (b"FORM", b"RIFX") else "<"
    position, size_64 = 12, None
    for _ in range(_MOST_CHUNKS):
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            return None
        name, length = header[:4], struct.unpack(order + "I", header[4:])[0]
        if name == wanted:
            return position + 8, size_64 if length == 0xFFFFFFFF and size_64 is not None else length
        if name == b"ds64":  # RF64: sizes that 32 bits do not hold
            sizes = file.read(16)
            size_64 = struct.unpack("<Q", sizes[8:])[0] if len(sizes) == 16 else None
        position += 8 + length + length % 2
    return None


def _missing_au(file: BinaryFile, size: int) -> str | None:
    file.seek(4)
    header = file.read(8)
    if len(header) < 8:
        return None
    offset, length = struct.unpack(">II", header)
    return None if length >= _UNKNOWN_SIZE else _shortfall(length, size - offset)


def _missing_ogg(file: BinaryFile, size: int) -> str | None:
    start = max(0, size - _LARGEST_OGG_PAGE - 1024)  # a little more, for tags that some tools append
    file.seek(start)
    tail = file.read()
    page = tail.rfind(b"OggS")
    header = tail[page : page + 27]
    if page < 0 or len(header) < 27:
        return "the last Ogg page is cut"
    lacing = tail[page + 27 : page + 27 + header[26]]
    if len(lacing) < header[26] or page + 27 + len(lacing) + sum(lacing) > len(tail):
        return "the last Ogg page is cut"
    if not header[5] & 0x04:
        return "the last Ogg page does not carry the end-of-stream flag"
    return None


def _missing_box(file: BinaryFile, size: int) -> str | None:
    position = 0
    for _ in range(_MOST_CHUNKS):
        file.seek(position)
        header = file.read(16)
        if len(header) < 8:
            return None
        length = int.from_bytes(header[:4], "big")
        if length == 1 and len(header) == 16:
            length = int.from_bytes(header[8:], "big")
        if length < 8:
            return None  # 0: it reaches to the end by definition; otherwise no box, for the decoder to say
        if position + length > size:
            return _shortfall(length, size - position)
        position += length
    return None


def _missing_segment(file: BinaryFile, size: int) -> str | None:
    file.seek(0)
    head = file.read(4096)
    position = 4
    length, width = _ebml_size(head, position)  # of the EBML header, which the segment follows
    if length is None:
        return None
    position += width + length
    if head[position : position + 4] != b"\x18\x53\x80\x67":
        return None
    length, width = _ebml_size(head, position + 4)
    return None if length is None else _shortfall(length, size - position - 4 - width)


def _ebml_size(data: bytes, position: int) -> tuple[int | None, int]:
    """A variable-length size and its width in bytes; None for the reserved "unknown" and for what is no size."""
    first = data[position] if position < len(data) else 0
    if first == 0:
        return None, 0
    width = 9 - first.bit_length()
    raw = int.from_bytes(data[position : position + width], "big")
    value = raw & ((1 << 7 * width) - 1)
    return (None if value == (1 << 7 * width) - 1 else value), width


def _shortfall(promised: int, there: int) -> str | None:
    if there >= promised:
        return None
    return f"the header promises {promised} bytes of sound, and {max(0, there)} are there"


_CHECKS: dict[str, Callable[[BinaryFile, int], str | None]] = {
    "wav": lambda file, size: _missing_chunk(file, size, b"data"),
    "aiff": lambda file, size: _missing_chunk(file, size, b"SSND"),
    "au": _missing_au,
    "ogg": _missing_ogg,
    "mp3": mp3.missing_end,
    "mp4": _missing_box,
    "matroska": _missing_segment,
}
