"""AudioCaps 1 and 2: AudioSet clips of 10 s with captions that people wrote after listening.

Layout as published (github.com/cdjkim/audiocaps): `dataset/` (version 1) and `dataset2.0/` (version 2, of 2025), each
with `train.csv`, `val.csv` and `test.csv` of `audiocap_id,youtube_id,start_time,caption`. A line is a caption: clips of
version 1 have one in train and five in val and test, whose lines stand apart. Version 2 has 91,256, 2,475 and 4,875
captions (its README). Its clips were not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from openclap.data.corpus import CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.published import number
from openclap.data.tables import table_rows
from openclap.data.youtube import INSTRUCTIONS, YouTubeConfig, clip_files

COLUMNS = ("audiocap_id", "youtube_id", "start_time", "caption")
SPLITS = ("train", "val", "test")

_FOLDERS = {1: "dataset", 2: "dataset2.0"}
_CLIP_S = 10.0


class AudioCapsConfig(YouTubeConfig):
    """Settings.

    Attributes:
        version: 1, on which results are published, or 2.
    """

    version: Literal[1, 2] = 1


class AudioCaps(PublishedCorpus):
    """The registered corpus "audiocaps"."""

    config = AudioCapsConfig
    info = CorpusInfo(
        name="audiocaps",
        title="AudioSet clips of 10 s with captions that people wrote (1 in train, 5 in val and test)",
        licence="Captions: MIT; sounds: YouTube's own terms",
        url="https://github.com/cdjkim/audiocaps",
        kind="captions",
        access="by-hand",
        instructions=INSTRUCTIONS,
        files=tuple(
            RemoteFile(
                f"{folder}/{split}.csv",
                f"https://raw.githubusercontent.com/cdjkim/audiocaps/master/{folder}/{split}.csv",
            )
            for folder in _FOLDERS.values()
            for split in SPLITS
        ),
        splits={"train": 49838, "val": 495, "test": 975},
        hours=142.5,
        id_space="youtube",
        overlaps={
            "audioset": "its clips are clips of AudioSet",
            "wavcaps": "its AudioSet part holds clips of AudioCaps; its blacklists leave them out",
            "audiosetcaps": "both caption clips of AudioSet",
            "auto-acd": "both caption clips of AudioSet",
            "vggsound": "both are of YouTube clips, some of them the same",
        },
        citation="C. D. Kim et al., AudioCaps: Generating Captions for Audios in The Wild, NAACL 2019",
    )

    def needs(self, config: AudioCapsConfig) -> Sequence[str]:
        """One of the tables."""
        return (f"{_FOLDERS[config.version]}/*.csv",)

    def files(self, config: AudioCapsConfig) -> Iterator[RemoteFile]:
        """The tables of one version."""
        return (file for file in self.info.files if file.name.startswith(f"{_FOLDERS[config.version]}/"))

    def rows(self, raw: Path, config: AudioCapsConfig) -> Iterator[dict[str, Any]]:
        """A row for each clip, with all captions that the table has for it."""
        clips = clip_files(raw, config)
        for split in SPLITS:
            table = raw / _FOLDERS[config.version] / f"{split}.csv"
            if not table.exists():
                continue
            for (youtube_id, start), lines in _by_clip(table).items():
                start_s = number(lines[0], "start_time", table)
                yield {
                    "id": f"{youtube_id}_{start}",
                    **clips.row(youtube_id, start_s, start_s + _CLIP_S, config),
                    "captions": [line["caption"] for line in lines],
                    "split": split,
                    "audiocap_ids": [line["audiocap_id"] for line in lines],
                }


corpora.add("audiocaps", AudioCaps())


def _by_clip(table: Path) -> dict[tuple[str, str], list[dict[str, str]]]:
    """Clip -> the lines of its captions, in the order of the table; some 90,000 lines at most."""
    found: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in table_rows(table, COLUMNS):
        found.setdefault((row["youtube_id"], row["start_time"]), []).append(row)
    return found
