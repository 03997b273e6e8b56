"""What is known while overlap is looked for, on the disk: evaluation clips with their ids, and every pair found.

sqlite3 from the standard library: it looks up one of millions of ids in microseconds, counts pairs in every way that
the report wants, and none of it stands in memory.
"""

from __future__ import annotations

import json
import os.path
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

from openclap.data.example import Example
from openclap.data.overlap.ids import ClipId

Reason = Literal["ids", "content", "vectors"]
Side = Literal["train", "against"]

_TABLES = """
CREATE TABLE clips (side TEXT, number INTEGER, part TEXT, id TEXT, source TEXT, audio TEXT, key TEXT,
    PRIMARY KEY (side, number)) WITHOUT ROWID;
CREATE TABLE ids (space TEXT, key TEXT, clip INTEGER, found TEXT, start_s REAL, end_s REAL, sure INTEGER,
    PRIMARY KEY (space, key, clip)) WITHOUT ROWID;
CREATE TABLE contents (content TEXT, clip INTEGER, PRIMARY KEY (content, clip)) WITHOUT ROWID;
CREATE TABLE sounds (side TEXT, path TEXT, clip INTEGER, start_s REAL, end_s REAL,
    PRIMARY KEY (side, path, clip)) WITHOUT ROWID;
CREATE TABLE pairs (train INTEGER, against INTEGER, reason TEXT, sure INTEGER, evidence TEXT,
    PRIMARY KEY (train, against, reason)) WITHOUT ROWID;
CREATE TABLE unheard (side TEXT, part TEXT, id TEXT, audio TEXT, error TEXT);
"""
_TALLY = """
SELECT t.part, t.source, a.part, a.source,
    COUNT(DISTINCT p.train) FILTER (WHERE p.reason = 'ids' AND p.sure),
    COUNT(DISTINCT p.train) FILTER (WHERE p.reason = 'content' AND p.sure),
    COUNT(DISTINCT p.train) FILTER (WHERE p.reason = 'vectors' AND p.sure),
    COUNT(DISTINCT p.train) FILTER (WHERE p.sure),
    COUNT(DISTINCT p.against) FILTER (WHERE p.sure),
    COUNT(DISTINCT p.train) FILTER (WHERE NOT p.sure)
FROM pairs p
JOIN clips t ON t.side = 'train' AND t.number = p.train
JOIN clips a ON a.side = 'against' AND a.number = p.against
GROUP BY 1, 2, 3, 4 ORDER BY 3, 4, 1, 2
"""
_PAIRS = """
SELECT t.part, t.id, t.audio, a.part, a.id, a.audio, p.reason, p.sure, p.evidence
FROM pairs p
JOIN clips t ON t.side = 'train' AND t.number = p.train
JOIN clips a ON a.side = 'against' AND a.number = p.against
ORDER BY p.train, p.against, p.reason
"""
_OVERLAPPING = """
SELECT c.side, c.part, COUNT(DISTINCT c.number) FROM pairs p
JOIN clips c ON (c.side = 'train' AND c.number = p.train) OR (c.side = 'against' AND c.number = p.against)
WHERE p.sure GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Pair:
    """A training clip and the evaluation clip that it overlaps with.

    Attributes:
        train: name of the training set.
        train_id: the clip's id there.
        train_audio: its file.
        against: name of the evaluation set (or, within one manifest, of that one again).
        against_id: the clip's id there.
        against_audio: its file; "" for one that is known by an id list.
        reason: what found it.
        sure: whether it counts; an id that was guessed does not.
        evidence: of ids: which, and where each was found; of content: score, share, bits, offset_s (where the
            evaluation clip begins in the training clip's time), overlap_s, or that the samples are the same; of
            vectors: the cosine.
    """

    train: str
    train_id: str
    train_audio: str
    against: str
    against_id: str
    against_audio: str
    reason: Reason
    sure: bool
    evidence: dict[str, Any]


class Numbered(NamedTuple):
    """A clip with its number on its side, and the name of its set."""

    number: int
    part: str
    clip: Example


class Tally(NamedTuple):
    """Counts for a training set (or source in it) and an evaluation set (or source in it).

    `ids`, `content`, `vectors` and `clips` (by any of them) count training clips, `found` evaluation clips, `guessed`
    training clips whose only tie is an id that was guessed.
    """

    train: str
    train_source: str
    against: str
    against_source: str
    ids: int
    content: int
    vectors: int
    clips: int
    found: int
    guessed: int


class Ledger:
    """The tables, in a folder, until the block ends.

    Args:
        folder: for the file.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "overlap.sqlite"

    def __enter__(self) -> Self:
        self._database = sqlite3.connect(self._file)
        self._database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")  # nobody needs it later
        self._database.executescript(_TABLES)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def add_clip(self, side: Side, numbered: Numbered) -> None:
        """Note whose clip a number is; said twice, it stays as it is."""
        number, part, clip = numbered
        row = (side, number, part, clip.id, clip.source or "", str(clip.audio))
        self._database.execute("INSERT OR IGNORE INTO clips VALUES (?, ?, ?, ?, ?, ?, NULL)", row)

    def set_key(self, number: int, key: str | None) -> None:
        """Note the key of an evaluation clip's fingerprint."""
        self._database.execute("UPDATE clips SET key = ? WHERE side = 'against' AND number = ?", (key, number))

    def add_listed(self, number: int, part: str, clip_id: ClipId) -> None:
        """Note an evaluation clip that is known by an id alone."""
        row = ("against", number, part, clip_id.key, "", "", None)
        self._database.execute("INSERT INTO clips VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        self.add_id(number, clip_id)

    def add_id(self, clip: int, found: ClipId) -> None:
        """Note an id of an evaluation clip."""
        row = (found.space, found.key, clip, found.found, found.start_s, found.end_s, found.sure)
        self._database.execute("INSERT OR IGNORE INTO ids VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def with_id(self, wanted: ClipId) -> Iterator[tuple[int, ClipId]]:
        """Evaluation clips that have the same id, whatever part of the recording they are."""
        query = "SELECT clip, found, start_s, end_s, sure FROM ids WHERE space = ? AND key = ?"
        for clip, found, start_s, end_s, sure in self._all(query, wanted.space, wanted.key):
            yield clip, ClipId(wanted.space, wanted.key, found, start_s, end_s, bool(sure))

    def add_content(self, clip: int, content: str) -> None:
        """Note the hash of an evaluation clip's samples."""
        self._database.execute("INSERT INTO contents VALUES (?, ?)", (content, clip))

    def with_content(self, content: str) -> list[int]:
        """Evaluation clips with the very same samples."""
        return [clip for (clip,) in self._all("SELECT clip FROM contents WHERE content = ?", content)]

    def add_sound(self, side: Side, numbered: Numbered) -> None:
        """Note the file and time range of a clip."""
        number, _, clip = numbered
        end_s = None if clip.duration_s is None else clip.start_s + clip.duration_s
        row = (side, _place(clip.audio), number, clip.start_s, end_s)
        self._database.execute("INSERT INTO sounds VALUES (?, ?, ?, ?, ?)", row)

    def with_sound(self, side: Side, path: str, start_s: float, end_s: float) -> list[int]:
        """Clips that at least half of this part of a file belongs to."""
        found = []
        query = "SELECT clip, start_s, end_s FROM sounds WHERE side = ? AND path = ?"
        for clip, first_s, last_s in self._all(query, side, _place(path)):
            shared_s = min(end_s, end_s if last_s is None else last_s) - max(start_s, first_s)
            if shared_s >= 0.5 * (end_s - start_s):
                found.append(clip)
        return found

    def key_of(self, number: int) -> str:
        """The key of an evaluation clip's fingerprint."""
        return str(next(self._all("SELECT key FROM clips WHERE side = 'against' AND number = ?", number))[0])

    def add_pair(
        self, train: int, against: int, reason: Reason, evidence: Mapping[str, Any], *, sure: bool = True
    ) -> None:
        """Note a pair, by the clips' numbers; what is sure replaces a guess."""
        query = (
            "INSERT INTO pairs VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET sure = excluded.sure, "
            "evidence = excluded.evidence WHERE excluded.sure > sure"
        )
        self._database.execute(query, (train, against, reason, sure, json.dumps(dict(evidence))))

    def add_unheard(self, side: Side, numbered: Numbered, error: str) -> None:
        """Note a clip whose sound could not be read."""
        _, part, clip = numbered
        self._database.execute(
            "INSERT INTO unheard VALUES (?, ?, ?, ?, ?)", (side, part, clip.id, str(clip.audio), error)
        )

    def pairs(self) -> Iterator[Pair]:
        """All pairs, in the order of the training clips."""
        for train, its_id, its_audio, against, other_id, other_audio, reason, sure, evidence in self._all(_PAIRS):
            clips = (train, its_id, its_audio, against, other_id, other_audio)
            yield Pair(*clips, reason, bool(sure), json.loads(evidence))

    def numbers(self) -> Iterator[tuple[int, int]]:
        """The numbers of all clips in sure pairs."""
        yield from self._all("SELECT DISTINCT train, against FROM pairs WHERE sure ORDER BY train, against")

    def dropped(self, first: int = 0) -> Iterator[int]:
        """The numbers of the training clips in sure pairs, rising, from `first` on."""
        for (number,) in self._all("SELECT DISTINCT train FROM pairs WHERE sure AND train >= ? ORDER BY train", first):
            yield number

    def clip_id(self, side: Side, number: int) -> str:
        """The id of a clip in a pair."""
        query = "SELECT id FROM clips WHERE side = ? AND number = ?"
        return str(next(self._all(query, side, number))[0])

    def tallies(self) -> list[Tally]:
        """Counts for each two sets, or sources in them."""
        return [Tally(*row) for row in self._all(_TALLY)]

    def unheard(self) -> Iterator[dict[str, str]]:
        """Clips whose sound could not be read, and why."""
        for side, part, clip_id, audio, error in self._all("SELECT * FROM unheard"):
            yield {"side": side, "set": part, "id": clip_id, "audio": audio, "error": error}

    def overlapping(self) -> dict[tuple[str, str], int]:
        """How many clips of each set are in sure pairs, by side and name."""
        return {(side, part): count for side, part, count in self._all(_OVERLAPPING)}

    def unheard_counts(self) -> dict[tuple[str, str], int]:
        """How many clips of each set could not be read, by side and name."""
        query = "SELECT side, part, COUNT(*) FROM unheard GROUP BY 1, 2"
        return {(side, part): count for side, part, count in self._all(query)}

    def _all(self, query: str, *values: Any) -> Iterator[Any]:
        with closing(self._database.execute(query, values)) as rows:
            yield from rows


def _place(path: str | Path) -> str:
    """One writing for every path of a file, without a look at the disk: this runs millions of times."""
    return os.path.abspath(path)  # noqa: PTH100 - links are left as they are, and `..` is resolved
