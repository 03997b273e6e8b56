"""GTZAN genres: 1,000 excerpts of 30 s from ten genres of music.

Layout as published: `genres/GENRE/GENRE.NUMBER.wav` (`.au` in older copies; `genres_original/` in the one on Kaggle).
It has many faults: the same excerpt or song twice, distortion, wrong genres (Sturm, arXiv 1306.1461), and in most
copies `jazz.00054.wav` cannot be read. The split that the field uses since leaves those out and keeps an artist in one
part (Kereliuk, Sturm, Larsen, arXiv 1507.04761): `train_filtered.txt`, `valid_filtered.txt` and `test_filtered.txt`,
lines `blues/blues.00029.wav`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.published import NamePattern, sound_files
from openclap.errors import DataError

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
LISTS = {"train": "train_filtered.txt", "validation": "valid_filtered.txt", "test": "test_filtered.txt"}

_LISTS_URL = "https://raw.githubusercontent.com/jongpillee/music_dataset_split/master/GTZAN_split"
_WORDS = {"hiphop": "hip hop"}
_NAMES = NamePattern(rf"(?P<genre>{'|'.join(GENRES)})\.(?P<number>\d{{5}})", "GENRE.NUMBER")
_SOUNDS = ("**/*.[0-9][0-9][0-9][0-9][0-9].wav", "**/*.[0-9][0-9][0-9][0-9][0-9].au")


class GtzanGenresConfig(CorpusConfig):
    """Settings of the corpus.

    Attributes:
        split: "filtered" takes the lists of Kereliuk et al.; what they leave out for a fault has no split. "none" gives
            no splits, as MS-CLAP's zero-shot evaluation of all excerpts has it.
        skip: excerpts to leave out, by id; by default the one that cannot be read in most copies.
    """

    split: Literal["filtered", "none"] = "filtered"
    skip: tuple[str, ...] = ("jazz.00054",)


class GtzanGenres(PublishedCorpus):
    """The registered corpus "gtzan-genres"."""

    info = CorpusInfo(
        name="gtzan-genres",
        title="1,000 excerpts of 30 s from ten genres of music",
        licence="none stated; commercial recordings, used for research",
        url="https://huggingface.co/datasets/marsyas/gtzan",
        kind="labels",
        labels="single",
        access="download",
        files=(
            RemoteFile(
                "genres.tar.gz",
                "https://huggingface.co/datasets/marsyas/gtzan/resolve/main/data/genres.tar.gz",
                md5="5b3d6dddb579ab49814ab86dba69e7c7",
                unpack="tar",
            ),
            *(RemoteFile(name, f"{_LISTS_URL}/{name}") for name in LISTS.values()),
        ),
        clips=1000,
        hours=8.3,
        classes={"labels": tuple(_WORDS.get(genre, genre) for genre in GENRES)},
        citation="G. Tzanetakis, P. Cook, Musical genre classification of audio signals, IEEE TSAP 2002",
    )
    config = GtzanGenresConfig

    def needs(self, config: GtzanGenresConfig) -> Sequence[str]:
        """The lists of the split, if it is wanted."""
        return tuple(f"**/{name}" for name in LISTS.values()) if config.split == "filtered" else ()

    def rows(self, raw: Path, config: GtzanGenresConfig) -> Iterator[dict[str, Any]]:
        """The excerpts, by genre and number; each once, in whichever folder or format it lies first."""
        splits = _splits(raw) if config.split == "filtered" else {}
        seen = set(config.skip)
        for path in sound_files(raw, *_SOUNDS):
            own, genre = PurePosixPath(path).stem, _NAMES.read(path)["genre"]
            if own in seen:
                continue
            seen.add(own)
            yield {
                "id": own,
                "audio": path,
                "labels": [_WORDS.get(genre, genre)],
                "split": splits.get(own),
                "category": genre,
            }


def _splits(raw: Path) -> dict[str, str]:
    """The split of each excerpt that the lists name."""
    splits: dict[str, str] = {}
    for split, name in LISTS.items():
        path = min(raw.glob(f"**/{name}"))
        for line in filter(None, map(str.strip, path.read_text(encoding="utf-8").splitlines())):
            if splits.setdefault(PurePosixPath(line).stem, split) != split or "/" not in line:
                raise DataError(f"{path} has the line {line!r}, but each is GENRE/GENRE.NUMBER.wav, of one list only")
    return splits


corpora.add("gtzan-genres", GtzanGenres())
