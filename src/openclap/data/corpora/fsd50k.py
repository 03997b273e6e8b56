"""FSD50K: Freesound clips of 0.3 to 30 s with labels out of 200 classes, checked by people.

Layout as published (zenodo.org/records/4060432): split zips `FSD50K.dev_audio.z01 … .zip` and `FSD50K.eval_audio.z01,
.zip`, which hold `FSD50K.dev_audio/ID.wav` and `FSD50K.eval_audio/ID.wav`, with ID the Freesound id;
`FSD50K.ground_truth/` with `dev.csv` (`fname,labels,mids,split`, the split is train or val), `eval.csv` (the same
without split) and `vocabulary.csv`; `FSD50K.metadata/dev_clips_info_FSD50K.json` and `eval_…` with title, description,
tags, license and uploader of each clip. Labels have underscores for spaces and "and" for commas, and hold all their
parents.

File names, columns and MD5s are those of soundata (github.com/soundata/soundata, datasets/fsd50k.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.published import readable
from openclap.data.tables import load_json, table_rows

TRUTH, METADATA = "FSD50K.ground_truth", "FSD50K.metadata"

_RECORD = "https://zenodo.org/records/4060432"
_MD5 = {
    "FSD50K.dev_audio.z01": "faa7cf4cc076fc34a44a479a5ed862a3",
    "FSD50K.dev_audio.z02": "8f9b66153e68571164fb1315d00bc7bc",
    "FSD50K.dev_audio.z03": "1196ef47d267a993d30fa98af54b7159",
    "FSD50K.dev_audio.z04": "d088ac4e11ba53daf9f7574c11cccac9",
    "FSD50K.dev_audio.z05": "81356521aa159accd3c35de22da28c7f",
    "FSD50K.dev_audio.zip": "c480d119b8f7a7e32fdb58f3ea4d6c5a",
    "FSD50K.eval_audio.z01": "3090670eaeecc013ca1ff84fe4442aeb",
    "FSD50K.eval_audio.zip": "6fa47636c3a3ad5c7dfeba99f2637982",
    "FSD50K.ground_truth.zip": "ca27382c195e37d2269c4c866dd73485",
    "FSD50K.metadata.zip": "b9ea0c829a411c1d42adb9da539ed237",
    "FSD50K.doc.zip": "3516162b82dc2945d3e7feba0904e800",
}


class Fsd50kConfig(CorpusConfig):
    """Settings.

    Attributes:
        captions: "none", or the uploader's title (without a file's suffix) and description, as they were written.
    """

    captions: Literal["none", "uploader"] = "none"


class Fsd50k(PublishedCorpus):
    """The registered corpus "fsd50k"."""

    config = Fsd50kConfig
    info = CorpusInfo(
        name="fsd50k",
        title="Freesound clips of 0.3 to 30 s with labels out of 200 classes of the AudioSet ontology",
        licence="As a whole CC BY 4.0; each clip its own: CC0, CC BY, CC BY-NC or CC Sampling+",
        url=_RECORD,
        kind="labels",
        labels="multi",
        access="download",
        files=tuple(
            RemoteFile(
                name, f"{_RECORD}/files/{name}?download=1", md5=md5, unpack="zip" if name.endswith(".zip") else "no"
            )
            for name, md5 in _MD5.items()
        ),
        splits={"train": 36796, "val": 4170, "eval": 10231},
        hours=108.3,
        id_space="freesound",
        overlaps={
            "clotho": "both are of Freesound clips, some of them the same",
            "esc50": "both are of Freesound clips, some of them the same",
            "urbansound8k": "both are of Freesound clips",
            "wavcaps": "its FreeSound part may hold the same clips",
            "laion-630k": "its Freesound part may hold the same clips; the part named no-overlap does not",
        },
        citation="E. Fonseca et al., FSD50K: an Open Dataset of Human-Labeled Sound Events, TASLP 2022",
    )

    def needs(self, config: Fsd50kConfig) -> Sequence[str]:
        """The tables."""
        return (f"{TRUTH}/dev.csv", f"{TRUTH}/eval.csv")

    def rows(self, raw: Path, config: Fsd50kConfig) -> Iterator[dict[str, Any]]:
        """A row for each line of the ground truth, with what the uploader said of it."""
        for part in ("dev", "eval"):
            about = _about(raw / METADATA / f"{part}_clips_info_FSD50K.json")
            columns = ("fname", "labels", "mids", "split") if part == "dev" else ("fname", "labels", "mids")
            for row in table_rows(raw / TRUTH / f"{part}.csv", columns):
                said = about.get(row["fname"], {})
                yield {
                    "id": row["fname"],
                    "audio": f"FSD50K.{part}_audio/{row['fname']}.wav",
                    "labels": [readable(label) for label in row["labels"].split(",")],
                    "split": row.get("split", "eval"),
                    "mids": row["mids"].split(","),
                    "freesound_id": row["fname"],
                    **said,
                    "captions": _texts(said) if config.captions == "uploader" else None,
                }


corpora.add("fsd50k", Fsd50k())


def _about(file: Path) -> dict[str, dict[str, Any]]:
    """Clip -> what its uploader said of it, under names that are no captions; without the file, nothing."""
    if not file.exists():
        return {}
    return {
        clip: {
            "freesound_title": said.get("title"),
            "freesound_description": said.get("description"),
            "freesound_tags": said.get("tags"),
            "license": said.get("license"),
            "credit": said.get("uploader"),
        }
        for clip, said in load_json(file).items()
    }


def _texts(said: dict[str, Any]) -> list[str]:
    title = re.sub(r"\.(wav|aiff?|flac|ogg|mp3|m4a)$", "", said.get("freesound_title") or "", flags=re.IGNORECASE)
    texts = (title, said.get("freesound_description") or "")
    return [" ".join(text.split()) for text in texts if text.strip()]
