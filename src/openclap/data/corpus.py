"""What a corpus is: a published or generated data set that can put itself, sound and manifest, into a folder.

Layout
    corpora/NAME/raw/…            the files as they are published, fetched or put there by hand
    corpora/NAME/manifest.jsonl   what `prepare` makes of them; the sound stays where it is
    corpora/NAME/corpus.json      what it was made with, and what was missing

A published corpus is one file: its `CorpusInfo`, and a class of `PublishedCorpus` with one method that reads the
published tables, `rows(raw, config)`, a clip at a time.
"""

from __future__ import annotations

import shlex
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from openclap.config import Config
from openclap.data.fetch import Progress, RemoteFile, fetch_files
from openclap.data.prepared import Prepared, counted, write_prepared
from openclap.errors import DataError
from openclap.registry import Registry

__all__ = ["Corpus", "CorpusConfig", "CorpusInfo", "PublishedCorpus", "RemoteFile", "corpora"]

_NAMED = 6  # missing files that an error names


@dataclass(frozen=True)
class CorpusInfo:
    """What a user asks before getting a corpus.

    Attributes:
        name: as registered.
        title: one line that says what it is.
        licence: of the sounds and of the captions or labels.
        url: where it comes from, or None for one that is generated.
        kind: what is said of a clip: sentences ("captions"), words of a vocabulary ("labels"), or "both".
        labels: how many labels a clip has, where it has any.
        access: "download": `fetch` brings all of it; "by-hand": `instructions` say what to get and where to put it
            (`fetch` brings what `files` lists); "hub": of the Hugging Face hub; "generated": made by `prepare`.
        instructions: what to get where, and where to put it below raw/, as far as `fetch` cannot.
        files: what `fetch` brings.
        splits: its splits and how many clips each has, as published.
        clips: how many clips there are; by default the sum of the splits.
        hours: of sound, as published; None if that is not said.
        id_space: what clip ids mean elsewhere. Rows then hold `freesound_id` or `youtube_id`, where it is known.
        overlaps: corpora that share clips with this one, by name: how.
        classes: of each column that holds classes (`labels`, and others where a corpus has several tasks), its
            vocabulary in the published order, spelled as the rows spell it; empty where it is open or too long.
        citation: the paper to cite, if there is one.
    """

    name: str
    title: str
    licence: str
    url: str | None = None
    kind: Literal["captions", "labels", "both"] = "labels"
    labels: Literal["single", "multi"] | None = None
    access: Literal["download", "by-hand", "hub", "generated"] = "by-hand"
    instructions: str = ""
    files: tuple[RemoteFile, ...] = ()
    splits: Mapping[str, int] = field(default_factory=dict)
    clips: int | None = None
    hours: float | None = None
    id_space: Literal["freesound", "youtube"] | None = None
    overlaps: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    citation: str | None = None

    def __post_init__(self) -> None:
        if self.clips is None and self.splits:
            object.__setattr__(self, "clips", sum(self.splits.values()))

    @property
    def download_bytes(self) -> int | None:
        """What `fetch` brings: the sum of the files, or None where the size of one is not published."""
        sizes = [file.bytes for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)


class CorpusConfig(Config):
    """Settings that every published corpus has; a corpus with more of them has a class of its own.

    Attributes:
        missing: a clip that the tables list and whose sound is not there is left out and counted ("skip"), or is an
            error ("fail").
    """

    missing: Literal["skip", "fail"] = "skip"


class Corpus(Protocol):
    """A registered corpus."""

    @property
    def info(self) -> CorpusInfo:
        """What it is, whose it is, how big it is."""
        ...

    def fetch(self, raw: Path, *, progress: Progress | None = None, **options: Any) -> None:
        """Bring what can be downloaded into `raw`; what is there already is not fetched again."""
        ...

    def prepare(
        self, out: Path, *, raw: Path | None = None, progress: Progress | None = None, **options: Any
    ) -> Prepared:
        """What was prepared, after `manifest.jsonl` has been put into `out`; options are the corpus's own.

        Args:
            out: the corpus's folder.
            raw: where the published files lie; `out/raw` by default.
            progress: is told how many clips were written.
            **options: fields of the corpus's config.
        """
        ...


class PublishedCorpus(ABC):
    """Base of corpora that somebody else publishes: a class attribute `info`, and `rows`.

    A row is a dict of what `data/manifest.py` names as columns, and of anything else worth keeping:
        audio         the sound, a path below raw (or an absolute one); None when the corpus looked and found none
        id            as published and unique; without one, readers take the path of the sound
        captions      list of sentences that people wrote
        labels        list of words, spelled as a person would read them ("dog bark")
        split, fold   official ones only
        start_s, duration_s   only where the clip is a part of the file
        freesound_id; or youtube_id, youtube_start_s and youtube_end_s (seconds of the video)   as `info.id_space` says
    A clip is one row, with all its captions.
    """

    info: ClassVar[CorpusInfo]
    config: ClassVar[type[CorpusConfig]] = CorpusConfig
    version: ClassVar[int] = 1
    """Raise it when a change makes another manifest of the same files."""

    @abstractmethod
    def rows(self, raw: Path, config: Any) -> Iterator[dict[str, Any]]:
        """The clips as manifest rows, one at a time; a generator, so that two million rows are not held."""

    def needs(self, config: Any) -> Sequence[str]:  # noqa: ARG002 — for those whose options decide it
        """Paths below raw (or patterns with `*`) without which there is nothing to prepare."""
        return ()

    def files(self, config: Any) -> Iterable[RemoteFile]:  # noqa: ARG002
        """The files that `fetch` brings under these options."""
        return self.info.files

    def listed_files(self, raw: Path, config: Any) -> Iterable[RemoteFile]:  # noqa: ARG002
        """Further files that `fetch` brings: those that the ones before them list."""
        return ()

    def fetch(self, raw: Path, *, progress: Progress | None = None, **options: Any) -> None:
        """Bring what can be downloaded into `raw`, verified and unpacked; goes on where it was ended.

        Raises:
            DataError: if nothing can be downloaded (with the instructions), a server refuses, a checksum is wrong, or
                the disk is too small.
            ConfigError: for a wrong option.
        """
        config, told = self._config(options), progress or (lambda *_: None)
        files = tuple(self.files(config))
        if not files:
            raise DataError(f"corpus {self.info.name} cannot be downloaded. {self._how(raw)}")
        fetch_files(files, raw, progress=told)
        if listed := tuple(self.listed_files(raw, config)):
            fetch_files(listed, raw, progress=told)

    def prepare(
        self, out: Path, *, raw: Path | None = None, progress: Progress | None = None, **options: Any
    ) -> Prepared:
        """What was prepared, after `manifest.jsonl` has been put into `out`, whole or not at all.

        Args:
            out: the corpus's folder.
            raw: where the published files lie; `out/raw` by default.
            progress: is told how many of its clips were looked for, and how many there are if that is published.
            **options: fields of the corpus's config.

        Raises:
            DataError: if published files are not there, or are not what was published, or no clip has its sound.
            ConfigError: if an option is wrong, or `out` holds another manifest.
        """
        config, raw = self._config(options), raw or out / "raw"
        self._look(raw, config)
        stamp = {"corpus": self.info.name, "version": self.version, "options": config.plain()}
        rows = self.rows(raw, config)
        if progress is not None:
            rows = counted(rows, lambda count: progress("clips", count, self.info.clips))
        return write_prepared(rows, out, raw, stamp, accept=lambda made: self._accept(made, raw, config))

    def _accept(self, prepared: Prepared, raw: Path, config: CorpusConfig) -> None:
        """Raise if this must not become the manifest."""
        if prepared.missing and config.missing == "fail":
            raise DataError(
                f"corpus {self.info.name}: {prepared.missing:,} of its clips have no sound in {raw}, as "
                f"{', '.join(prepared.missing_examples)}; put them there, or go without them: --set missing=skip. "
                f"{self._how(raw)}"
            )
        if not prepared.clips:
            listed = f"{prepared.missing:,} clips are listed, and none has its" if prepared.missing else "there is no"
            raise DataError(f"corpus {self.info.name}: {listed} sound in {raw}. {self._how(raw)}")

    def _config(self, options: Mapping[str, Any]) -> CorpusConfig:
        return self.config.read(options, origin=f"corpus {self.info.name}")

    def _look(self, raw: Path, config: CorpusConfig) -> None:
        """Raise if there is nothing to prepare."""
        if not raw.exists():
            raise DataError(f"corpus {self.info.name}: {raw} does not exist. {self._how(raw)}")
        absent = [name for name in self.needs(config) if next(raw.glob(name), None) is None] if raw.is_dir() else []
        if absent:
            lacks = "is empty" if absent == ["*"] else f"lacks {', '.join(absent[:_NAMED])}"
            raise DataError(f"corpus {self.info.name}: {raw} {lacks}. {self._how(raw)}")

    def _how(self, raw: Path) -> str:
        """What a user can do to have its files in `raw`."""
        what = "its tables" if self.info.access == "by-hand" else "it"
        can = self.info.files or self.info.access == "hub"
        steps = [f"Get {what} with `openclap data get {self.info.name}{_place(self.info.name, raw)}`."] if can else []
        see = f"See {self.info.url}" if self.info.url else ""
        return " ".join(filter(None, [*steps, self.info.instructions, see]))


def _place(name: str, raw: Path) -> str:
    """The options with which `openclap data get` fills this folder."""
    if raw == Path("corpora") / name / "raw":
        return ""
    option, place = ("--out", raw.parent) if raw.name == "raw" else ("--raw", raw)
    return f" {option} {shlex.quote(str(place))}"


corpora: Registry[Corpus] = Registry("corpus", "openclap.data.corpora")
"""Every corpus by its name; one file in `openclap.data.corpora` registers each."""
