"""What a search for overlap found: plain values, tables, and the files of a report's folder.

A report's folder
    pairs.jsonl      every pair with its evidence, in the order of the training clips
    groups.jsonl     within one side: every group of clips of one sound
    unheard.jsonl    every clip whose sound could not be read; it was kept
    summary.json     everything that is counted
    overlap.md       the same to read, with the first pairs
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from openclap.atomic import file_written_whole
from openclap.data.overlap.ledger import Ledger, Pair, Tally
from openclap.data.report import Section

_SHOWN = 50


@dataclass(frozen=True)
class SetCount:
    """One manifest or list in a search.

    Attributes:
        name: of the set.
        path: of its file.
        clips: how many were looked at.
        overlapping: of a training set, how many are in a sure pair; of an evaluation set, how many stand in training.
        unheard: how many could not be read.
    """

    name: str
    path: str
    clips: int
    overlapping: int
    unheard: int


@dataclass(frozen=True)
class OverlapReport:
    """All that is counted.

    Attributes:
        train: the training sets.
        against: the evaluation sets and lists; none if clips were compared within `train`.
        tallies: for each two sets, or sources in them, that share sounds.
        groups: ids of clips of one sound, within `train`; the largest first.
        plain: clips of each side that are too short or too plain for a fingerprint.
        without_vectors: training clips that no vector is of.
        settings: of the search.
    """

    train: tuple[SetCount, ...]
    against: tuple[SetCount, ...]
    tallies: tuple[Tally, ...]
    settings: dict[str, Any]
    groups: tuple[tuple[str, ...], ...] = ()
    plain: dict[str, int] = field(default_factory=dict)
    without_vectors: int = 0

    @property
    def overlapping(self) -> int:
        """Training clips in sure pairs."""
        return sum(one.overlapping for one in self.train)

    @property
    def guessed(self) -> int:
        """Training clips tied by ids that were guessed."""
        return sum(tally.guessed for tally in self.tallies)

    @property
    def unheard(self) -> int:
        """Clips of either side that could not be read."""
        return sum(one.unheard for one in (*self.train, *self.against))

    def plain_values(self) -> dict[str, Any]:
        """Everything as JSON-ready plain values."""
        return asdict(self) | {"tallies": [tally._asdict() for tally in self.tallies]}

    def sections(self) -> list[Section]:
        """Everything as tables of text; empty ones are left out."""
        ways = [way for way in ("ids", "content", "vectors") if way in self.settings["by"]]
        guess = ("guessed only",) if self.guessed else ()
        rows = tuple(
            (
                _named(tally.against, tally.against_source),
                _named(tally.train, tally.train_source),
                *(f"{getattr(tally, way):,}" for way in ways),
                f"{tally.clips:,}",
                f"{tally.found:,}",
                *((f"{tally.guessed:,}",) if guess else ()),
            )
            for tally in self.tallies
        )
        train = tuple(map(_counted, self.train))
        if not self.against:
            sizes = tuple((f"{len(group)}", ", ".join(group)) for group in self.groups[:_SHOWN])
            sections = [
                Section("Clips of one sound", ("clips", "ids"), sizes),
                Section("Looked at", ("set", "clips", "like an earlier one", "not read"), train),
            ]
        else:
            columns = ("evaluation", "training", *(f"by {way}" for way in ways), "together", "evaluation clips", *guess)
            against = tuple(map(_counted, self.against))
            sections = [
                Section("Training clips that stand in evaluation sets", columns, rows),
                Section("Training", ("set", "clips", "in an evaluation set", "not read"), train),
                Section("Evaluation", ("set", "clips", "found in training", "not read"), against),
            ]
        return [section for section in sections if section.rows]

    def notes(self) -> list[str]:
        """What has to be said beside the tables, a sentence each."""
        notes = []
        if self.guessed:
            notes.append(
                f"{self.guessed:,} training clips are kept although their file names look like evaluation clips' ids; "
                "if they are such ids, say so with --names"
            )
        if plain := sum(self.plain.values()):
            notes.append(
                f"{plain:,} clips are too short or too plain for a fingerprint: only exact copies of them are found"
            )
        if self.unheard:
            notes.append(f"{self.unheard:,} clips could not be read: none of them was dropped, or found, by its sound")
        if self.without_vectors:
            notes.append(f"{self.without_vectors:,} training clips have no vector")
        return notes


def groups_of(ledger: Ledger) -> list[tuple[str, ...]]:
    """The ids of clips that sure pairs join, the largest groups first."""
    leader: dict[int, int] = {}

    def find(number: int) -> int:
        while (other := leader.setdefault(number, number)) != number:
            leader[number] = leader[other]
            number = other
        return number

    for train, against in ledger.numbers():
        leader[find(train)] = find(against)
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for number in sorted(leader):
        groups[find(number)].append(number)
    ordered = sorted(groups.values(), key=lambda group: (-len(group), group))
    return [tuple(ledger.clip_id("against", number) for number in group) for group in ordered]


def write_report(report: OverlapReport, ledger: Ledger, folder: Path) -> None:
    """Put a report's files into a folder; each appears whole."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_lines(folder / "pairs.jsonl", map(asdict, ledger.pairs()))
    _write_lines(folder / "unheard.jsonl", ledger.unheard())
    if not report.against:
        _write_lines(folder / "groups.jsonl", ({"clips": group} for group in report.groups))
    with file_written_whole(folder / "summary.json") as fresh:
        text = json.dumps(report.plain_values(), indent=2, ensure_ascii=False) + "\n"
        fresh.write_text(text, encoding="utf-8", errors="backslashreplace")
    with file_written_whole(folder / "overlap.md") as fresh:
        fresh.write_text("\n".join(_page(report, ledger)) + "\n", encoding="utf-8", errors="backslashreplace")


def _page(report: OverlapReport, ledger: Ledger) -> Iterator[str]:
    settings = ", ".join(f"{name} {value}" for name, value in report.settings.items() if name != "threads")
    yield "# Overlap"
    yield f"\nSearched with {settings}."
    for section in report.sections():
        yield f"\n## {section.title}\n"
        yield from _table(section.columns, section.rows)
    yield from (f"\n{note}." for note in report.notes())
    pairs = list(islice(ledger.pairs(), _SHOWN + 1))
    if pairs:
        yield f"\n## The first {_SHOWN} pairs (pairs.jsonl has all)\n" if len(pairs) > _SHOWN else "\n## Pairs\n"
        columns = ("training clip", "is", "evidence")
        yield from _table(columns, (_pair(pair) for pair in pairs[:_SHOWN]))


def _pair(pair: Pair) -> tuple[str, str, str]:
    said = ", ".join(f"{name} {value}" for name, value in pair.evidence.items() if value is not None)
    sure = "" if pair.sure else "guessed and kept: "
    return f"{pair.train}: {pair.train_id}", f"{pair.against}: {pair.against_id}", f"{sure}{pair.reason}: {said}"


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    columns = list(columns)
    for cells in (columns, ["---"] * len(columns), *rows):
        yield f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with file_written_whole(path) as fresh, fresh.open("w", encoding="utf-8", errors="backslashreplace") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _named(part: str, source: str) -> str:
    return part if source in ("", part) else f"{part}: {source}"


def _counted(one: SetCount) -> tuple[str, ...]:
    return one.name, f"{one.clips:,}", f"{one.overlapping:,}", f"{one.unheard:,}"
