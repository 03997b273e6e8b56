"""Which files hold the same stream, byte for byte, found without reading the files that cannot.

An Ogg file's pages carry a number that its encoder drew at random, and a checksum over it; both are left out, or two
encodings of one sound would never be the same.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path

from openclap.audio.members import encoded_size, open_encoded
from openclap.errors import AudioError

_PROBE_BYTES = 16384
_BLOCK_BYTES = 1 << 20
_OGG = b"OggS"


def content_numbers(files: Iterable[Path]) -> dict[Path, int]:
    """File -> number of its content: equal numbers for equal streams, counted up in the order of the files.

    Only files of one size are looked into, and (but for Ogg) only those with the same 16 KiB in their middle are read
    to the end: a large corpus costs one `stat` a file and little more. A file that cannot be read is its own content.
    """
    files = list(dict.fromkeys(files))
    groups = [files]
    for key in (encoded_size, _probe, _digest):
        groups = [part for group in groups for part in (_parted(group, key) if len(group) > 1 else [group])]
    leader = {file: group[0] for group in groups for file in group}
    number: dict[Path, int] = {}
    return {file: number.setdefault(leader[file], len(number)) for file in files}


def _parted(files: list[Path], key: Callable[[Path], Hashable]) -> list[list[Path]]:
    parts: dict[Hashable, list[Path]] = defaultdict(list)
    for file in files:
        try:
            parts[key(file)].append(file)
        except (OSError, AudioError):
            parts[file].append(file)
    return list(parts.values())


def _probe(file: Path) -> bytes:
    with open_encoded(file) as opened:
        if opened.read(4) == _OGG:
            return _OGG  # a page's number may lie anywhere
        opened.seek(max(0, encoded_size(file) // 2 - _PROBE_BYTES // 2))
        return hashlib.sha256(opened.read(_PROBE_BYTES)).digest()


def _digest(file: Path) -> bytes:
    digest = hashlib.sha256()
    with open_encoded(file) as opened:
        while (header := opened.read(27))[:4] == _OGG and len(header) == 27:  # RFC 3533, section 6
            lengths = opened.read(header[26])
            digest.update(header[:14] + header[18:22] + lengths)
            digest.update(opened.read(sum(lengths)))
        digest.update(header)
        while block := opened.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.digest()
