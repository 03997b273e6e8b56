"""Beijing Opera percussion: 236 single strokes of four instruments, two of each kind, in several hands.

Layout as published (zenodo.org/record/1285212): a folder of `FREESOUND_ID__ajaysm__INSTRUMENT-NUMBER.wav`. There is no
split; HEAR drew five folds (`openclap.data.hear`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from openclap.data.corpus import CorpusInfo, RemoteFile, corpora
from openclap.data.hear import HEAR_INSTRUCTIONS, HearConfig, HearCorpus, HearFolds
from openclap.data.published import NamePattern, sound_files

INSTRUMENTS = {"bangu": "clapper drum", "naobo": "cymbals", "daluo": "large gong", "xiaoluo": "small gong"}
"""The labels, and what the instruments are in English."""

_NAMES = NamePattern(
    rf"(?P<freesound_id>\d+)__(?P<user>.+)__(?P<label>{'|'.join(INSTRUMENTS)})-(?P<take>\d+)",
    "FREESOUND_ID__USER__INSTRUMENT-NUMBER",
)


class BeijingOpera(HearCorpus):
    """The registered corpus "beijing-opera"."""

    info = CorpusInfo(
        name="beijing-opera",
        title="236 strokes of the four percussion instruments of Beijing opera",
        licence="CC BY 4.0, as mteb states it",
        url="https://zenodo.org/records/1285212",
        kind="labels",
        labels="single",
        access="download",
        instructions=HEAR_INSTRUCTIONS,
        files=(
            RemoteFile(
                "beijing_opera_percussion_instrument_1.0.zip",
                "https://zenodo.org/records/1285212/files/beijing_opera_percussion_instrument_1.0.zip",
                md5="51dc70d02a06b9d96befadf320a6996f",
                unpack="zip",
            ),
        ),
        clips=236,
        id_space="freesound",
        overlaps={
            "wavcaps": "its FreeSound part may hold the same recordings",
            "laion-630k": "its Freesound part may hold the same recordings",
        },
        classes={"labels": tuple(INSTRUMENTS), "english": tuple(INSTRUMENTS.values())},
        citation="M. Tian et al., A study of instrument-wise onset detection in Beijing opera percussion ensembles, "
        "ICASSP 2014",
    )
    found_by = "**/*__*__*.wav"

    def rows(self, raw: Path, config: HearConfig) -> Iterator[dict[str, Any]]:
        """The strokes, by Freesound id."""
        folds = HearFolds(raw, config)
        for path in sound_files(raw, self.found_by):
            name = _NAMES.read(path)
            yield {
                "id": PurePosixPath(path).stem,
                "audio": path,
                "labels": [name["label"]],
                "fold": folds.of(path),
                "freesound_id": name["freesound_id"],
                "english": INSTRUMENTS[name["label"]],
            }


corpora.add("beijing-opera", BeijingOpera())
