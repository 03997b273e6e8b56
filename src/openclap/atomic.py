"""Files and directories that appear whole or not at all, whatever moment the process dies at."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(directory: Path) -> Iterator[Path]:
    """A fresh directory to write into, which takes the place of `directory` when the block ends without an error.

    What was there before stays until the new one is complete and on the disk, and then stands for a moment under a
    hidden name. A process that dies in that moment leaves it there: `current` finds it, the next write puts it back.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    replaced = _replaced(directory)
    if replaced.exists() and not directory.exists():
        replaced.rename(directory)
    fresh = directory.with_name(f".{directory.name}.{secrets.token_hex(4)}.writing")
    fresh.mkdir()
    try:
        yield fresh
        for file in fresh.iterdir():
            _sync(file)
        _sync(fresh)
        _remove(replaced)
        if directory.exists():
            directory.rename(replaced)
        fresh.rename(directory)
        _sync(directory.parent)
        _remove(replaced)
    finally:
        _remove(fresh)


@contextmanager
def file_written_whole(path: Path) -> Iterator[Path]:
    """A fresh file to write, which takes the place of `path` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{secrets.token_hex(4)}.{path.name}")  # the ending stays: it may say the format
    try:
        yield fresh
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def current(directory: Path) -> Path:
    """Where the content of `directory` is: there, or where a write that died between its two renames has left it."""
    if directory.exists():  # and so do ".", and "/", which have no name to look beside
        return directory
    replaced = _replaced(directory)
    return replaced if replaced.is_dir() else directory


def _replaced(directory: Path) -> Path:
    return directory.with_name(f".{directory.name}.replaced")


def _remove(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # Windows cannot open a directory, and needs no sync of it
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
