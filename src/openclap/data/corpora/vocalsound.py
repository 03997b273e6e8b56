"""VocalSound: 21,024 crowdsourced recordings of laughter, sighs, coughs, throat clearing, sneezes and sniffs.

Layout as published (github.com/YuanGongND/vocalsound), at 16 kHz or at 44.1 kHz: `audio_16k/SPEAKER_TIME_SOUND.wav`
(`data_44k/` in the larger archive), `datafiles/tr.json`, `val.json` and `te.json` ({"data": [{"wav": …, "labels":
AudioSet id, …}]}; the paths in them are the authors' own, only the file name counts), and `meta/*_meta.csv` with a line
a speaker: id, gender, age, country, native language, health ("no" is no problem). No speaker is in two splits.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.published import NamePattern, home_of, sound_files
from openclap.data.tables import load_json
from openclap.errors import DataError

SPLITS = {"train": "tr", "validation": "val", "test": "te"}
SOUNDS = {
    "/m/01j3sz": "laughter",
    "/m/07plz5l": "sigh",
    "/m/01b_21": "cough",
    "/m/0dl9sf8": "throat clearing",
    "/m/01hsr_": "sneeze",
    "/m/07ppn3j": "sniff",
}
"""AudioSet ids and labels, in the order of the published `class_labels_indices_vs.csv`."""

_FOLDERS = {"16k": ("audio_16k",), "44k": ("data_44k", "audio_44k")}
_ARCHIVES = {
    "16k": RemoteFile(
        "vs_release_16k.zip", "https://www.dropbox.com/s/c5ace70qh1vbyzb/vs_release_16k.zip?dl=1", unpack="zip"
    ),
    "44k": RemoteFile(
        "vs_release_44k.zip", "https://www.dropbox.com/s/ybgaprezl8ubcce/vs_release_44k.zip?dl=1", unpack="zip"
    ),
}
_NAMES = NamePattern(r"(?P<speaker>(?P<gender>[fm])\d+)_(?P<time>\d+)_(?P<sound>[a-z]+)", "SPEAKER_TIME_SOUND")
_META = ("speaker", "gender", "age", "country", "native_language", "health")


class VocalSoundConfig(CorpusConfig):
    """Settings of the corpus.

    Attributes:
        rate: which of the two releases: 16 kHz (1.7 GB, the authors' baseline) or 44.1 kHz (4.5 GB).
    """

    rate: Literal["16k", "44k"] = "16k"


class VocalSound(PublishedCorpus):
    """The registered corpus "vocalsound"."""

    info = CorpusInfo(
        name="vocalsound",
        title="21,024 recordings of six vocal sounds by 3,365 people",
        licence="CC BY-SA 4.0",
        url="https://github.com/YuanGongND/vocalsound",
        kind="labels",
        labels="single",
        access="download",
        files=(_ARCHIVES["16k"],),
        splits={"train": 15570, "validation": 1860, "test": 3594},
        classes={"labels": tuple(SOUNDS.values())},
        citation="Y. Gong, J. Yu, J. Glass, VocalSound: A Dataset for Improving Human Vocal Sounds Recognition, "
        "ICASSP 2022",
    )
    config = VocalSoundConfig

    def needs(self, config: VocalSoundConfig) -> Sequence[str]:
        """The three lists."""
        return tuple(f"**/datafiles/{short}.json" for short in SPLITS.values())

    def files(self, config: VocalSoundConfig) -> Iterable[RemoteFile]:
        """The release of the wanted rate."""
        return (_ARCHIVES[config.rate],)

    def rows(self, raw: Path, config: VocalSoundConfig) -> Iterator[dict[str, Any]]:
        """The recordings, split by split, in the order of the lists."""
        home = home_of(raw, "datafiles/te.json")
        wavs = sound_files(raw, *(f"**/{folder}/*.wav" for folder in _FOLDERS[config.rate]))
        sounds = {PurePosixPath(path).name: path for path in wavs}
        for split, short in SPLITS.items():
            speakers = _speakers(raw / home / "meta" / f"{short}_meta.csv")
            for wav, code in _listed(raw / home / "datafiles" / f"{short}.json"):
                name = _NAMES.read(wav)
                yield {
                    "id": PurePosixPath(wav).stem,
                    "audio": sounds.get(wav),
                    "labels": [SOUNDS[code]],
                    "split": split,
                    "audioset_id": code,
                    "gender": {"f": "female", "m": "male"}[name["gender"]],
                    **speakers.get(name["speaker"], {"speaker": name["speaker"]}),
                }


def _listed(path: Path) -> Iterator[tuple[str, str]]:
    """File names and AudioSet ids of one list."""
    try:
        for entry in load_json(path)["data"]:
            code = str(entry["labels"])
            if code not in SOUNDS:
                raise DataError(f"{path} has the label {code!r}, which is none of {', '.join(SOUNDS)}")
            yield PurePosixPath(str(entry["wav"]).replace("\\", "/")).name, code
    except (KeyError, TypeError) as error:
        raise DataError(f"{path} is not what was published: a list `data` of objects with wav and labels") from error


def _speakers(path: Path) -> dict[str, dict[str, str]]:
    """What is told of each speaker, apart from the gender that the file names tell; nothing if the file is not there.

    A line that names the columns is no speaker: releases differ in whether they have one.
    """
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        lines = [cells for cells in csv.reader(file) if len(cells) == len(_META) and cells[0][1:].isdigit()]
    told = [dict(zip(_META, (cell.strip() for cell in cells), strict=True)) for cells in lines]
    return {each["speaker"]: {name: said for name, said in each.items() if name != "gender"} for each in told}


corpora.add("vocalsound", VocalSound())
