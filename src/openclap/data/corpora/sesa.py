"""SESA: 585 recordings of gunshots, explosions, sirens, and harmless sounds that could be taken for them.

Layout as published (zenodo.org/record/3519845): `SESA/train/CLASS_NUMBER.wav` and `SESA/test/…`; the class is in the
name. 16 kHz, mono, at most 33 s, from Freesound; which Freesound recordings they are is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.published import NamePattern, sound_files

CLASSES = ("casual", "gunshot", "explosion", "siren")

_NAMES = NamePattern(rf"(?P<label>{'|'.join(CLASSES)})_\d+", "CLASS_NUMBER with a class of casual, gunshot, …")


class Sesa(PublishedCorpus):
    """The registered corpus "sesa"."""

    info = CorpusInfo(
        name="sesa",
        title="585 recordings for surveillance: gunshots, explosions, sirens, and casual sounds",
        licence="CC BY 4.0",
        url="https://zenodo.org/records/3519845",
        kind="labels",
        labels="single",
        access="download",
        files=(RemoteFile("SESA.zip", "https://zenodo.org/records/3519845/files/SESA.zip", unpack="zip"),),
        splits={"train": 480, "test": 105},
        overlaps={
            "wavcaps": "both are of Freesound; SESA does not say which recordings it has, so only sound can tell",
            "laion-630k": "both are of Freesound; SESA does not say which recordings it has, so only sound can tell",
        },
        classes={"labels": CLASSES},
        citation="T. Spadini, Sound Events for Surveillance Applications, Zenodo 2019",
    )

    def needs(self, config: CorpusConfig) -> Sequence[str]:
        """Both splits."""
        return ("**/train/*.wav", "**/test/*.wav")

    def rows(self, raw: Path, config: CorpusConfig) -> Iterator[dict[str, Any]]:
        """The clips, by split and name."""
        for path in sound_files(raw, "**/train/*.wav", "**/test/*.wav"):
            split = PurePosixPath(path).parent.name
            yield {
                "id": f"{split}/{PurePosixPath(path).stem}",
                "audio": path,
                "labels": [_NAMES.read(path)["label"]],
                "split": split,
            }


corpora.add("sesa", Sesa())
