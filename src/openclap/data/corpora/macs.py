"""MACS: city scenes of 10 s (of TAU Urban Acoustic Scenes 2019) with two to five captions and tags each.

Layout as published: `MACS.yaml` (zenodo.org/records/5114771), whose list `files` has `filename` and `annotations`, each
with `sentence`, `tags` and `annotator_id`; and the sound in the archives of TAU Urban Acoustic Scenes 2019 development
(zenodo.org/records/2589280), eight of the 21 of which hold clips of MACS. They unpack to
`TAU-urban-acoustic-scenes-2019-development/audio/`. `meta.csv` beside it (tab-separated, `filename`, `scene_label`,
`identifier`, `source_label`) names the scene. File names and MD5s are those that aac-datasets checks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.published import readable
from openclap.data.tables import table_rows
from openclap.errors import ManifestError

HOME = "TAU-urban-acoustic-scenes-2019-development"

_MACS, _TAU = "https://zenodo.org/records/5114771", "https://zenodo.org/records/2589280"
_TABLES = {
    "MACS.yaml": "23fcb2ebd0b109094034ef9e87972256",
    "MACS_competence.csv": "4dfe9f951f0af9f29cb7952ec030370a",
    "LICENSE.txt": "d3086f4517cccc32c1bb3a081b07cfa1",
}
_ARCHIVES = {
    "audio.1": "aca4ebfd9ed03d5f747d6ba8c24bc728",
    "audio.2": "c4f170408ce77c8c70c532bf268d7be0",
    "audio.3": "c7214a07211f10f3250290d05e72c37e",
    "audio.9": "3c32a693a6b111ffb957be3c1dd22e9b",
    "audio.10": "0ffbf60006da520cc761fb74c878b98b",
    "audio.11": "599055d93b4c11057c29be2df54538d4",
    "audio.12": "98b8d162ff3665695c4c910e6c372cc8",
    "audio.13": "a356c08b1a5a21d433eba37ef87587f4",
    "meta": "09782f2097e4735687af73c44919329c",
}


class Macs(PublishedCorpus):
    """The registered corpus "macs"."""

    info = CorpusInfo(
        name="macs",
        title="City scenes of 10 s with two to five captions and tags each",
        licence="Sounds and captions: Tampere University, not for commercial use (LICENSE.txt comes with them)",
        url=_MACS,
        kind="both",
        labels="multi",
        access="download",
        files=(
            *(RemoteFile(name, f"{_MACS}/files/{name}?download=1", md5=md5) for name, md5 in _TABLES.items()),
            *(
                RemoteFile(f"{HOME}.{part}.zip", f"{_TAU}/files/{HOME}.{part}.zip?download=1", md5=md5, unpack="zip")
                for part, md5 in _ARCHIVES.items()
            ),
        ),
        clips=3930,
        hours=10.9,
        citation="I. Martin, A. Mesaros, Diversity and Bias in Audio Captioning Datasets, DCASE 2021 Workshop",
    )

    def needs(self, config: CorpusConfig) -> Sequence[str]:
        """The captions."""
        return ("MACS.yaml",)

    def rows(self, raw: Path, config: CorpusConfig) -> Iterator[dict[str, Any]]:
        """A row for each file of the list; its labels are all tags that any annotator gave."""
        scenes = _scenes(raw / HOME / "meta.csv")
        for item in _items(raw / "MACS.yaml"):
            said = item["annotations"]
            tags = dict.fromkeys(tag for one in said for tag in one.get("tags") or ())
            yield {
                "id": item["filename"],
                "audio": f"{HOME}/audio/{item['filename']}",
                "captions": [one["sentence"] for one in said],
                "labels": [readable(tag) for tag in tags],
                "annotators": [one.get("annotator_id") for one in said],
                "scene": scenes.get(item["filename"]),
            }


corpora.add("macs", Macs())


def _items(file: Path) -> list[dict[str, Any]]:
    try:
        # The C reader takes seconds for these 4 MB, the other one a minute; both build plain values only.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        items = yaml.load(file.read_bytes(), loader)["files"]  # noqa: S506 — a safe loader
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ManifestError(file, f"is not the published YAML ({error!r})") from error
    return list(items)


def _scenes(table: Path) -> dict[str, str]:
    """File name -> scene; without the table, nothing."""
    if not table.exists():
        return {}
    rows = table_rows(table, ("filename", "scene_label"), delimiter="\t")
    return {row["filename"].removeprefix("audio/"): readable(row["scene_label"]) for row in rows}
