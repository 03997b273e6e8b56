"""Clips out of shards: their own folders, and WebDataset archives of any maker."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from openclap.audio.members import member_of
from openclap.data.archives import leads_elsewhere
from openclap.data.problems import Problems
from openclap.data.readers import AUDIO_SUFFIXES, Row, files_below
from openclap.data.shards.index import index_beside, index_in_cache, read_clips, read_head, write_index
from openclap.data.shards.webdataset import index_archive
from openclap.errors import ManifestError

ABOUT = "shards.json"
"""The file that makes a folder one of our shards."""

_READ_ONLY = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_LOG = logging.getLogger(__name__)


def shard_archives(path: Path) -> list[Path]:
    """The archives that `path` stands for, in order; none if it is something else than shards.

    Shards are a `.tar` file, a folder that `openclap data shard` has written, or one that has archives and no sounds
    below it.

    Raises:
        ManifestError: if `openclap data shard` has not finished, or shards that it has written are gone.
    """
    if path.is_file():
        return [path] if path.suffix.lower() == ".tar" else []
    if (path / ABOUT).is_file():
        return _planned(path)
    found = []
    for name in files_below(path):
        suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - millions of files, of which most are no archives
        if suffix in AUDIO_SUFFIXES:
            return []
        if suffix == ".tar":
            found.append(name)
    return [path / name for name in sorted(found, key=_natural)]


def read_shards(path: Path, archives: Iterable[Path], problems: Problems) -> Iterator[Row]:
    """A row for each clip in the archives that `path` stands for, in their order; their sound is not touched.

    Raises:
        ManifestError: if an archive cannot be read, or its index is broken.
    """
    root = path if path.is_dir() else path.parent
    for archive in archives:
        index = find_index(archive, problems)
        place = archive.parent.relative_to(root).as_posix()
        folder = "" if place == "." else f"{place}/"
        for values in read_clips(index):
            audio = folder + values.pop("audio")  # strings: this runs two million times
            if "id" not in values:
                values["id"] = _id(audio)
            yield Row(None, values, audio=audio)


def find_index(archive: Path, problems: Problems) -> Path:
    """The index of an archive, made now if there is none that fits.

    Raises:
        ManifestError: if the archive cannot be read, or has been changed since `openclap data shard` wrote it.
    """
    for index in (index_beside(archive), index_in_cache(archive)):
        head = read_head(index)
        if head is None:
            continue
        if head.fits(archive):
            return index
        if head.sha256 is not None:
            reason = f"has {archive.stat().st_size} bytes, but {index.name} was written for {head.bytes}: copy it again"
            raise ManifestError(archive, reason)
    _LOG.info("indexing %s, once", archive)
    head, rows = index_archive(archive, problems)
    problems.raise_if_any()
    index = index_beside(archive)
    try:
        write_index(index, head, rows)
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
        index = index_in_cache(archive)
        write_index(index, head, rows)
    return index


def damage(archive: Path) -> str | None:
    """Why an archive is not the one that its index was written for; None if it is, or nobody wrote a checksum down."""
    head = read_head(index_beside(archive))
    if head is None or head.sha256 is None:
        return None
    try:
        with archive.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"cannot be read ({error})"
    return None if found == head.sha256 else f"has the SHA-256 {found[:16]}…, but {head.sha256[:16]}… was written"


def _planned(folder: Path) -> list[Path]:
    """The archives of a folder of ours, all of which must be there."""
    try:
        counts = json.loads((folder / ABOUT).read_text(encoding="utf-8"))["shards"]
        outside = [split for split in counts if leads_elsewhere(split)]
        total = sum(max(0, count) for count in counts.values())
        # Whatever somebody has written there: no more are listed than there are, and one that is gone.
        most = 1 + sum(1 for _ in folder.glob("*/*.tar"))
        names = list(islice((f"{split}/{n}.tar" for split, count in counts.items() for n in range(count)), most))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ManifestError(folder / ABOUT, f"is broken ({error!r}): make the shards anew") from error
    if outside:
        raise ManifestError(folder / ABOUT, f"names {outside[0]!r}, which is no folder in it: make the shards anew")
    archives = [folder / name for name in names]
    gone = [archive for archive in archives if not archive.is_file() or not index_beside(archive).is_file()]
    if gone:
        lacking = total - len(archives) + len(gone)
        reason = (
            f"{lacking} of its {total} shards are not complete, as {gone[0].relative_to(folder)}: "
            "run `openclap data shard` again, which goes on where it was ended"
        )
        raise ManifestError(folder, reason)
    return archives


def _id(audio: str) -> str:
    """The path of a member without its range, which would be another when the archive is packed anew."""
    member = member_of(audio)
    return audio if member is None else f"{member.archive.as_posix()}::{member.name}"


def _natural(name: str) -> list[str | int]:
    """A key that sorts 2.tar before 10.tar."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
