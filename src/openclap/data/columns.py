"""Which column of a manifest means what, and how its values are read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from openclap.config import Config
from openclap.data.made import read_made, read_negatives
from openclap.data.problems import Problems
from openclap.errors import did_you_mean

SYNONYMS: dict[str, tuple[str, ...]] = {
    "id": ("id",),
    "audio": (
        "audio", "path", "file", "filename", "file_name", "filepath", "file_path", "audio_path", "audio_file",
        "audio_filepath",
    ),
    "captions": ("captions", "caption", "caption_N", "text", "texts", "sentence", "sentences", "title", "description"),
    "labels": ("labels", "label", "tags", "tag", "categories", "category", "classes", "class"),
    "split": ("split",),
    "fold": ("fold",),
    "start_s": ("start_s", "start", "offset"),
    "duration_s": ("duration_s", "duration"),
    "end_s": ("end_s", "end"),
    "license": ("license", "licence"),
    "credit": ("credit",),
    "source": ("source",),
    "made": ("made",),
    "negatives": ("negatives",),
}  # fmt: skip
"""Names under which a column is found, the first one present in a row winning; any case. `caption_N` stands for the
numbered columns caption_1, caption_2, … (Clotho has five). `duration` and the end count only beside a start: alone,
they mostly state how long the file is."""

_NUMBERED = re.compile(r"caption_?(\d+)", re.IGNORECASE)


class ColumnConfig(Config):
    """Columns by name, for a manifest whose names are not among the synonyms; what is given here wins over them.

    `captions` and `labels` may be several columns.
    """

    id: str | None = None
    audio: str | None = None
    captions: str | tuple[str, ...] | None = None
    labels: str | tuple[str, ...] | None = None
    split: str | None = None
    fold: str | None = None
    start_s: str | None = None
    duration_s: str | None = None
    end_s: str | None = None
    license: str | None = None
    credit: str | None = None
    source: str | None = None
    made: str | None = None
    negatives: str | None = None


def check_columns(config: ColumnConfig, present: Collection[str], problems: Problems) -> None:
    """Note every column that `config` names and no row has, with the nearest that there are."""
    for field, names in _explicit(config).items():
        for name in names:
            if name not in present:
                problems.add(
                    None,
                    f"columns.{field} (--column {field}=…) is {name!r}, which no row has{did_you_mean(name, present)}",
                )


def resolve_columns(config: ColumnConfig, present: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Field -> the columns it is read from, of those present; a field without one is left out."""
    explicit = _explicit(config)
    claimed = {name for names in explicit.values() for name in names}
    free: dict[str, str] = {}
    for name in present:
        if name not in claimed:
            free.setdefault(name.strip().casefold(), name)
    found: dict[str, tuple[str, ...]] = {}
    for field, synonyms in SYNONYMS.items():
        names = explicit[field] if field in explicit else _first(synonyms, free)
        if names:
            found[field] = names
    if "start_s" not in found and found.get("duration_s") != ("duration_s",) and "duration_s" not in explicit:
        found.pop("duration_s", None)
    if ("start_s" not in found and "end_s" not in explicit) or "duration_s" in found:
        found.pop("end_s", None)
    return found


def read_values(
    values: Mapping[str, Any],
    columns: Mapping[str, tuple[str, ...]],
    *,
    line: int | None,
    cells: bool,
    problems: Problems,
) -> dict[str, Any]:
    """The fields of an `Example` (audio still as text) in one row; wrong values are noted as problems and left out.

    Args:
        values: the row.
        columns: from `resolve_columns`.
        line: where the row stands.
        cells: whether values are the text cells of a table, in which a list is written as JSON or, for labels, with
            `|` or `;` between.
        problems: takes what is wrong.
    """
    fields: dict[str, Any] = {}
    for field, names in columns.items():
        try:
            if field in ("captions", "labels"):
                lists = [_texts(values.get(name), split=field == "labels", cells=cells) for name in names]
                fields[field] = tuple(dict.fromkeys(text for texts in lists for text in texts))
            else:
                fields[field] = _READERS[field](values.get(names[0]))
        except ValueError as error:
            problems.add(line, f"{' and '.join(names)} {error}")
    if "end_s" in fields:
        end_s, start_s = fields.pop("end_s"), fields.get("start_s") or 0.0
        if end_s is not None and end_s <= start_s:
            problems.add(line, f"{columns['end_s'][0]} is {end_s:g}, but takes seconds after the start at {start_s:g}")
        fields["duration_s"] = None if end_s is None else end_s - start_s
    used = {name for names in columns.values() for name in names}
    fields["extra"] = {name: value for name, value in values.items() if name not in used and value not in (None, "")}
    return {name: value for name, value in fields.items() if value is not None}


def _explicit(config: ColumnConfig) -> dict[str, tuple[str, ...]]:
    given = {field: getattr(config, field) for field in SYNONYMS}
    return {f: (names,) if isinstance(names, str) else tuple(names) for f, names in given.items() if names is not None}


def _first(synonyms: tuple[str, ...], free: Mapping[str, str]) -> tuple[str, ...]:
    for synonym in synonyms:
        if synonym == "caption_N":
            numbered = sorted((int(match[1]), name) for name in free.values() if (match := _NUMBERED.fullmatch(name)))
            if numbered:
                return tuple(name for _, name in numbered)
        elif synonym in free:
            return (free[synonym],)
    return ()


def _texts(value: Any, *, split: bool, cells: bool) -> list[str]:
    """The non-empty texts in a value that is one text or a list of them."""
    if cells and isinstance(value, str):
        value = _cell_list(value, split=split)
    items = value if isinstance(value, list | tuple) else [value]
    for item in items:
        if item is not None and not isinstance(item, str):
            raise ValueError(f"takes text or a list of texts, but holds {_short(item)}")
    return [stripped for item in items if item is not None and (stripped := " ".join(item.split()))]


def _cell_list(cell: str, *, split: bool) -> Any:
    if cell.lstrip().startswith("["):
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):  # a caption may begin with a bracket: "[music] plays"
            pass
    return re.split(r"[|;]", cell) if split else cell


def _text(value: Any) -> str | None:
    if isinstance(value, dict | list | tuple | bytes):
        raise ValueError(f"takes a text, but holds {_short(value)}")  # noqa: TRY004 — noted as a problem of the row
    return None if value is None else (str(value).strip() or None)


def _audio(value: Any) -> str:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"takes the path of an audio file, but holds {_short(value)}")
    if not (path := _text(value)):
        raise ValueError("takes the path of an audio file, but is empty")
    return path


def _number(value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise ValueError(f"takes a number, but holds {_short(value)}")
    return number


def _fold(value: Any) -> int | None:
    number = _number(value)
    if number is not None and number != int(number):
        raise ValueError(f"takes a whole number, but holds {_short(value)}")
    return None if number is None else int(number)


def _start(value: Any) -> float | None:
    number = _number(value)
    if number is not None and number < 0:
        raise ValueError(f"takes seconds from the beginning of the file, but holds {_short(value)}")
    return number


def _duration(value: Any) -> float | None:
    number = _number(value)
    if number is not None and number <= 0:
        raise ValueError(f"takes a length in seconds above 0, but holds {_short(value)}")
    return number


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


_READERS: dict[str, Callable[[Any], Any]] = {
    "id": _text,
    "audio": _audio,
    "split": _text,
    "fold": _fold,
    "start_s": _start,
    "duration_s": _duration,
    "end_s": _number,
    "license": _text,
    "credit": _text,
    "source": _text,
    "made": read_made,
    "negatives": read_negatives,
}
