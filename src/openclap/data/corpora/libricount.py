"""LibriCount: 5,720 mixtures of 5 s in which 0 to 10 people speak at once.

Layout as published (zenodo.org/record/1216072): `test/COUNT_UNIQUE.wav`, and beside each a JSON of the same name that
says who speaks when. The count is the highest number of voices at one moment. Everything is in a folder named "test"
because the authors trained on other material; HEAR drew five folds (`openclap.data.hear`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from openclap.data.corpus import CorpusInfo, RemoteFile, corpora
from openclap.data.hear import HEAR_INSTRUCTIONS, HearConfig, HearCorpus, HearFolds
from openclap.data.published import NamePattern, sound_files

MOST = 10

_NAMES = NamePattern(r"(?P<count>\d+)_(?P<unique>.+)", "COUNT_UNIQUE")


def _words(count: int) -> str:
    return f"{count} speaker" if count == 1 else f"{count} speakers"


class LibriCount(HearCorpus):
    """The registered corpus "libricount"."""

    info = CorpusInfo(
        name="libricount",
        title="5,720 mixtures of 5 s with 0 to 10 people speaking at once",
        licence="CC BY 4.0",
        url="https://zenodo.org/records/1216072",
        kind="labels",
        labels="single",
        access="download",
        instructions=HEAR_INSTRUCTIONS,
        files=(
            RemoteFile(
                "LibriCount10-0dB.zip",
                "https://zenodo.org/records/1216072/files/LibriCount10-0dB.zip",
                md5="30c8f844dc59fa65d216d53db9dc37e2",
                unpack="zip",
            ),
        ),
        clips=5720,
        hours=7.94,
        classes={
            "labels": tuple(_words(count) for count in range(MOST + 1)),
            "speakers": tuple(str(count) for count in range(MOST + 1)),
        },
        citation="F.-R. Stöter et al., CountNet: Estimating the Number of Concurrent Speakers Using Supervised "
        "Learning, IEEE/ACM TASLP 2019",
    )
    found_by = "**/test/**/[0-9]*_*.wav"

    def rows(self, raw: Path, config: HearConfig) -> Iterator[dict[str, Any]]:
        """The mixtures, by name; the column `speakers` holds the bare number."""
        folds = HearFolds(raw, config)
        for path in sound_files(raw, self.found_by):
            count = int(_NAMES.read(path)["count"])
            yield {
                "id": PurePosixPath(path).stem,
                "audio": path,
                "labels": [_words(count)],
                "fold": folds.of(path),
                "speakers": count,
            }


corpora.add("libricount", LibriCount())
