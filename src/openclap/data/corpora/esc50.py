"""ESC-50 and ESC-10: 2,000 environmental sounds of 5 s in 50 classes, and the 400 of them in 10 that are freer.

Layout as published (github.com/karolpiczak/ESC-50): `audio/FOLD-CLIP-TAKE-TARGET.wav`, and `meta/esc50.csv` with
`filename,fold,target,category,esc10,src_file,take`, whose `esc10` is True or False and whose `src_file` is the
Freesound id. Clips cut from one recording share a fold: folds 1 to 5 are the protocol, there is no other split.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.published import home_of, number, readable
from openclap.data.tables import table_rows

COLUMNS = ("filename", "fold", "target", "category", "esc10", "src_file", "take")

# fmt: off
CATEGORIES = (
    "dog", "rooster", "pig", "cow", "frog", "cat", "hen", "insects", "sheep", "crow",
    "rain", "sea_waves", "crackling_fire", "crickets", "chirping_birds", "water_drops", "wind", "pouring_water",
    "toilet_flush", "thunderstorm",
    "crying_baby", "sneezing", "clapping", "breathing", "coughing", "footsteps", "laughing", "brushing_teeth",
    "snoring", "drinking_sipping",
    "door_wood_knock", "mouse_click", "keyboard_typing", "door_wood_creaks", "can_opening", "washing_machine",
    "vacuum_cleaner", "clock_alarm", "clock_tick", "glass_breaking",
    "helicopter", "chainsaw", "siren", "car_horn", "engine", "train", "church_bells", "airplane", "fireworks",
    "hand_saw",
)
"""All categories; the place of one is its `target`."""
_ESC10 = (
    "dog", "rooster", "rain", "sea_waves", "crackling_fire", "crying_baby", "sneezing", "clock_tick", "helicopter",
    "chainsaw",
)
# fmt: on

# GitHub packs the archive anew from time to time: it has no checksum that holds.
ARCHIVE = RemoteFile(
    "ESC-50-master.zip", "https://github.com/karolpiczak/ESC-50/archive/refs/heads/master.zip", unpack="zip"
)

OVERLAPS = {
    "urbansound8k": "both cut from Freesound recordings, some of them the same",
    "fsd50k": "399 clips come from recordings that FSD50K has too, as LAION counted",
    "clotho": "94 clips come from recordings that Clotho has too, as LAION counted",
    "wavcaps": "its FreeSound part holds the same recordings; blacklist ub8k_esc50_vggsound leaves them out",
    "laion-630k": "Freesound (full) holds the same recordings; Freesound (no overlap) does not",
}

_CITATION = "K. J. Piczak, ESC: Dataset for Environmental Sound Classification, ACM Multimedia 2015"


def esc50_rows(raw: Path) -> Iterator[dict[str, Any]]:
    """Every clip of ESC-50 as a manifest row; `esc10` says whether it is one of ESC-10."""
    home = home_of(raw, "meta/esc50.csv")
    table = raw / home / "meta/esc50.csv"
    for row in table_rows(table, COLUMNS):
        yield {
            "id": row["filename"].removesuffix(".wav"),
            "audio": f"{home}/audio/{row['filename']}",
            "labels": [readable(row["category"])],
            "fold": int(number(row, "fold", table)),
            "freesound_id": row["src_file"],
            "take": row["take"],
            "target": int(number(row, "target", table)),
            "category": row["category"],
            "esc10": row["esc10"].strip() == "True",
        }


class Esc50(PublishedCorpus):
    """The registered corpus "esc50"."""

    info = CorpusInfo(
        name="esc50",
        title="2,000 environmental sounds of 5 s in 50 classes, five folds",
        licence="CC BY-NC 3.0 as a whole; each clip has its own in the published LICENSE",
        url="https://github.com/karolpiczak/ESC-50",
        kind="labels",
        labels="single",
        access="download",
        files=(ARCHIVE,),
        clips=2000,
        hours=2.8,
        id_space="freesound",
        overlaps=OVERLAPS | {"esc10": "ESC-10 is part of ESC-50", "esc50-actions": "the same clips with other labels"},
        classes={"labels": tuple(readable(name) for name in CATEGORIES)},
        citation=_CITATION,
    )

    def needs(self, config: CorpusConfig) -> Sequence[str]:
        """The table."""
        return ("**/meta/esc50.csv",)

    def rows(self, raw: Path, config: CorpusConfig) -> Iterator[dict[str, Any]]:
        """The clips, by file name."""
        yield from esc50_rows(raw)


class Esc10(Esc50):
    """The registered corpus "esc10"."""

    info = CorpusInfo(
        name="esc10",
        title="The 400 sounds of ESC-50 in 10 easier classes, all of them CC BY or freer",
        licence="CC BY 3.0",
        url="https://github.com/karolpiczak/ESC-50",
        kind="labels",
        labels="single",
        access="download",
        files=(ARCHIVE,),
        clips=400,
        hours=0.56,
        id_space="freesound",
        overlaps=OVERLAPS | {"esc50": "ESC-10 is part of ESC-50", "esc50-actions": "the same clips with other labels"},
        classes={"labels": tuple(readable(name) for name in _ESC10)},
        citation=_CITATION,
    )

    def rows(self, raw: Path, config: CorpusConfig) -> Iterator[dict[str, Any]]:
        """Those of ESC-50's clips that its table marks."""
        yield from (row for row in esc50_rows(raw) if row["esc10"])


corpora.add("esc50", Esc50())
corpora.add("esc10", Esc10())
