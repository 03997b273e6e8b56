"""The index of an archive that somebody else wrote, made of its headers and its small text files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from openclap.audio.members import Member, members
from openclap.data.columns import SYNONYMS
from openclap.data.problems import Problems
from openclap.data.readers import AUDIO_SUFFIXES
from openclap.data.shards.index import ShardHead
from openclap.errors import AudioError, ManifestError

_TEXTS = (".txt", ".json")
_MOST_BYTES = 4 << 20  # of a text beside a sound; a larger one is something else
_RANGES = frozenset(SYNONYMS["start_s"] + SYNONYMS["duration_s"] + SYNONYMS["end_s"])
_SPLITS = frozenset({"train", "valid", "validation", "val", "dev", "test", "eval"})


def index_archive(archive: Path, problems: Problems) -> tuple[ShardHead, list[dict[str, Any]]]:
    """Head and rows of an archive's index; texts that cannot be read are noted as problems.

    A sample is what has one name up to the first dot: `a/1.flac` with `a/1.json` (an object) or `a/1.txt` (a caption a
    line), in any order. Where an archive has no such texts, the folder that a sound lies in is its label. What
    texts call start, end or duration is kept under `original_…`: it is told of the recording that the member was cut
    from. A split that they do not name is that of LAION-CLAP's layout: the archive's folder, if a `sizes.json` lies
    there, or if it has one of the usual names.

    Raises:
        ManifestError: if it is no tar archive that can be read.
    """
    sounds: list[Member] = []
    texts: dict[str, dict[str, Member]] = {}
    about = archive.stat()
    try:
        for member in members(archive):
            suffix = PurePosixPath(member.name).suffix.lower()
            if suffix in AUDIO_SUFFIXES:
                sounds.append(member)
            elif suffix in _TEXTS:
                texts.setdefault(_key(member.name), {})[suffix] = member
    except (AudioError, OSError) as error:
        reason = error.reason if isinstance(error, AudioError) else f"cannot be read ({error})"
        raise ManifestError(archive, reason) from error
    split = archive.parent.name if _names_split(archive.parent) else None
    with archive.open("rb") as file:
        rows = [_row(sound, texts, split, file, problems) for sound in sounds]
    head = ShardHead(archive.name, len(rows), about.st_size, changed_ns=about.st_mtime_ns)
    return head, rows


def _row(
    sound: Member, texts: dict[str, dict[str, Member]], split: str | None, file: IO[bytes], problems: Problems
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    beside = texts.get(_key(sound.name), {})
    for suffix in _TEXTS:
        if suffix in beside:
            values |= _values(beside[suffix], suffix, file, problems)
    if not texts and (folder := PurePosixPath(sound.name).parent.name):
        values["labels"] = [folder.replace("_", " ")]
    row = dict(_renamed(values))
    if split is not None:
        row.setdefault("split", split)
    return row | {"audio": sound.path.relative_to(sound.archive.parent).as_posix()}


def _values(text: Member, suffix: str, file: IO[bytes], problems: Problems) -> dict[str, Any]:
    """What a text says of the sound beside it."""
    if text.size is None or text.size > _MOST_BYTES:
        problems.add(None, f"{text.name} in {text.archive} has {text.size} bytes: it is no text of one clip")
        return {}
    file.seek(text.offset or 0)
    try:
        read = file.read(text.size).decode("utf-8-sig")
        values = json.loads(read) if suffix == ".json" else {"captions": read.splitlines()}
    except (ValueError, RecursionError) as error:
        problems.add(None, f"{text.name} in {text.archive} cannot be read ({error})")
        return {}
    if not isinstance(values, dict):
        problems.add(None, f"{text.name} in {text.archive} holds a {type(values).__name__}, but takes an object")
        return {}
    return values


def _renamed(values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The values of a row; of our own shards without what is there for other readers, and can be told again."""
    ours = {"captions": "text", "labels": "tag"}
    twice = {other for own, other in ours.items() if own in values}
    for name, value in values.items():
        if name.casefold() in _RANGES or name == "audio":
            yield f"original_{name}", value
        elif name not in twice:
            yield name, value


def _key(name: str) -> str:
    path = PurePosixPath(name)
    return str(path.with_name(path.name.partition(".")[0] or path.name))


def _names_split(folder: Path) -> bool:
    return folder.name.lower() in _SPLITS or (folder / "sizes.json").is_file()
