"""Rows of a manifest as examples, and how rows of one clip become one: what reading whole and streaming share."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from openclap.data.columns import SYNONYMS, ColumnConfig, check_columns, read_values, resolve_columns
from openclap.data.example import Example
from openclap.data.problems import Problems
from openclap.data.readers import Row


class ClipKey(NamedTuple):
    """What rows of one clip have in common; the name is the audio's path from the root."""

    name: str
    start_s: float
    duration_s: float | None
    split: str | None
    fold: int | None


class RowParser:
    """Rows as examples (with an empty id where the row gives none); what is wrong is noted as a problem.

    Args:
        path: the manifest, for error messages.
        root: what relative audio paths start from.
        config: columns by name.
    """

    def __init__(self, path: Path, root: Path, config: ColumnConfig) -> None:
        self.problems = Problems(path)
        self._path, self._root, self._config = path, root, config
        self._columns: dict[tuple[str, ...], dict[str, tuple[str, ...]]] = {}

    def parse(self, row: Row) -> tuple[ClipKey, Example] | None:
        """One row's clip and what it says of it; None where that cannot be told."""
        names = tuple(row.values)
        if names not in self._columns:
            self._columns[names] = resolve_columns(self._config, names)
        columns = self._columns[names]
        if row.audio is not None:
            columns = {field: names for field, names in columns.items() if field != "audio"}
        elif "audio" not in columns:
            reason = f"has no audio column (as {', '.join(SYNONYMS['audio'][:5])}), only {', '.join(names)}"
            self.problems.add(row.line, f"{reason}: say which it is (columns.audio, --column audio=NAME)")
            return None
        values = read_values(row.values, columns, line=row.line, cells=row.cells, problems=self.problems)
        name = values.pop("audio", row.audio)
        if name is None:
            return None  # noted by read_values
        name = _relative(name, self._root)
        example = Example(**{"id": ""} | values, audio=self._root / name)
        return ClipKey(name, example.start_s, example.duration_s, example.split, example.fold), example

    def check_columns(self) -> None:
        """Raise for columns that the config names and no row had: they make every other message misleading."""
        named = Problems(self._path)
        check_columns(self._config, list(dict.fromkeys(name for names in self._columns for name in names)), named)
        named.raise_if_any()


def join(first: Example, second: Example) -> Example:
    """The first with the second's captions and labels too."""
    joined = {name: _distinct(getattr(first, name), getattr(second, name)) for name in _LISTS}
    return replace(first, **joined)


def has_other_id(key: ClipKey, first: Example, row: Example) -> bool:
    """Whether a further row of a clip gives an id that is not the clip's."""
    return bool(row.id) and row.id != own_id(key, first)


OTHER_IDS = (
    "rows whose id is not that of the first row with the same sound, range, split and fold: they are one clip with the "
    "first one's id"
)
"""What to say of them."""


def own_id(key: ClipKey, example: Example) -> str:
    """The id that the row gives, or else the path, with the time range as a W3C media fragment."""
    if example.id:
        return example.id
    if not example.start_s and example.duration_s is None:
        return key.name
    end = "" if example.duration_s is None else f",{example.start_s + example.duration_s:g}"
    return f"{key.name}#t={example.start_s:g}{end}"


def free_id(key: ClipKey, example: Example, taken: Callable[[str], bool]) -> str:
    """`own_id`; with a number where another split has the same clip, and the row gives none."""
    own = own_id(key, example)
    if example.id or not taken(own):
        return own
    return next(numbered for count in itertools.count(2) if not taken(numbered := f"{own}#{count}"))


_LISTS = ("captions", "labels", "made", "negatives")


def _distinct(first: tuple[Any, ...], second: tuple[Any, ...]) -> Any:
    return tuple(dict.fromkeys(first + second))


def _relative(name: str, root: Path) -> str:
    """The audio's path from the root where it lies below it, without `.` and `a/..` steps, with forward slashes."""
    name = os.path.normpath(name)
    if not os.path.isabs(name):  # nearly every row of millions: text is quicker than paths  # noqa: PTH117
        return name.replace(os.sep, "/")
    path = Path(name)
    if path.is_relative_to(root.absolute()):
        path = path.relative_to(root.absolute())
    return path.as_posix()
