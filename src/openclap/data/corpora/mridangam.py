"""Mridangam strokes: 6,977 single strokes of the South Indian drum, ten kinds, on drums of six tonics.

Layout as published (zenodo.org/record/4068196):
`mridangam_stroke_1.5/TONIC/FREESOUND_ID__akshaylaya__STROKE-TONIC-NUMBER.wav`, the tonic of the name spelled "csh" and
"dsh" where the folder is C# and D#. Two tasks come of it: the stroke (`labels`) and the tonic (the column `tonic`).
There is no split; HEAR drew five folds (`openclap.data.hear`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from openclap.data.corpus import CorpusInfo, RemoteFile, corpora
from openclap.data.hear import HEAR_INSTRUCTIONS, HearConfig, HearCorpus, HearFolds
from openclap.data.published import NamePattern, sound_files

STROKES = ("bheem", "cha", "dheem", "dhin", "num", "ta", "tha", "tham", "thi", "thom")
TONICS = {"b": "B", "c": "C", "csh": "C#", "d": "D", "dsh": "D#", "e": "E"}

_NAMES = NamePattern(
    rf"(?P<freesound_id>\d+)__(?P<user>.+)__(?P<stroke>{'|'.join(STROKES)})-(?P<tonic>{'|'.join(TONICS)})-(?P<take>\d+)",
    "FREESOUND_ID__USER__STROKE-TONIC-NUMBER",
)


class Mridangam(HearCorpus):
    """The registered corpus "mridangam"."""

    info = CorpusInfo(
        name="mridangam",
        title="6,977 strokes of the mridangam: ten strokes, six tonics",
        licence="CC BY 3.0",
        url="https://zenodo.org/records/4068196",
        kind="labels",
        labels="single",
        access="download",
        instructions=HEAR_INSTRUCTIONS,
        files=(
            RemoteFile(
                "mridangam_stroke_1.5.zip",
                "https://zenodo.org/records/4068196/files/mridangam_stroke_1.5.zip",
                md5="39af55b2476b94c7946bec24331ec01a",
                unpack="zip",
            ),
        ),
        clips=6977,
        hours=0.68,
        id_space="freesound",
        overlaps={
            "wavcaps": "its FreeSound part may hold the same recordings",
            "laion-630k": "its Freesound part may hold the same recordings",
        },
        classes={"labels": STROKES, "tonic": tuple(TONICS.values())},
        citation="A. Anantapadmanabhan, A. Bellur, H. A. Murthy, Modal analysis and transcription of strokes of the "
        "mridangam using non-negative matrix factorization, ICASSP 2013",
    )
    found_by = "**/*__*__*-*-*.wav"

    def rows(self, raw: Path, config: HearConfig) -> Iterator[dict[str, Any]]:
        """The strokes, by tonic and Freesound id."""
        folds = HearFolds(raw, config)
        for path in sound_files(raw, self.found_by):
            name = _NAMES.read(path)
            yield {
                "id": PurePosixPath(path).stem,
                "audio": path,
                "labels": [name["stroke"]],
                "fold": folds.of(path),
                "freesound_id": name["freesound_id"],
                "tonic": TONICS[name["tonic"]],
                "tonic_code": name["tonic"],
            }


corpora.add("mridangam", Mridangam())
