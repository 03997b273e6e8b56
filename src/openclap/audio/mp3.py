"""MP3's own marks: where the frames begin, how many there should be, and how many there are.

An MP3 file is a row of frames with no length up front. Encoders put one into an unused first frame ("Xing" or "Info"
with LAME, "VBRI" with Fraunhofer); where it stands, a file that has fewer bytes or frames than it says is cut. Without
it nothing tells a cut file from a shorter one, and a part of a frame at the end is passed over, as by every player.

Such files need help in another way: libsndfile (1.2.2) guesses their length from the first frame's bit rate and the
size of the file, tags included, and stops there, so that it loses the rest of a file of varying bit rate. `indexed`
counts the frames and gives it the length.

Sources: ISO/IEC 11172-3, section 2.4; the Xing and VBRI tables as LAME's and Fraunhofer's documents describe them.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

from openclap.audio.source import BinaryFile

_RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # MPEG 1, 2, 2.5
_KBITS = {
    (3, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),  # (MPEG 1, layer I)
    (3, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SEARCH_BYTES = 65_536  # how far after the tags the first frame may be
_LARGEST_FRAME = 1441  # bytes, of layer III: what a count may be off by, as encoders differ in counting their own frame


@dataclass(frozen=True)
class FrameHeader:
    """What the 4 bytes at the head of a frame say."""

    version: int  # as coded: 3 is MPEG 1, 2 is MPEG 2, 0 is MPEG 2.5
    layer: int  # as coded: 1 is layer III, 3 is layer I
    kbits: int
    samples: int
    frame_bytes: int
    mono: bool

    @property
    def table_offset(self) -> int:
        """Where a Xing table stands in its frame: after the header and the (empty) side information."""
        if self.version == 3:
            return 4 + (17 if self.mono else 32)
        return 4 + (9 if self.mono else 17)


@dataclass(frozen=True)
class LengthTable:
    """A Xing, Info or VBRI table: what it promises, from its own frame on; None for what it does not say."""

    frames: int | None
    bytes: int | None


@dataclass(frozen=True)
class _Walk:
    """A row of whole frames: how many, their bit rates, and where the last one ends."""

    frames: int
    kbits: frozenset[int]
    end: int


def id3_bytes(file: BinaryFile) -> int:
    """The size of the ID3v2 tag at the beginning of the file, 0 if there is none."""
    file.seek(0)
    head = file.read(10)
    if len(head) < 10 or head[:3] != b"ID3" or any(byte & 0x80 for byte in head[6:10]):
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + (10 if head[5] & 0x10 else 0)


def missing_end(file: BinaryFile, size: int) -> str | None:
    """Why the file is known to end too early; None if it has no length table, or is as long as that says."""
    start, data = _from_first_frame(file)
    table = _length_table(data)
    if table is None:
        return None
    if table.bytes:
        there = size - start
        if there + _LARGEST_FRAME < table.bytes:
            return f"its length table promises {table.bytes} bytes of sound, and {there} are there"
    elif table.frames:
        file.seek(start)
        counted = _walk(file.read()).frames
        if counted < table.frames:
            return f"its length table promises {table.frames} frames, and {counted} are there"
    return None


def indexed(file: BinaryFile) -> BinaryFile:
    """The same file, or, where the bit rate varies and no length table says how long it is, a copy in memory with one.

    Only a file without a table is read to its end. libsndfile leaves out the decoder's own delay (529 samples) at the
    beginning of a file with a table, here too.
    """
    body = _without_table(file)
    if body is None:
        return file
    walk, header = _walk(body), frame_header(body)
    if header is None or len(walk.kbits) < 2:
        return file  # constant bit rate: the guess reaches to the end
    table = b"Xing" + struct.pack(">III", 0x3, walk.frames, header.frame_bytes + walk.end)
    if header.table_offset + len(table) > header.frame_bytes:
        return file  # a frame too small to hold a table
    own_frame = body[:4] + bytes(header.table_offset - 4) + table
    return io.BytesIO(own_frame.ljust(header.frame_bytes, b"\0") + body)


def counted_samples(file: BinaryFile) -> int | None:
    """Samples a channel in a file of constant bit rate without a length table; None for all others.

    The decoder's guess counts tags as sound.
    """
    body = _without_table(file)
    walk = _walk(body or b"")
    header = frame_header(body or b"")
    return walk.frames * header.samples if header is not None and len(walk.kbits) == 1 else None


def frame_header(data: bytes) -> FrameHeader | None:
    """The header in the first 4 bytes; None if they are none, or of a free bit rate (whose frames nobody can size)."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:
        return None
    version, layer = data[1] >> 3 & 3, data[1] >> 1 & 3
    kbits_index, rate_index, padding = data[2] >> 4, data[2] >> 2 & 3, data[2] >> 1 & 1
    if version == 1 or layer == 0 or kbits_index in (0, 15) or rate_index == 3:
        return None
    kbits = _KBITS[3 if version == 3 else 2, layer][kbits_index - 1]
    rate_hz = _RATES_HZ[version][rate_index]
    if layer == 3:
        samples, frame_bytes = 384, (12 * kbits * 1000 // rate_hz + padding) * 4
    else:
        samples = 576 if layer == 1 and version != 3 else 1152
        frame_bytes = samples // 8 * kbits * 1000 // rate_hz + padding
    return FrameHeader(version, layer, kbits, samples, frame_bytes, mono=data[3] >> 6 == 3)


def _from_first_frame(file: BinaryFile) -> tuple[int, bytes]:
    """Where the first frame starts, and a few bytes from there; none if there is no frame."""
    tag = id3_bytes(file)
    file.seek(tag)
    data = file.read(_SEARCH_BYTES)
    position = data.find(b"\xff")
    while 0 <= position < len(data) - 4:
        header = frame_header(data[position : position + 4])
        if header is not None:
            after = data[position + header.frame_bytes : position + header.frame_bytes + 4]
            if len(after) < 4 or frame_header(after) is not None:  # a second one follows: not by chance
                return tag + position, data[position : position + 256]
        position = data.find(b"\xff", position + 1)
    return tag, b""


def _length_table(data: bytes) -> LengthTable | None:
    header = frame_header(data)
    if header is None:
        return None
    at = header.table_offset
    if data[at : at + 4] in (b"Xing", b"Info") and len(data) >= at + 16:
        flags, first, second = struct.unpack(">III", data[at + 4 : at + 16])
        has_frames, has_bytes = flags & 1, flags & 2
        return LengthTable(first if has_frames else None, (second if has_frames else first) if has_bytes else None)
    if data[36:40] == b"VBRI" and len(data) >= 54:
        size, frames = struct.unpack(">II", data[46:54])
        return LengthTable(frames, size)
    return None


def _without_table(file: BinaryFile) -> bytes | None:
    """All bytes from the first frame on; None if there is a length table, or no frame."""
    start, data = _from_first_frame(file)
    if not data or _length_table(data) is not None:
        return None
    file.seek(start)
    return file.read()


def _walk(data: bytes) -> _Walk:
    """What the whole frames from the beginning on are."""
    position, frames, kbits = 0, 0, set()
    while (header := frame_header(data[position : position + 4])) is not None:
        if position + header.frame_bytes > len(data):
            break
        frames += 1
        kbits.add(header.kbits)
        position += header.frame_bytes
    return _Walk(frames, frozenset(kbits), position)
