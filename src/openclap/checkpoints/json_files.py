"""The JSON files of checkpoints, ours and others': an object in each, read with errors that say what is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openclap import __version__
from openclap.errors import CheckpointError


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        CheckpointError: if there is none.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: there is no such file; the directory is no whole checkpoint") from error
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: is not JSON ({error})") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: holds a {type(values).__name__}, but must hold an object")
    return values


def read_versioned(path: Path, newest: int, kind: str) -> dict[str, Any]:
    """The object in a JSON file of ours, which says the version of its format.

    Args:
        path: the file.
        newest: the newest version that is known here.
        kind: what has no version if it is not there, as "openclap bundle".

    Raises:
        CheckpointError: if there is none, it has no version, or was written by a newer openclap.
    """
    values = read_json(path)
    found = values.get("format_version")
    if not isinstance(found, int):
        raise CheckpointError(f"{path}: has no format_version; this is no {kind}")
    if found > newest:
        raise CheckpointError(
            f"{path}: has format version {found}, and this openclap {__version__} reads versions up to {newest}: "
            "upgrade openclap"
        )
    return values


def write_json(values: Mapping[str, Any], path: Path) -> None:
    """Write an object as JSON for people to read, too."""
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
