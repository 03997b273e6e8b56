"""Clotho v2.1: Freesound clips of 15 to 30 s, each with five captions of 8 to 20 words.

Layout as published (zenodo.org/records/4783391): for each of development, validation and evaluation an archive
`clotho_audio_SPLIT.7z` that holds `SPLIT/NAME.wav`, `clotho_captions_SPLIT.csv` (`file_name,caption_1,…,caption_5`) and
`clotho_metadata_SPLIT.csv` (`file_name,keywords,sound_id,sound_link,start_end_samples,manufacturer,license`).

Quirks: the metadata are ISO-8859-1, the captions UTF-8; keywords have `;` between; sounds that Freesound does not have
any more have a `sound_id` that is no number. Names, columns, encodings and MD5s are those that aac-datasets 0.7 reads
and checks (github.com/Labbeti/aac-datasets), which were compared with nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.tables import table_rows

CAPTIONS = tuple(f"caption_{number}" for number in range(1, 6))
METADATA = ("file_name", "keywords", "sound_id", "sound_link", "start_end_samples", "manufacturer", "license")

_RECORD = "https://zenodo.org/records/4783391"
_MD5 = {
    "clotho_audio_development.7z": "c8b05bc7acdb13895bb3c6a29608667e",
    "clotho_audio_validation.7z": "7dba730be08bada48bd15dc4e668df59",
    "clotho_audio_evaluation.7z": "4569624ccadf96223f19cb59fe4f849f",
    "clotho_captions_development.csv": "d4090b39ce9f2491908eebf4d5b09bae",
    "clotho_captions_validation.csv": "5879e023032b22a2c930aaa0528bead4",
    "clotho_captions_evaluation.csv": "1b16b9e57cf7bdb7f13a13802aeb57e2",
    "clotho_metadata_development.csv": "170d20935ecfdf161ce1bb154118cda5",
    "clotho_metadata_validation.csv": "2e010427c56b1ce6008b0f03f41048ce",
    "clotho_metadata_evaluation.csv": "13946f054d4e1bf48079813aac61bf77",
}


class Clotho(PublishedCorpus):
    """The registered corpus "clotho"."""

    info = CorpusInfo(
        name="clotho",
        title="Freesound clips of 15 to 30 s with five captions each",
        licence="Sounds: each its own Creative Commons licence; captions: Tampere University, not for commercial use",
        url=_RECORD,
        kind="captions",
        access="download",
        instructions="Its archives are 7z: install openclap[corpora], or unpack them yourself in raw/ with 7z x.",
        files=tuple(
            RemoteFile(name, f"{_RECORD}/files/{name}?download=1", md5=md5, unpack="7z" if name[-3:] == ".7z" else "no")
            for name, md5 in _MD5.items()
        ),
        splits={"development": 3839, "validation": 1045, "evaluation": 1045},
        hours=37.0,
        id_space="freesound",
        overlaps={
            "fsd50k": "both are of Freesound clips, some of them the same",
            "esc50": "both are of Freesound clips",
            "urbansound8k": "both are of Freesound clips",
            "wavcaps": "its FreeSound part holds clips of Clotho; its blacklists leave them out",
            "laion-630k": "its Freesound part may hold clips of Clotho; the part named no-overlap does not",
        },
        citation="K. Drossos, S. Lipping, T. Virtanen, Clotho: an Audio Captioning Dataset, ICASSP 2020",
    )

    def needs(self, config: CorpusConfig) -> Sequence[str]:
        """A table of captions and the sound of the same split."""
        return ("clotho_captions_*.csv",)

    def rows(self, raw: Path, config: CorpusConfig) -> Iterator[dict[str, Any]]:
        """A row for each line of the captions, with what the metadata say of it."""
        for split in self.info.splits:
            table = raw / f"clotho_captions_{split}.csv"
            if not table.exists():
                continue
            metadata = _metadata(raw / f"clotho_metadata_{split}.csv")
            for row in table_rows(table, ("file_name", *CAPTIONS)):
                yield {
                    "id": f"{split}/{row['file_name']}",
                    "audio": f"{split}/{row['file_name']}",
                    "captions": [row[name] for name in CAPTIONS],
                    "split": split,
                    **metadata.get(row["file_name"].strip(), {}),
                }


corpora.add("clotho", Clotho())


def _metadata(table: Path) -> dict[str, dict[str, Any]]:
    """File name -> what goes into its row; without the table, nothing."""
    if not table.exists():
        return {}
    found = {}
    for row in table_rows(table, METADATA[:5], encoding="iso-8859-1"):
        number = row["sound_id"].strip()
        found[row["file_name"].strip()] = {
            "keywords": [word.strip() for word in row["keywords"].split(";") if word.strip()],
            "freesound_id": number if number.isdigit() else None,
            "freesound_url": row["sound_link"] if number.isdigit() else None,
            "start_end_samples": row["start_end_samples"],
            "credit": row.get("manufacturer"),
            "license": row.get("license"),
        }
    return found
