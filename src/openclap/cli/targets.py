"""Files that a command is to write: what is wrong with their place is said before the work, not after it."""

from __future__ import annotations

import json
import os
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
    _check_file(path, option="--out", read=read)


def file_target(path: Path, ending: str, *, of: str, option: str = "--out", read: Iterable[Path] = ()) -> None:
    """Make sure that a file of another kind may be written.

    Args:
        path: the file.
        ending: of its name, as ".png"; in any case.
        of: what it will hold.
        option: that names it.
        read: files that the same command reads, and that must not be written over.

    Raises:
        ConfigError: as for `jsonl_target`.
    """
    if path.suffix.lower() != ending:
        raise ConfigError(f"{option} {path}: {of} is a {ending[1:].upper()} file: give a name that ends in {ending}")
    _check_file(path, option=option, read=read)


def folder_target(path: Path, *, option: str = "--out") -> None:
    """Make sure that a folder may be made, or is there to be filled.

    Raises:
        ConfigError: if it, or what should hold it, is a file, or a folder that this user may not write to.
    """
    for place in (path, *path.parents):
        if place.is_dir():
            if not os.access(place, os.W_OK):
                raise ConfigError(f"{option} {path}: you may not write to the folder {place}: give another name")
            return
        if place.exists():
            raise ConfigError(f"{option} {path}: {place} is a file, and not a folder: give another name")


def work_target(path: Path, *, work: str, manifest: Path) -> None:
    """Make sure that a command which keeps its work in a folder beside its file may write this one.

    Args:
        path: the file to write.
        work: ending of the folder.
        manifest: what is read, as it was given; a stage may go over it in its place, since every text stays.

    Raises:
        ConfigError: if the file is somebody else's, or the folder is a file.
    """
    from openclap.data.manifest import find_manifest

    folder = path.with_name(path.name + work)
    folder_target(folder)
    if not (path.exists() and path.samefile(find_manifest(manifest))):
        _refuse_others(path, folder)


def noted_target(path: Path, *, by: str) -> None:
    """Make sure that a command which notes what it has written, by `note_target`, may write this file.

    Args:
        path: the file to write.
        by: the command, as "data overlap".

    Raises:
        ConfigError: if the file is somebody else's.
    """
    _refuse_others(path, _note(path, by))


def note_target(path: Path, *, by: str) -> None:
    """Note beside a file that is about to be written which command it is of, so that it may write it again."""
    with file_written_whole(_note(path, by)) as fresh:
        fresh.write_text(json.dumps({"written_by": f"openclap {by}"}) + "\n", encoding="utf-8")


def _check_file(path: Path, *, option: str, read: Iterable[Path]) -> None:
    if path.is_dir():
        example = path / f"out{path.suffix}"
        raise ConfigError(f"{path} is a folder: {option} takes the file to write, as {example}")
    folder_target(path.parent, option=option)
    for given in read:
        if path.exists() and given.exists() and given.samefile(path):  # also where case, or a link, is all that differs
            raise ConfigError(f"{option} {path} is read by this very command, and would be lost: give another name")


def _note(path: Path, by: str) -> Path:
    return path.with_name(f"{path.name}.{by.rpartition(' ')[2]}.json")


def _refuse_others(path: Path, sign: Path) -> None:
    if path.exists() and not sign.exists():
        raise ConfigError(
            f"{path} is there, and was not written by this command (no {sign.name} lies beside it): delete it, or give "
            "another --out"
        )
