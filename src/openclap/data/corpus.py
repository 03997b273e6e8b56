"""What a corpus is: a named data set that can put itself, as audio files and a manifest, into a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from openclap.data.manifest import Manifest
from openclap.registry import Registry


@dataclass(frozen=True)
class CorpusInfo:
    """What a user asks before preparing a corpus.

    Attributes:
        name: as registered.
        title: one line that says what it is.
        licence: of the sounds and of the captions.
        url: where it comes from, or None for one that is generated.
        download_bytes: what `prepare` fetches (0: nothing).
        splits: its splits and how many clips each has, as far as that is fixed.
        citation: the paper to cite, if there is one.
    """

    name: str
    title: str
    licence: str
    url: str | None = None
    download_bytes: int = 0
    splits: Mapping[str, int] = field(default_factory=dict)
    citation: str | None = None


class Corpus(Protocol):
    """A registered corpus."""

    @property
    def info(self) -> CorpusInfo:
        """What it is, whose it is, how big it is."""
        ...

    def prepare(self, out: Path, **options: Any) -> Manifest:
        """The manifest of the corpus, after its audio files and `manifest.jsonl` have been put into `out`.

        A second call with the same options does no work over; options are the corpus's own.
        """
        ...


corpora: Registry[Corpus] = Registry("corpus", "openclap.data.corpora")
"""Every corpus by its name; one file in `openclap.data.corpora` registers each."""
