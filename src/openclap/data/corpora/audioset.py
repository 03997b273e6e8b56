"""AudioSet: two million YouTube clips of 10 s, labelled with 527 classes by people; the sound is YouTube's.

Tables as published (research.google.com/audioset/download.html): `balanced_train_segments.csv`,
`unbalanced_train_segments.csv` and `eval_segments.csv` begin with three lines of comment (`#`), the third of which
names the columns; a line is `YTID, start_seconds, end_seconds, "/m/…,/m/…"`, with a space after each comma.
`class_labels_indices.csv` (`index,mid,display_name`) names the 527 classes. Each video gives one clip.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openclap.data.corpus import CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.published import number
from openclap.data.tables import table_rows
from openclap.data.youtube import INSTRUCTIONS, YouTubeConfig, clip_files
from openclap.errors import ManifestError

COLUMNS = ("YTID", "start_seconds", "end_seconds", "positive_labels")
CLASSES = "class_labels_indices.csv"
TABLES = {
    "balanced_train": "balanced_train_segments.csv",
    "unbalanced_train": "unbalanced_train_segments.csv",
    "eval": "eval_segments.csv",
}

_URL = "http://storage.googleapis.com/us_audioset/youtube_corpus/v1/csv"


class AudioSetConfig(YouTubeConfig):
    """Settings.

    Attributes:
        parts: those of the three tables that are wanted; one that is not there is passed over.
    """

    parts: tuple[str, ...] = tuple(TABLES)


class AudioSet(PublishedCorpus):
    """The registered corpus "audioset"."""

    config = AudioSetConfig
    info = CorpusInfo(
        name="audioset",
        title="Two million YouTube clips of 10 s with labels out of 527 classes",
        licence="Labels: CC BY 4.0; sounds: YouTube's own terms",
        url="https://research.google.com/audioset/",
        kind="labels",
        labels="multi",
        access="by-hand",
        instructions=INSTRUCTIONS,
        files=tuple(RemoteFile(name, f"{_URL}/{name}") for name in (*TABLES.values(), CLASSES)),
        splits={"balanced_train": 22160, "unbalanced_train": 2041789, "eval": 20371},
        hours=5790.0,
        id_space="youtube",
        overlaps={
            "audiocaps": "captions of clips of AudioSet",
            "wavcaps": "its AudioSet part is of AudioSet's strongly labelled clips",
            "audiosetcaps": "captions of clips of AudioSet",
            "auto-acd": "captions of clips of AudioSet",
            "vggsound": "both are of YouTube clips, some of them the same",
            "dcase17-task4": "its clips are clips of AudioSet",
        },
        citation="J. F. Gemmeke et al., Audio Set: An ontology and human-labeled dataset for audio events, ICASSP 2017",
    )

    def needs(self, config: AudioSetConfig) -> Sequence[str]:
        """The names of the classes, and one of the tables."""
        return (CLASSES, "*_segments.csv")

    def rows(self, raw: Path, config: AudioSetConfig) -> Iterator[dict[str, Any]]:
        """A row for each line of the tables."""
        names = {row["mid"]: row["display_name"] for row in table_rows(raw / CLASSES, ("mid", "display_name"))}
        clips = clip_files(raw, config)
        for split in (part for part in TABLES if part in config.parts):
            table = raw / TABLES[split]
            if not table.exists():
                continue
            for row in table_rows(table, header=COLUMNS, skip_spaces=True, comment="#"):
                mids = row["positive_labels"].split(",")
                if unknown := [mid for mid in mids if mid not in names]:
                    raise ManifestError(table, f"{row['YTID']} has the label {unknown[0]}, which {CLASSES} does not")
                start_s, end_s = (number(row, column, table) for column in ("start_seconds", "end_seconds"))
                yield {
                    "id": row["YTID"],
                    **clips.row(row["YTID"], start_s, end_s, config),
                    "labels": [names[mid] for mid in mids],
                    "split": split,
                    "mids": mids,
                }


corpora.add("audioset", AudioSet())
