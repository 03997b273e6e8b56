"""Vocal Imitation Set: 5,601 imitations of 302 sounds of the AudioSet ontology, made with the voice alone.

Layout as published (zenodo.org/record/1340763, v1.1.3): `VocalImitationSet/vocal_imitations/included/*.wav` (those that
listeners took for an imitation of their sound; the rest is in `excluded/`), and `vocal_imitations.txt`: tab-separated,
with a first column that has no name, and `category_d1` … `category_d6` for the way down the ontology. The label is the
last of them; `reference` is the recording that was imitated, which is HEAR's class (some categories share a last name).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openclap.data.corpus import CorpusInfo, RemoteFile, corpora
from openclap.data.hear import HEAR_INSTRUCTIONS, HearConfig, HearCorpus, HearFolds
from openclap.data.published import home_of
from openclap.data.tables import table_rows

_TABLE = "vocal_imitations.txt"
_DEPTHS = tuple(f"category_d{depth}" for depth in range(1, 7))
_COLUMNS = ("imitation_filename", *_DEPTHS, "reference_filename", "included", "participant_id")


class VocalImitations(HearCorpus):
    """The registered corpus "vocal-imitations"."""

    info = CorpusInfo(
        name="vocal-imitations",
        title="5,601 vocal imitations of 302 sounds",
        licence="CC BY 4.0",
        url="https://zenodo.org/records/1340763",
        kind="labels",
        labels="single",
        access="download",
        instructions=HEAR_INSTRUCTIONS,
        files=(
            RemoteFile(
                "VocalImitationSet_v1.1.3.zip",
                "https://zenodo.org/records/1340763/files/VocalImitationSet_v1.1.3.zip",
                md5="386e7b1487fe0800ade4916c344086bc",
                unpack="zip",
            ),
        ),
        clips=5601,
        hours=9.4,
        citation="B. Kim et al., Vocal Imitation Set: a dataset of vocally imitated sound events using the AudioSet "
        "ontology, DCASE 2018",
    )
    found_by = f"**/{_TABLE}"

    def rows(self, raw: Path, config: HearConfig) -> Iterator[dict[str, Any]]:
        """The included imitations, in the table's order."""
        home, folds = home_of(raw, _TABLE), HearFolds(raw, config)
        for row in table_rows(raw / home / _TABLE, _COLUMNS, delimiter="\t"):
            if row["included"] != "True":
                continue
            way = [row[depth] for depth in _DEPTHS if row[depth]]
            name = row["imitation_filename"]
            yield {
                "id": name.removesuffix(".wav"),
                "audio": f"{home}/vocal_imitations/included/{name}",
                "labels": way[-1:],
                "fold": folds.of(name),
                "categories": way,
                "reference": row["reference_filename"].removesuffix("_reference.wav"),
                "participant": row["participant_id"].removesuffix(".0"),
            }


corpora.add("vocal-imitations", VocalImitations())
