"""Evidence: the sound events that a tagger heard in a clip, whichever tagger it was.

It stands in the manifest, in a column (`events` unless named otherwise) whose value is a list of objects, in JSON Lines
as it is and in a CSV or Parquet cell as JSON text:

    [{"label": "Dog", "score": 0.91}, {"label": "Rain", "score": 0.34, "start_s": 2.0, "end_s": 5.5}]

or {"events": [...]} around such a list. Or it comes in a JSON Lines file of its own, {"id": …, "events": [...]} a line,
by the ids of the manifest's clips. `openclap captions events` writes such a column with any CLAP model.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openclap.data.example import Example
from openclap.errors import ManifestError


@dataclass(frozen=True)
class Event:
    """One sound event.

    Attributes:
        label: what sounds.
        score: how sure the tagger is, by its own measure; mostly from 0 to 1.
        start_s: where it begins in the clip, in seconds, where that is known.
        end_s: where it ends.
    """

    label: str
    score: float
    start_s: float | None = None
    end_s: float | None = None

    def plain(self) -> dict[str, Any]:
        """As the file format has it, without what is not known."""
        values = {"label": self.label, "score": round(self.score, 3), "start_s": self.start_s, "end_s": self.end_s}
        return {key: value for key, value in values.items() if value is not None}


def parse_events(value: Any) -> tuple[Event, ...]:
    """The events in a manifest's value, the surest first.

    Raises:
        ValueError: if it is not of the format; says what is wrong.
    """
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        value = json.loads(value)  # a JSONDecodeError is a ValueError
    if isinstance(value, Mapping):
        value = value.get("events")
    if not isinstance(value, (list, tuple)):
        kind = type(value).__name__
        raise ValueError(f'events must be a list of {{"label": …, "score": …}}, but got {kind}')  # noqa: TRY004
    events = [_parse(item) for item in value]
    return tuple(sorted(events, key=lambda event: (-event.score, event.label)))


class Evidence:
    """Where a clip's events are found: a column of the manifest, or a file by clip id.

    Of a file, only where each line begins is held in memory.

    Args:
        source: the name of a column, or the path of a .jsonl file.
        min_score: events below are left out.
        most: so many of the surest events of a clip are taken.

    Raises:
        ManifestError: if the file cannot be read, or a line of it is wrong.
    """

    def __init__(self, source: str = "events", *, min_score: float = 0.0, most: int = 10) -> None:
        self._column = source
        self._min_score, self._most = min_score, most
        self._path = Path(source) if source.endswith(".jsonl") else None
        self._offsets = _offsets(self._path) if self._path else {}

    def of(self, example: Example) -> tuple[Event, ...]:
        """A clip's events, the surest first; none where nothing is known.

        Raises:
            ManifestError: if the value is not of the format.
        """
        try:
            events = parse_events(self._value(example))
        except (ValueError, RecursionError) as error:
            where = self._path or f"clip {example.id}"
            raise ManifestError(where, f"{self._column if not self._path else example.id}: {error}") from error
        return tuple(event for event in events if event.score >= self._min_score)[: self._most]

    def _value(self, example: Example) -> Any:
        if self._path is None:
            return example.extra.get(self._column)
        if example.id not in self._offsets:
            return None
        with self._path.open("rb") as file:  # opened for each, as stages work in threads
            file.seek(self._offsets[example.id])
            return json.loads(file.readline())


def _parse(item: Any) -> Event:
    if not isinstance(item, Mapping) or not isinstance(item.get("label"), str) or not item["label"].strip():
        raise ValueError(f'an event is an object with "label" and "score", but got {item!r}')
    numbers = {}
    for key in ("score", "start_s", "end_s"):
        value = item.get(key)
        if value is None and key != "score":
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
            raise ValueError(f"event {item['label']!r} needs a number as {key}, but has {value!r}")
        numbers[key] = float(value)
    return Event(" ".join(item["label"].split()), **numbers)


def _offsets(path: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    try:
        with path.open("rb") as file:
            offset = 0
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        found[json.loads(line)["id"]] = offset
                    except (ValueError, KeyError, TypeError) as error:
                        why = getattr(error, "msg", error)  # JSON's own words without its line, which is of this row
                        reason = f'is no object with an "id" and "events" ({type(error).__name__}: {why})'
                        raise ManifestError(path, reason, number) from error
                offset += len(line)
    except OSError as error:
        raise ManifestError(path, f"cannot be read ({error.strerror})") from error
    return found
