"""Files out of the net into a folder: resumed, verified, several at once.

A file is written as `NAME.unfinished`, and gets its name when its size and checksum are those that were published: a
file that has its name is complete. A process that is killed, even in the middle of a write, goes on at the byte that it
had reached when it is called again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

Progress = Callable[[str, int, int | None], None]
"""Is told (what is done, how much of it, of how much if that is known); called from several threads."""


@dataclass(frozen=True)
class RemoteFile:
    """A file that is published at a URL.

    Attributes:
        name: where it lies below raw/.
        url: http, https or file.
        bytes: its size, if that is published.
        md5: its MD5 as hex, if that is published.
        sha256: its SHA-256 as hex, if that is published.
        unpack: the kind of archive that it is, unpacked when it has come; "no" leaves it as it is. The volumes of a
            split zip (`x.z01`, …) stay as they are, and `x.zip` is unpacked with them: list it last.
        into: folder below raw/ that it is unpacked into; by default the one it lies in.
    """

    name: str
    url: str
    bytes: int | None = None
    md5: str | None = None
    sha256: str | None = None
    unpack: str = "no"
    into: str = ""


def fetch_files(files: Iterable[RemoteFile], raw: Path, *, progress: Progress | None = None) -> None:
    """Bring `files` below `raw`, and unpack those that are archives."""
    raise NotImplementedError
