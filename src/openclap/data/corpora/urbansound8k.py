"""UrbanSound8K: 8,732 excerpts of at most 4 s in 10 classes of city sound, ten folds.

Layout as published (zenodo.org/record/1203745): `UrbanSound8K/metadata/UrbanSound8K.csv` with
`slice_file_name,fsID,start,end,salience,fold,classID,class`, and `UrbanSound8K/audio/foldN/…`. `start` and `end` are
seconds in the Freesound recording, not in the file. Rates, depths and channels are as uploaded. The folds are the
protocol: shuffling them puts parts of one recording on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.published import home_of, number, readable
from openclap.data.tables import table_rows

_TABLE = "metadata/UrbanSound8K.csv"
_COLUMNS = ("slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class")
_SALIENCE = {"1": "foreground", "2": "background"}

# fmt: off
CLASSES = (
    "air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling", "engine_idling", "gun_shot",
    "jackhammer", "siren", "street_music",
)
# fmt: on


class UrbanSound8K(PublishedCorpus):
    """The registered corpus "urbansound8k"."""

    info = CorpusInfo(
        name="urbansound8k",
        title="8,732 excerpts of city sounds in 10 classes, ten folds",
        licence="CC BY-NC 3.0; each recording has its own in the published FREESOUNDCREDITS.txt",
        url="https://urbansounddataset.weebly.com/urbansound8k.html",
        kind="labels",
        labels="single",
        access="download",
        files=(
            RemoteFile(
                "UrbanSound8K.tar.gz",
                "https://zenodo.org/records/1203745/files/UrbanSound8K.tar.gz",
                bytes=6023741708,
                md5="9aa69802bbf37fb986f71ec1483a196e",
                unpack="tar",
            ),
        ),
        clips=8732,
        hours=8.75,
        id_space="freesound",
        overlaps={
            "esc50": "both cut from Freesound recordings, some of them the same",
            "fsd50k": "both are of Freesound recordings, some of them the same",
            "clotho": "both are of Freesound recordings, some of them the same",
            "wavcaps": "its FreeSound part holds the same recordings; blacklist ub8k_esc50_vggsound leaves them out",
            "laion-630k": "Freesound (full) holds the same recordings; Freesound (no overlap) does not",
        },
        classes={"labels": tuple(readable(name) for name in CLASSES)},
        citation="J. Salamon, C. Jacoby, J. P. Bello, A Dataset and Taxonomy for Urban Sound Research, ACM MM 2014",
    )

    def needs(self, config: CorpusConfig) -> Sequence[str]:
        """The table."""
        return (f"**/{_TABLE}",)

    def rows(self, raw: Path, config: CorpusConfig) -> Iterator[dict[str, Any]]:
        """The clips, in the table's order."""
        home = home_of(raw, _TABLE)
        table = raw / home / _TABLE
        for row in table_rows(table, _COLUMNS):
            yield {
                "id": row["slice_file_name"].removesuffix(".wav"),
                "audio": f"{home}/audio/fold{row['fold']}/{row['slice_file_name']}",
                "labels": [readable(row["class"])],
                "fold": int(number(row, "fold", table)),
                "freesound_id": row["fsID"],
                "freesound_start_s": number(row, "start", table),
                "freesound_end_s": number(row, "end", table),
                "salience": _SALIENCE.get(row["salience"], row["salience"]),
                "target": int(number(row, "classID", table)),
                "category": row["class"],
            }


corpora.add("urbansound8k", UrbanSound8K())
