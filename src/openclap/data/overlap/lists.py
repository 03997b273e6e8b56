"""Evaluation sets that are known by nothing but a list of ids."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from openclap.data.overlap.ids import SPACES, ClipId, as_key, columns_of, segment_of
from openclap.errors import ConfigError, ManifestError, did_you_mean

_FORM = re.compile(rf"(?:(?P<space>{'|'.join(SPACES)})=)?(?P<path>[^#]+)(?:#(?P<column>.+))?")


@dataclass(frozen=True)
class IdList:
    """A file of ids.

    `.csv` and `.tsv` have a header, or are AudioSet's, whose header is the last of the lines that begin with "#"; of
    YouTube clips the columns for start and end are read too. Any other file holds an id a line.

    Attributes:
        path: the file.
        space: whose ids they are; None where the column's name says it.
        column: the column that holds them; None for the first whose name says so.
    """

    path: Path
    space: str | None = None
    column: str | None = None

    @classmethod
    def parse(cls, text: str) -> IdList:
        """A list as a command line writes it: FILE, SPACE=FILE, FILE#COLUMN or SPACE=FILE#COLUMN."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise ConfigError(f"--ids {text!r} is not [SPACE=]FILE[#COLUMN], as in freesound=clotho.csv#sound_id")
        return cls(Path(match["path"]), match["space"], match["column"])

    @staticmethod
    def named(texts: Iterable[str]) -> dict[str, IdList]:
        """Several such lists, each under the name of its file.

        Raises:
            ConfigError: if two files have one name.
        """
        found: dict[str, IdList] = {}
        for text in texts:
            listed = IdList.parse(text)
            name = listed.path.stem
            if name in found:
                raise ConfigError(f"{found[name].path} and {listed.path} are both called {name!r}: rename one of them")
            found[name] = listed
        return found

    def __iter__(self) -> Iterator[ClipId]:
        """The ids, one after the other.

        Raises:
            ManifestError: if the file cannot be read, does not say whose ids they are, or holds none, or others.
        """
        is_empty = True
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                is_table = self.path.suffix.lower() in (".csv", ".tsv")
                for clip_id in self._table(file) if is_table else self._lines(file):
                    is_empty = False
                    yield clip_id
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ManifestError(self.path, f"cannot be read as a list of ids ({error})") from error
        if is_empty:
            what = f"no id in its column {self.column!r}" if self.column else "no id"
            raise ManifestError(self.path, f"holds {what}: nothing would be looked for")

    def _lines(self, file: Iterator[str]) -> Iterator[ClipId]:
        if self.space is None:
            spaces = " or ".join(f"{space}={self.path}" for space in SPACES)
            raise ManifestError(self.path, f"does not say whose ids it holds: give {spaces}")
        for number, line in enumerate(file, start=1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            if (key := as_key(self.space, text)) is None:
                raise ManifestError(self.path, f"{text!r} is no {self.space} id", number)
            yield ClipId(self.space, key, f"line {number}")

    def _table(self, file: Iterator[str]) -> Iterator[ClipId]:
        delimiter = "\t" if self.path.suffix.lower() == ".tsv" else ","
        reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
        header: list[str] = []
        for cells in reader:
            if cells and (not header or cells[0].startswith("#")):  # AudioSet's: "# YTID, start_seconds, …" comes third
                header = [cell.strip("# ").casefold() for cell in cells]
                continue
            row = dict(zip(header, cells, strict=False))
            space, column = self._meant(header)
            value = row.get(column, "").strip()
            if (key := as_key(space, value)) is None:
                if value:  # Clotho says "Not found" where it lost an id
                    continue
                raise ManifestError(self.path, f"has no id in its column {column!r}", reader.line_num)
            start_s, end_s = segment_of(row) if space == "youtube" else (None, None)
            yield ClipId(space, key, f"line {reader.line_num}", start_s, end_s)

    def _meant(self, header: list[str]) -> tuple[str, str]:
        """Whose ids, in which column."""
        spaces = SPACES if self.space is None else (self.space,)
        for space in spaces:
            for column in header:
                if column in columns_of(space) and self.column in (None, column):
                    return space, column
        if self.column is None or self.column.casefold() not in header:
            hint = did_you_mean(self.column or "freesound_id", header)
            wanted = repr(self.column) if self.column else "that is named after its ids"
            raise ManifestError(self.path, f"has no column {wanted}{hint}: name it, as in freesound={self.path}#COLUMN")
        if self.space is None:
            spaces_text = " or ".join(f"{space}={self.path}#{self.column}" for space in SPACES)
            raise ManifestError(
                self.path, f"column {self.column!r} does not say whose ids it holds: give {spaces_text}"
            )
        return self.space, self.column.casefold()
