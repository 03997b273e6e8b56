"""CREMA-D: 7,442 clips of 91 actors who say twelve sentences in six emotions.

Layout as published (github.com/CheyneyComputerScience/CREMA-D): `AudioWAV/ACTOR_SENTENCE_EMOTION_LEVEL.wav`, kept in
Git LFS, and `VideoDemographics.csv` with `ActorID,Age,Sex,Race,Ethnicity`. The label is the emotion that the actor was
asked for, as everybody uses it, not what listeners heard. There is no official split. The authors list faults:
1076_MTI_SAD_XX and 1076_MTI_NEU_XX are almost empty, 1064_TIE_SAD_XX has no length, and 1064_IEO_DIS_MD is a minute
with every emotion.

The split "tfds" is that of TensorFlow Datasets (crema_d 1.0.0, Apache-2.0): 70, 10 and 20 % of the actors after a
shuffle by NumPy's RandomState(0), whose numbers are frozen for good; drawn again here from its description.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, corpora
from openclap.data.published import NamePattern, number, sound_files
from openclap.data.tables import table_rows
from openclap.errors import DataError

EMOTIONS = {"NEU": "neutral", "HAP": "happy", "SAD": "sad", "ANG": "anger", "FEA": "fear", "DIS": "disgust"}
LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": None, "X": None}  # one file is named …_X
ACTORS = range(1001, 1092)
FAULTY = ("1076_MTI_SAD_XX", "1076_MTI_NEU_XX", "1064_TIE_SAD_XX", "1064_IEO_DIS_MD")

_SHARES = (("train", 0.7), ("validation", 0.1), ("test", 0.2))
_WAVS = "**/AudioWAV/*.wav"
_NAMES = NamePattern(
    rf"(?P<actor>\d{{4}})_(?P<sentence>[A-Z]{{3}})_(?P<emotion>{'|'.join(EMOTIONS)})_(?P<level>{'|'.join(LEVELS)})",
    "ACTOR_SENTENCE_EMOTION_LEVEL",
)


class CremaDConfig(CorpusConfig):
    """Settings of the corpus.

    Attributes:
        split: "tfds" gives the speaker-disjoint split of TensorFlow Datasets; "none" gives no splits.
        skip: clips to leave out, by id; by default those that the authors list as faulty.
    """

    split: Literal["tfds", "none"] = "tfds"
    skip: tuple[str, ...] = FAULTY


class CremaD(PublishedCorpus):
    """The registered corpus "crema-d"."""

    info = CorpusInfo(
        name="crema-d",
        title="7,442 spoken sentences in six acted emotions by 91 actors",
        licence="Open Database License 1.0",
        url="https://github.com/CheyneyComputerScience/CREMA-D",
        kind="labels",
        labels="single",
        access="by-hand",
        instructions="Clone https://github.com/CheyneyComputerScience/CREMA-D below raw/ with Git LFS installed, so "
        "that AudioWAV/ holds sound; without LFS it holds short text files.",
        clips=7442,
        hours=5.3,
        classes={"labels": tuple(EMOTIONS.values())},
        citation="H. Cao et al., CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset, IEEE TAC 2014",
    )
    config = CremaDConfig

    def needs(self, config: CremaDConfig) -> Sequence[str]:
        """The sounds."""
        return (_WAVS,)

    def rows(self, raw: Path, config: CremaDConfig) -> Iterator[dict[str, Any]]:
        """The clips, by name."""
        split = tfds_split() if config.split == "tfds" else {}
        actors = _actors(raw)
        for path in sound_files(raw, _WAVS):
            own, name = PurePosixPath(path).stem, _NAMES.read(path)
            if own in config.skip:
                continue
            _check_sound(raw / path)
            yield {
                "id": own,
                "audio": path,
                "labels": [EMOTIONS[name["emotion"]]],
                "split": split.get(int(name["actor"])),
                "category": name["emotion"],
                "level": LEVELS[name["level"]],
                "actor": name["actor"],
                "spoken": name["sentence"],
                **actors.get(name["actor"], {}),
            }


def tfds_split() -> dict[int, str]:
    """The split of each actor in TensorFlow Datasets' crema_d."""
    order = [str(actor) for actor in ACTORS]
    np.random.RandomState(0).shuffle(order)
    split: dict[int, str] = {}
    share = 0.0
    for name, part in _SHARES:
        first, share = int(share * len(order)), share + part  # the sum as it was rounded there: 0.7 + 0.1 < 0.8
        last = len(order) if name == "test" else int(share * len(order))
        split |= dict.fromkeys(map(int, order[first:last]), name)
    return split


def _actors(raw: Path) -> dict[str, dict[str, Any]]:
    """Age and sex of each actor; nothing if the table is not there."""
    table = next(iter(sorted(raw.glob("**/VideoDemographics.csv"))), None)
    if table is None:
        return {}
    rows = table_rows(table, ("ActorID", "Age", "Sex"))
    return {row["ActorID"]: {"age": int(number(row, "Age", table)), "sex": row["Sex"].casefold()} for row in rows}


def _check_sound(path: Path) -> None:
    """Raise for what Git LFS leaves in the place of a file that it has not fetched."""
    with path.open("rb") as file:
        if file.read(8) == b"version ":
            raise DataError(f"{path} is a pointer of Git LFS and no sound: run `git lfs pull` in the clone")


corpora.add("crema-d", CremaD())
