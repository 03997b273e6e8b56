"""DCASE 2017 task 4: 10 s YouTube clips of 17 warning and vehicle sounds, a weakly labelled part of AudioSet.

Ground truth as published
(github.com/ankitshah009/Task-4-Large-scale-weakly-supervised-sound-event-detection-for-smart-cars): tab-separated lines
without a header, `YOUTUBEID_START_END.wav`, start, end, label; a clip with several labels has several lines, far apart.
The sounds are `YYOUTUBEID_START_END.wav` (a Y in front, since ids may begin with "-"): three archives with a password
that the organisers give.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.published import number, sound_files
from openclap.data.tables import table_rows
from openclap.errors import ManifestError

_REPOSITORY = "ankitshah009/Task-4-Large-scale-weakly-supervised-sound-event-detection-for-smart-cars"
_RAW = f"https://raw.githubusercontent.com/{_REPOSITORY}/master"
_HEADER = ("filename", "start", "end", "label")

TABLES = {
    "train": "groundtruth_weak_label_training_set.csv",
    "test": "groundtruth_weak_label_testing_set.csv",
    "evaluation": "groundtruth_weak_label_evaluation_set.csv",
}
"""The published name of each split's labels: train and test are the challenge's development set."""

# fmt: off
CLASSES = (
    "Train horn", "Air horn, truck horn", "Car alarm", "Reversing beeps", "Bicycle", "Skateboard",
    "Ambulance (siren)", "Fire engine, fire truck (siren)", "Civil defense siren", "Police car (siren)", "Screaming",
    "Car", "Car passing by", "Bus", "Truck", "Motorcycle", "Train",
)
# fmt: on


class Dcase17Task4(PublishedCorpus):
    """The registered corpus "dcase17-task4"."""

    info = CorpusInfo(
        name="dcase17-task4",
        title="52,763 YouTube clips of 10 s with 17 warning and vehicle sounds, weakly labelled",
        licence="of the labels: Apache-2.0 (AudioSet's own: CC BY 4.0); of the sounds: their YouTube uploaders'",
        url=f"https://github.com/{_REPOSITORY}",
        kind="labels",
        labels="multi",
        access="by-hand",
        instructions="Its README links three archives of sound, and says whom to ask for the password: unpack them "
        "below raw/, in folders of any name.",
        files=(
            RemoteFile(
                TABLES["train"],
                f"{_RAW}/{TABLES['train']}",
                bytes=2942866,
                md5="1a98a76221fa5b5a85aaee9dbf02a2bf",
            ),
            RemoteFile(TABLES["test"], f"{_RAW}/{TABLES['test']}", bytes=34199, md5="b742b4d6517c82595e09a65d470ff811"),
            RemoteFile(TABLES["evaluation"], f"{_RAW}/groundtruth_release/{TABLES['evaluation']}"),
        ),
        splits={"train": 51172, "test": 488, "evaluation": 1103},
        hours=143.0,
        id_space="youtube",
        overlaps={
            "audioset": "its clips are clips of AudioSet",
            "audiocaps": "both are of clips of AudioSet, some of them the same",
            "wavcaps": "both are of clips of AudioSet, some of them the same",
        },
        classes={"labels": CLASSES},
        citation="A. Mesaros et al., DCASE 2017 Challenge Setup: Tasks, Datasets and Baseline System, DCASE 2017",
    )

    def needs(self, config: CorpusConfig) -> Sequence[str]:
        """The three tables."""
        return tuple(f"**/{table}" for table in TABLES.values())

    def rows(self, raw: Path, config: CorpusConfig) -> Iterator[dict[str, Any]]:
        """The clips, by split, in the order in which the tables name them first."""
        sounds = {PurePosixPath(path).stem: path for path in sound_files(raw, "**/Y*.wav", "**/Y*.flac")}
        for split, table in TABLES.items():
            for clip in _merged(min(raw.glob(f"**/{table}"))).values():
                yield {**clip, "audio": sounds.get(f"Y{clip['id']}"), "split": split}


def _merged(table: Path) -> dict[str, dict[str, Any]]:
    """The clips of one table by id, each with all its labels."""
    clips: dict[str, dict[str, Any]] = {}
    for line, row in enumerate(table_rows(table, header=_HEADER, delimiter="\t"), start=1):
        label = row["label"].strip()
        if label not in CLASSES:
            raise ManifestError(table, f"has the label {label!r}, which is none of the 17: is it the file?", line)
        own = row["filename"].removesuffix(".wav")
        clip = clips.setdefault(
            own,
            {
                "id": own,
                "labels": [],
                "youtube_id": own.rsplit("_", 2)[0],
                "youtube_start_s": number(row, "start", table),
                "youtube_end_s": number(row, "end", table),
            },
        )
        if label not in clip["labels"]:
            clip["labels"].append(label)
    return clips


corpora.add("dcase17-task4", Dcase17Task4())
