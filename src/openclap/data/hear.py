"""Cross-validation folds that HEAR drew for corpora that have none of their own.

HEAR (Turian et al., "HEAR: Holistic Evaluation of Audio Representations", arXiv 2203.03022) split such corpora once, by
a shuffle that depends on the order in which its authors' file system listed the sounds: its folds cannot be drawn
again, only read from the task archives that it published (`hear2021-TASK-…-48000.tar.gz`, zenodo.org/record/5885750).
Each holds `fold00.json`, `fold01.json`, …: an object from the clip's file name there to its labels. The files there are
renamed; `hear_name` tells how.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any, ClassVar, Literal

from openclap.data.corpus import CorpusConfig, PublishedCorpus
from openclap.data.tables import load_json
from openclap.errors import DataError

FOLDER = "hear"

HEAR_INSTRUCTIONS = (
    "For --set folds=hear, put fold00.json, fold01.json, … of the task's archive (hear2021-TASK-…-48000.tar.gz of "
    "https://zenodo.org/record/5885750) into raw/hear/."
)


class HearConfig(CorpusConfig):
    """Settings of a corpus without folds of its own.

    Attributes:
        folds: "hear" gives each clip HEAR's fold, from raw/hear/fold00.json, …; "none" gives none.
    """

    folds: Literal["none", "hear"] = "none"


class HearCorpus(PublishedCorpus):
    """Base of corpora without folds of their own; `found_by` is a path below raw, or a pattern, that they all have."""

    config: ClassVar[type[CorpusConfig]] = HearConfig
    found_by: ClassVar[str]

    def needs(self, config: HearConfig) -> Sequence[str]:
        """The published files, and HEAR's folds if they are wanted."""
        return (self.found_by, f"{FOLDER}/fold00.json") if config.folds == "hear" else (self.found_by,)


class HearFolds:
    """Which fold HEAR put a clip into, counted from 1; None for all if the config wants none.

    Args:
        raw: the corpus's raw folder.
        config: says whether folds are wanted.

    Raises:
        DataError: if the folds' files are not what HEAR published.
    """

    def __init__(self, raw: Path, config: HearConfig) -> None:
        self._folder = raw / FOLDER
        self._folds: dict[str, int] | None = _read(self._folder) if config.folds == "hear" else None

    def of(self, path: str) -> int | None:
        """The fold of the clip at `path`.

        Raises:
            DataError: if HEAR's folds do not name it.
        """
        if self._folds is None:
            return None
        name = hear_name(path)
        if name not in self._folds:
            raise DataError(f"no fold in {self._folder} names {name} (for {path}): are they the folds of this corpus?")
        return self._folds[name]


def hear_name(path: str) -> str:
    """The name that HEAR gave a file: "7__me__cha-b-1.wav" became "7-me-cha-negative-b-negative-1.wav".

    A hyphen may be the minus sign of a number, so it is spelled.
    """
    stem = PurePath(path).stem.replace("-", "_negative_").casefold()
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-") + ".wav"


def _read(folder: Path) -> dict[str, int]:
    folds: dict[str, int] = {}
    for number, path in enumerate(sorted(folder.glob("fold[0-9][0-9].json")), start=1):
        clips: Any = load_json(path)
        if not isinstance(clips, dict) or path.name != f"fold{number - 1:02d}.json":
            raise DataError(f"{path} is not what HEAR published: fold00.json, fold01.json, … each hold an object")
        folds |= dict.fromkeys(clips, number)
    return folds
