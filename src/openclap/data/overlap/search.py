"""What is compared with what, and how: the clips of both sides, each with a number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from openclap.config import Config
from openclap.data.columns import ColumnConfig
from openclap.data.example import Example
from openclap.data.overlap.ids import NAME_FORMS
from openclap.data.overlap.ledger import Ledger, Numbered, Reason, Side
from openclap.data.stream import ManifestStream
from openclap.data.where import none_left
from openclap.errors import ConfigError, UnknownNameError

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many clips are done, and of how many at most."""


class OverlapConfig(Config):
    """How overlap is looked for.

    Attributes:
        by: the ways: "ids", "content", "vectors".
        threshold: score of an `Agreement` from which two sounds are one recording.
        cosine: from which two vectors are of one sound; needed for "vectors", since each model has its own.
        names: corpora whose form the file names have (`NAME_FORMS`), so that ids in them count.
        whole_videos: two clips of one YouTube video are the same, whatever segments they are.
        threads: clips heard at once.
    """

    by: tuple[Reason, ...] = ("ids", "content")
    threshold: float = Field(default=0.66, gt=0.5, le=1.0)
    cosine: float | None = Field(default=None, gt=0.0, le=1.0)
    names: tuple[str, ...] = ()
    whole_videos: bool = False
    threads: int = Field(default=1, ge=1)

    @field_validator("names")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in NAME_FORMS:
                raise UnknownNameError("form of file names", name, NAME_FORMS)
        return names

    @model_validator(mode="after")
    def _has_cosine(self) -> OverlapConfig:
        if "vectors" in self.by and self.cosine is None:
            raise ValueError("by vectors needs a --cosine, from which two sounds are one: each model has its own")
        return self


@dataclass(frozen=True)
class ClipSet:
    """The clips of a manifest that fit some filters, under a name for reports.

    Attributes:
        name: unique among those of its side.
        stream: the manifest.
        where: the filters.
    """

    name: str
    stream: ManifestStream
    where: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def open(
        cls, path: str | Path, *, columns: ColumnConfig | None = None, where: Mapping[str, Any] | None = None
    ) -> ClipSet:
        """The set at a path, named after the file, or after the folder if that is just called manifest or metadata.

        Raises:
            ManifestError: if it cannot be read.
            ConfigError: for an unknown key in `where`.
        """
        stream, where = ManifestStream(path, columns=columns), where or {}
        stream.condition(where)
        place = stream.path.absolute()
        name = place.parent.name if place.stem in ("manifest", "metadata") else place.stem
        for value in where.values():
            name += "".join(f" {one}" for one in (value if isinstance(value, list | tuple) else (value,)))
        return cls(name, stream, where)

    def __iter__(self) -> Iterator[Example]:
        return filter(self.stream.condition(self.where), self.stream)


def check_sets(train: Sequence[ClipSet], against: Sequence[ClipSet]) -> None:
    """Make sure that sets can be told apart.

    Raises:
        ConfigError: if two of a side have one name, or the same clips are on both sides.
    """
    for side, sets in (("train", train), ("against", against)):
        names = Counter(one.name for one in sets)
        for name, count in names.items():
            if count > 1:
                paths = " and ".join(str(one.stream.path) for one in sets if one.name == name)
                raise ConfigError(f"{paths} are both called {name!r} ({side}): rename a file or a folder")
    for one in train:
        for other in against:
            if one.stream.path.samefile(other.stream.path) and one.where == other.where:
                raise ConfigError(
                    f"{one.stream.path} is both training and evaluation data: tell its clips apart, as with "
                    "--where split=train --against-where split=test"
                )


@dataclass
class Search:
    """Both sides of a search, and where its results go.

    Attributes:
        train: what is looked through.
        against: the evaluation sets; empty to compare `train` with itself, each clip with those before it.
        ledger: takes what is found.
        config: how to look.
        progress: hears how it goes.
        clips: how many clips each set has, by side and name, once they have passed.
    """

    train: Sequence[ClipSet]
    against: Sequence[ClipSet]
    ledger: Ledger
    config: OverlapConfig
    within: bool
    progress: Progress = lambda *_: None
    clips: Counter[tuple[Side, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        check_sets(self.train, self.against)

    def numbered(self, side: Side, doing: str) -> Iterator[Numbered]:
        """The clips of one side with their numbers and their sets' names; the same on every call.

        Raises:
            ManifestError: if a set's filters leave nothing of it, which is sooner a wrong filter than meant.
        """
        sets = self.train if side == "train" or self.within else self.against
        total = sum(len(one.stream) for one in sets)
        number = 0
        for one in sets:
            first = number
            for clip in one:
                yield Numbered(number, one.name, clip)
                number += 1
                self.progress(doing, number, total)
            if number == first:
                raise none_left(one.stream.path, one.where, one.stream)
            self.clips[side, one.name] = number - first
        self.progress(doing, number, number)

    def pair(
        self, train: Numbered, against: int, reason: Reason, evidence: Mapping[str, Any], *, sure: bool = True
    ) -> None:
        """Note a pair of a training clip and an evaluation clip's number; within one side, only with earlier clips."""
        if self.within and against >= train.number:
            return
        self.ledger.add_clip("train", train)
        self.ledger.add_pair(train.number, against, reason, evidence, sure=sure)
