"""Auto-ACD: over 1.5 million clips of AudioSet and VGGSound, with captions made of sound, picture and labels.

Tables as published (huggingface.co/datasets/Loie/Auto-ACD): `train.csv` and `test.csv` of `youtube_id,caption`. Column
names and ids are known from programs that read them: an id may have a `Y` before it and a start behind it, and the
dashes with which some ids begin are missing, which this file gives back (an id has 11 characters). Where a clip starts
is else not said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openclap.data.corpus import CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.hub import hub_files
from openclap.data.tables import table_rows
from openclap.data.youtube import INSTRUCTIONS, YouTubeConfig, clip_files

REPOSITORY = "Loie/Auto-ACD"
SPLITS = ("train", "test")

_ID = re.compile(r"Y?(?P<id>[\w-]{11})(?:_(?P<start>\d+(?:\.\d+)?).*)?", re.ASCII)
_ID_LENGTH = 11
_CLIP_S = 10.0


class AutoAcd(PublishedCorpus):
    """The registered corpus "auto-acd"."""

    config = YouTubeConfig
    info = CorpusInfo(
        name="auto-acd",
        title="Over 1.5 million clips of AudioSet and VGGSound with captions made by a language model",
        licence="Captions: not stated on the hub; sounds: YouTube's own terms",
        url=f"https://huggingface.co/datasets/{REPOSITORY}",
        kind="captions",
        access="hub",
        instructions=INSTRUCTIONS,
        id_space="youtube",
        overlaps={
            "audioset": "captions of its clips",
            "vggsound": "captions of its clips",
            "audiocaps": "both caption clips of AudioSet: leave its test clips out before evaluating on them",
            "audiosetcaps": "both caption clips of AudioSet and VGGSound",
            "wavcaps": "both caption clips of AudioSet",
        },
        citation="L. Sun, X. Xu, M. Wu, W. Xie, Auto-ACD: A Large-scale Dataset for Audio-Language Representation "
        "Learning, ACM Multimedia 2024",
    )

    def needs(self, config: YouTubeConfig) -> Sequence[str]:
        """A table."""
        return ("*.csv",)

    def files(self, config: YouTubeConfig) -> Iterator[RemoteFile]:
        """The tables, as the hub lists them."""
        return hub_files(REPOSITORY, "*.csv")

    def rows(self, raw: Path, config: YouTubeConfig) -> Iterator[dict[str, Any]]:
        """A row for each line of the tables."""
        clips = clip_files(raw, config)
        for split in SPLITS:
            table = raw / f"{split}.csv"
            if not table.exists():
                continue
            for row in table_rows(table, ("youtube_id", "caption")):
                youtube_id, start_s = _clip(row["youtube_id"].strip())
                end_s = None if start_s is None else start_s + _CLIP_S
                yield {
                    "id": row["youtube_id"].strip(),
                    **clips.row(youtube_id, start_s, end_s, config),
                    "captions": [row["caption"]],
                    "split": split,
                }


corpora.add("auto-acd", AutoAcd())


def _clip(own: str) -> tuple[str, float | None]:
    """The video, with its leading dashes, and the start if the id says it."""
    match = _ID.fullmatch(own)
    if match is None:
        return own.rjust(_ID_LENGTH, "-"), None
    return match["id"], float(match["start"]) if match["start"] else None
