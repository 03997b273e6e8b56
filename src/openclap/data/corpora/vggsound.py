"""VGGSound: YouTube clips of 10 s in which one of 309 kinds of sound is heard and seen.

Table as published (robots.ox.ac.uk/~vgg/data/vggsound): `vggsound.csv` has no header; a line is the video's id, the
start in seconds, the label and "train" or "test". Several clips may come of one video. Files are mostly named
`ID_START.wav`, with the start in seconds as six digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openclap.data.corpus import CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.published import number
from openclap.data.tables import table_rows
from openclap.data.youtube import INSTRUCTIONS, YouTubeConfig, clip_files

COLUMNS = ("youtube_id", "start_seconds", "label", "split")
TABLE = "vggsound.csv"

_CLIP_S = 10.0


class VggSound(PublishedCorpus):
    """The registered corpus "vggsound"."""

    config = YouTubeConfig
    info = CorpusInfo(
        name="vggsound",
        title="YouTube clips of 10 s, each with one of 309 sounds",
        licence="Labels: CC BY 4.0; sounds: YouTube's own terms",
        url="https://www.robots.ox.ac.uk/~vgg/data/vggsound/",
        kind="labels",
        labels="single",
        access="by-hand",
        instructions=INSTRUCTIONS,
        files=(RemoteFile(TABLE, f"https://www.robots.ox.ac.uk/~vgg/data/vggsound/{TABLE}"),),
        splits={"train": 183730, "test": 15446},
        hours=550.0,
        id_space="youtube",
        overlaps={
            "audioset": "both are of YouTube clips, some of them the same",
            "audiocaps": "both are of YouTube clips, some of them the same",
            "audiosetcaps": "captions of clips of VGGSound",
            "auto-acd": "captions of clips of VGGSound",
        },
        citation="H. Chen, W. Xie, A. Vedaldi, A. Zisserman, VGGSound: A Large-scale Audio-Visual Dataset, ICASSP 2020",
    )

    def needs(self, config: YouTubeConfig) -> Sequence[str]:
        """The table."""
        return (TABLE,)

    def rows(self, raw: Path, config: YouTubeConfig) -> Iterator[dict[str, Any]]:
        """A row for each line of the table."""
        clips = clip_files(raw, config)
        for row in table_rows(raw / TABLE, header=COLUMNS):
            start_s = number(row, "start_seconds", raw / TABLE)
            yield {
                "id": f"{row['youtube_id']}_{int(start_s):06d}",
                **clips.row(row["youtube_id"], start_s, start_s + _CLIP_S, config),
                "labels": [row["label"]],
                "split": row["split"],
            }


corpora.add("vggsound", VggSound())
