"""Tables as corpora publish them, a row at a time, with errors that name the file, the line and the column."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openclap.errors import ManifestError

_READ_CHARACTERS = 1 << 20


def table_rows(
    path: Path,
    columns: Sequence[str] = (),
    *,
    header: Sequence[str] | None = None,
    delimiter: str = ",",
    encoding: str = "utf-8-sig",
    skip_spaces: bool = False,
    comment: str | None = None,
) -> Iterator[dict[str, str]]:
    """The rows of a CSV or TSV file by the names of their columns; blank lines are passed over.

    Args:
        path: the file.
        columns: those that must be there.
        header: the columns' names where the file itself has no header line.
        delimiter: between the cells.
        encoding: of the text; a byte order mark is no part of the first name.
        skip_spaces: white space after a delimiter is no part of a cell.
        comment: what lines begin with that are passed over.

    Raises:
        ManifestError: if the file cannot be read, lacks a column, or has a row of another length; `.line` is given.
    """
    try:
        with path.open(encoding=encoding, newline="") as file:
            lines = (line for line in file if comment is None or not line.startswith(comment))
            reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=skip_spaces)
            names = list(header) if header is not None else [name.strip() for name in next(reader, [])]
            if absent := [name for name in columns if name not in names]:
                have = f"it has {', '.join(names) or 'nothing'}"
                raise ManifestError(path, f"has no column {', '.join(absent)}; {have}: is it the published file?", 1)
            for cells in reader:
                if not any(cells):
                    continue
                if len(cells) != len(names):
                    reason = f"has {len(cells)} cells, but the table has {len(names)} columns: {', '.join(names)}"
                    raise ManifestError(path, reason, reader.line_num)
                yield dict(zip(names, cells, strict=True))
    except UnicodeDecodeError as error:
        raise ManifestError(path, f"is not {encoding} text ({error.reason}): is it the published file?") from error
    except (OSError, csv.Error) as error:
        raise ManifestError(path, f"cannot be read ({error})") from error


def load_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        ManifestError: if it cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:  # JSON and UTF-8 errors are ValueErrors
        raise ManifestError(path, f"cannot be read as JSON ({error})") from error


def json_rows(path: Path, key: str | None = None) -> Iterator[Any]:
    """The items of a JSON file's list, one at a time: the file may be larger than the memory.

    Args:
        path: the file: a list, or an object that has it.
        key: the list's name in the object; no object before it may have the same key.

    Raises:
        ManifestError: if the file cannot be read, or has no such list.
    """
    decoder, end, before = json.JSONDecoder(), re.compile(r"[\s,]*"), 0
    start = re.compile(rf'\s*(?:\{{.*?"{re.escape(key)}"\s*:\s*)?\[' if key else r"\s*\[", re.DOTALL)
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(_READ_CHARACTERS)
            opening = start.match(text)
            if opening is None:
                raise ManifestError(path, f"has no list {key or ''}".rstrip() + ": is it the published file?")
            place = opening.end()
            while True:
                gap = end.match(text, place)
                place = gap.end() if gap else place
                try:
                    if text[place : place + 1] == "]":
                        return
                    item, place = decoder.raw_decode(text, place)
                except json.JSONDecodeError as error:
                    if not (_may_go_on(error) and (more := file.read(_READ_CHARACTERS))):
                        where = f"{error.msg} at character {before + error.pos + 1:,}"
                        raise ManifestError(path, f"cannot be read as JSON ({where})") from error
                    before += place
                    text, place = text[place:] + more, 0
                    continue
                yield item
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError(path, f"cannot be read as JSON ({error})") from error


def _may_go_on(error: json.JSONDecodeError) -> bool:
    """Whether what follows the text may mend it: it ends within a string, or is wrong only where it ends.

    What is wrong elsewhere stays so, and the rest of the file need not be read for it.
    """
    return error.msg.startswith("Unterminated string") or error.pos >= len(error.doc) - _LONGEST_MARK


_LONGEST_MARK = len("-Infinity")  # also of \u0000, and of what a number ends with
