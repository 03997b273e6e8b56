"""AudioSetCaps: six million clips of AudioSet, VGGSound and YouTube-8M, with captions by audio and language models.

Tables as published (huggingface.co/datasets/baijs/AudioSetCaps, folder Dataset): `AudioSetCaps_caption.csv`,
`VGGSound_AudioSetCaps_caption.csv` and `YouTube-8M_AudioSetCaps_caption.csv`, each `id,caption`. An id is `YID` in the
first, `ID_START` (six digits) in the second and `ID_START_LENGTH` in the third; the first does not say where a clip
starts. (Column names and ids are known from programs that read the tables.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from openclap.data.corpus import CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.hub import hub_files
from openclap.data.tables import table_rows
from openclap.data.youtube import INSTRUCTIONS, YouTubeConfig, clip_files
from openclap.errors import ManifestError

REPOSITORY = "baijs/AudioSetCaps"

Part = Literal["audioset", "vggsound", "youtube8m"]
TABLES: dict[Part, str] = {
    "audioset": "AudioSetCaps_caption.csv",
    "vggsound": "VGGSound_AudioSetCaps_caption.csv",
    "youtube8m": "YouTube-8M_AudioSetCaps_caption.csv",
}

_ID = re.compile(r"Y?(?P<id>[\w-]{11})(?:_(?P<start>\d+))?(?:_(?P<length>\d+))?", re.ASCII)
_CLIP_S = 10.0


class AudioSetCapsConfig(YouTubeConfig):
    """Settings.

    Attributes:
        parts: those of the three tables that are wanted; one that is not there is passed over.
    """

    parts: tuple[Part, ...] = ("audioset", "vggsound", "youtube8m")


class AudioSetCaps(PublishedCorpus):
    """The registered corpus "audiosetcaps"."""

    config = AudioSetCapsConfig
    info = CorpusInfo(
        name="audiosetcaps",
        title="Six million YouTube clips of 10 s with captions made by audio and language models",
        licence="Captions: CC BY 4.0; sounds: YouTube's own terms",
        url=f"https://huggingface.co/datasets/{REPOSITORY}",
        kind="captions",
        access="hub",
        instructions=INSTRUCTIONS,
        clips=6117099,
        id_space="youtube",
        overlaps={
            "audioset": "captions of its clips",
            "vggsound": "captions of its clips",
            "audiocaps": "both caption clips of AudioSet: leave its test clips out before evaluating on them",
            "auto-acd": "both caption clips of AudioSet and VGGSound",
            "wavcaps": "both caption clips of AudioSet",
        },
        citation="J. Bai et al., AudioSetCaps: Enriched Audio Captioning Dataset Generation Using Large Audio Language "
        "Models, NeurIPS 2024 Workshop Audio Imagination",
    )

    def needs(self, config: AudioSetCapsConfig) -> Sequence[str]:
        """One of the tables."""
        return ("Dataset/*_caption.csv",)

    def files(self, config: AudioSetCapsConfig) -> Iterator[RemoteFile]:
        """The tables of the parts, as the hub lists them."""
        return hub_files(REPOSITORY, *(f"Dataset/{TABLES[part]}" for part in config.parts))

    def rows(self, raw: Path, config: AudioSetCapsConfig) -> Iterator[dict[str, Any]]:
        """A row for each line of the tables."""
        clips = clip_files(raw, config)
        for part in config.parts:
            table = raw / "Dataset" / TABLES[part]
            if not table.exists():
                continue
            for row in table_rows(table, ("id", "caption")):
                match = _ID.fullmatch(row["id"])
                if match is None:
                    raise ManifestError(table, f"has the id {row['id']!r}, which is none of a YouTube clip")
                start_s = float(match["start"]) if match["start"] else None
                end_s = None if start_s is None else start_s + float(match["length"] or _CLIP_S)
                yield {
                    "id": f"{part}/{row['id']}",
                    **clips.row(match["id"], start_s, end_s, config),
                    "captions": [row["caption"]],
                    "source": f"audiosetcaps/{part}",
                }


corpora.add("audiosetcaps", AudioSetCaps())
