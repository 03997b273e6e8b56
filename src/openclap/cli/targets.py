"""Files that a command is to write: what is wrong with their place is said before the work, not after it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from openclap.atomic import file_written_whole
from openclap.errors import ConfigError


def jsonl_target(path: Path, *, of: str = "a manifest", read: Iterable[Path] = ()) -> None:
    """Make sure that a file of JSON Lines may be written.

    Args:
        path: the file.
        of: what it will hold.
        read: files that the same command reads, and that must not be written over.

    Raises:
        ConfigError: if its name has another ending, it is a folder, a file stands where its folder should be, or it is
            one of those that are read.
    """
    if path.suffix != ".jsonl":
        raise ConfigError(f"{path}: {of} is written as JSON Lines: give a name that ends in .jsonl")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder: --out takes the file to write, as {path / 'out.jsonl'}")
    folder_target(path.parent)
    for given in read:
        if given.resolve() == path.resolve():
            raise ConfigError(f"--out {path} is read by this very command, and would be lost: give another name")


def folder_target(path: Path, *, option: str = "--out") -> None:
    """Make sure that a folder may be made.

    Raises:
        ConfigError: if it, or what should hold it, is a file.
    """
    for place in (path, *path.parents):
        if place.is_dir():
            return
        if place.exists():
            raise ConfigError(f"{option} {path}: {place} is a file, and not a folder: give another name")


def own_target(path: Path, *, work: str, manifest: Path) -> None:
    """Make sure that a file which is there was written by the same command, or is the manifest that it goes over.

    Args:
        path: the file to write.
        work: ending of the folder beside it in which the command keeps what it has done.
        manifest: what is read; a stage may go over it in its place, since every text stays.

    Raises:
        ConfigError: if the file is somebody else's.
    """
    folder = path.with_name(path.name + work)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file, where a folder for unfinished work belongs: give another --out")
    if path.exists() and not folder.is_dir() and path.resolve() != manifest.resolve():
        raise ConfigError(f"{path} is there, and was not written by this command: delete it, or give another --out")


def noted_target(path: Path, *, by: str) -> None:
    """Make sure that a file which is there was written by the same command, as `note_target` has noted.

    Args:
        path: the file to write.
        by: the command, as "data overlap".

    Raises:
        ConfigError: if the file is somebody else's.
    """
    if path.exists() and not _note(path, by).is_file():
        raise ConfigError(f"{path} is there, and was not written by {by}: delete it, or give another --out")


def note_target(path: Path, *, by: str) -> None:
    """Note beside a file that is about to be written which command it is of, so that it may write it again."""
    with file_written_whole(_note(path, by)) as fresh:
        fresh.write_text(json.dumps({"written_by": f"openclap {by}"}) + "\n", encoding="utf-8")


def _note(path: Path, by: str) -> Path:
    return path.with_name(f"{path.name}.{by.rpartition(' ')[2]}.json")
