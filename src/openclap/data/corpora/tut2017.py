"""TUT Acoustic Scenes 2017: 6,300 binaural recordings of 10 s from 15 kinds of place, in and around Tampere.

Layout as published: `TUT-acoustic-scenes-2017-development/` (zenodo.org/record/400515) with `audio/`, `meta.txt`
(`audio/b020_90_100.wav`, label and place, tab-separated, no header) and `evaluation_setup/foldN_train.txt`,
`foldN_evaluate.txt`; and `TUT-acoustic-scenes-2017-evaluation/` (zenodo.org/record/1040168) with `audio/` and
`meta.txt`. A development clip belongs to the one fold of the four that evaluates on it. Recordings of one place share a
fold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.published import home_of, readable
from openclap.errors import DataError, ManifestError

SETS = {"development": "400515", "evaluation": "1040168"}
"""The two sets, which are the splits, and the Zenodo record of each."""
FOLDS = (1, 2, 3, 4)

# fmt: off
SCENES = (
    "bus", "cafe/restaurant", "car", "city_center", "forest_path", "grocery_store", "home", "beach", "library",
    "metro_station", "office", "residential_area", "train", "tram", "park",
)
# fmt: on

# Sizes and MD5s as dcase_util (MIT) states them: meta, then the parts of the sound.
_ARCHIVES: dict[str, tuple[tuple[str, int, str], ...]] = {
    "development": (
        ("meta", 104321, "9007fd4772d816590c5db5f5e9568f5d"),
        ("audio.1", 1071445248, "251325a9afaaad0326ad1c57f57d514a"),
        ("audio.2", 1073453613, "c26861e05147dc319b4250eb103d9d99"),
        ("audio.3", 1073077819, "a4815775f8a5e629179726ee4cd4f55a"),
        ("audio.4", 1072822038, "1732b03afe8c53ef8bba80ba14766e57"),
        ("audio.5", 1072644652, "611be754a0c951185c6ae4b7643c19a0"),
        ("audio.6", 1072667888, "165a201db800d3ea76fce5a9c2bd97d7"),
        ("audio.7", 1073417661, "c7d79db84264401c0f8680dcc36013ad"),
        ("audio.8", 1072381222, "35043f25123439392338c790494c7a19"),
        ("audio.9", 1072087738, "0805dcf5d8e6871dc9610182b2efb93a"),
        ("audio.10", 1046262120, "5df83a191295a04e290b125c634e13e7"),
    ),
    "evaluation": (
        ("meta", 4473, "e006cfec14a49dd79a6ab8f8d5b1c5e6"),
        ("audio.1", 1071856687, "5d97dea8461baec8027ae4a0c2b18d4b"),
        ("audio.2", 1073362972, "4085ef5fa286f2169074993a4e405953"),
        ("audio.3", 1071521152, "cac432579e7cf2dff0aec7aaed248956"),
        ("audio.4", 382756463, "664bf09c3d24bd26c6b587f1d709de36"),
    ),
}


def _folder(part: str) -> str:
    return f"TUT-acoustic-scenes-2017-{part}"


def _files(part: str) -> Iterator[RemoteFile]:
    for name, size, md5 in _ARCHIVES[part]:
        archive = f"{_folder(part)}.{name}.zip"
        url = f"https://zenodo.org/records/{SETS[part]}/files/{archive}"
        yield RemoteFile(archive, url, bytes=size, md5=md5, unpack="zip")


class Tut2017Config(CorpusConfig):
    """Settings of the corpus.

    Attributes:
        sets: which of the two sets: development (10.7 GB, with four folds), evaluation (3.6 GB).
    """

    sets: tuple[Literal["development", "evaluation"], ...] = ("development", "evaluation")


class Tut2017(PublishedCorpus):
    """The registered corpus "tut2017"."""

    info = CorpusInfo(
        name="tut2017",
        title="6,300 recordings of 10 s from 15 acoustic scenes, four folds and an evaluation set",
        licence="TUT's own: free for non-commercial scientific use",
        url="https://zenodo.org/records/400515",
        kind="labels",
        labels="single",
        access="download",
        files=tuple(file for part in SETS for file in _files(part)),
        splits={"development": 4680, "evaluation": 1620},
        hours=17.5,
        classes={"labels": tuple(readable(name) for name in SCENES)},
        citation="A. Mesaros, T. Heittola, T. Virtanen, TUT Database for Acoustic Scene Classification and Sound Event "
        "Detection, EUSIPCO 2016",
    )
    config = Tut2017Config

    def needs(self, config: Tut2017Config) -> Sequence[str]:
        """The table of each set."""
        return tuple(f"**/{_folder(part)}/meta.txt" for part in config.sets)

    def files(self, config: Tut2017Config) -> Iterable[RemoteFile]:
        """The archives of the wanted sets."""
        return (file for part in config.sets for file in _files(part))

    def rows(self, raw: Path, config: Tut2017Config) -> Iterator[dict[str, Any]]:
        """The recordings, set by set, in the tables' order."""
        for part in config.sets:
            home = f"{home_of(raw, f'{_folder(part)}/meta.txt')}/{_folder(part)}"
            folds = _folds(raw / home / "evaluation_setup") if part == "development" else {}
            for path, label, *place in _lines(raw / home / "meta.txt", cells=2):
                yield {
                    "id": f"{part}/{PurePosixPath(path).stem}",
                    "audio": f"{home}/{path}",
                    "labels": [readable(label)],
                    "split": part,
                    "fold": folds.get(path),
                    "category": label,
                    "place": place[0] if place else None,
                }


def _folds(folder: Path) -> dict[str, int]:
    """The fold that evaluates on each clip."""
    folds: dict[str, int] = {}
    for fold in FOLDS:
        for path, *_ in _lines(folder / f"fold{fold}_evaluate.txt", cells=1):
            if folds.setdefault(path, fold) != fold:
                raise DataError(f"{folder} evaluates on {path} in two folds: these are not the published lists")
    return folds


def _lines(path: Path, *, cells: int) -> Iterator[list[str]]:
    """The tab-separated cells of each line, at least so many; the published files end some lines with more."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(path, f"cannot be read ({error})") from error
    for number, line in enumerate(lines, start=1):
        found = [cell.strip() for cell in line.split("\t")]
        if line.strip() and len(found) < cells:
            raise ManifestError(path, f"has {len(found)} tab-separated cells, but {cells} are needed", number)
        if line.strip():
            yield found


corpora.add("tut2017", Tut2017())
