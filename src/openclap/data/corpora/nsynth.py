"""NSynth: 305,979 single notes of 4 s from 1,006 instruments, with pitch, velocity, family, source and qualities.

Layout as published (magenta.tensorflow.org/datasets/nsynth): `nsynth-train/`, `nsynth-valid/`, `nsynth-test/`, each
with `audio/NOTE.wav` and `examples.json`, one object from NOTE ("bass_synthetic_033-022-050") to its features. No
instrument of train is in valid or test. Four tasks come of it: the family (`labels`), and the columns `pitch` (MIDI
number), `velocity` and `qualities` (several or none a note). HEAR's pitch task keeps MIDI 21 to 108 alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.published import home_of, readable
from openclap.errors import DataError, ManifestError

SPLITS = {"train": "train", "validation": "valid", "test": "test"}
FAMILIES = (
    "bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string", "synth_lead", "vocal",
)  # fmt: skip
SOURCES = ("acoustic", "electronic", "synthetic")
QUALITIES = (
    "bright", "dark", "distortion", "fast_decay", "long_release", "multiphonic", "nonlinear_env", "percussive",
    "reverb", "tempo-synced",
)  # fmt: skip
VELOCITIES = (25, 50, 75, 100, 127)

_URL = "http://download.magenta.tensorflow.org/datasets/nsynth"
_MD5 = {
    "train": "fde6665a93865503ba598b9fac388660",
    "valid": "87e94a00a19b6dbc99cf6d4c0c0cae87",
    "test": "5e6f8719bf7e16ad0a00d518b78af77d",
}
_BYTES = {"test": 349501546}
_WORDS = {"nonlinear_env": "nonlinear envelope"}


def _file(split: str) -> RemoteFile:
    archive = f"nsynth-{SPLITS[split]}.jsonwav.tar.gz"
    return RemoteFile(archive, f"{_URL}/{archive}", bytes=_BYTES.get(split), md5=_MD5[SPLITS[split]], unpack="tar")


class NsynthConfig(CorpusConfig):
    """Settings of the corpus.

    Attributes:
        splits: which splits; train alone is more than 20 GB, and evaluation without training needs only test.
    """

    splits: tuple[Literal["train", "validation", "test"], ...] = ("train", "validation", "test")


class Nsynth(PublishedCorpus):
    """The registered corpus "nsynth"."""

    info = CorpusInfo(
        name="nsynth",
        title="305,979 notes of 4 s with instrument family, pitch, velocity and qualities",
        licence="CC BY 4.0",
        url="https://magenta.tensorflow.org/datasets/nsynth",
        kind="labels",
        labels="single",
        access="download",
        files=tuple(_file(split) for split in SPLITS),
        splits={"train": 289205, "validation": 12678, "test": 4096},
        hours=340.0,
        classes={
            "labels": tuple(readable(name) for name in FAMILIES),
            "pitch": tuple(str(pitch) for pitch in range(128)),
            "velocity": tuple(str(velocity) for velocity in VELOCITIES),
            "qualities": tuple(_WORDS.get(name, readable(name)) for name in QUALITIES),
            "instrument_source": SOURCES,
        },
        citation="J. Engel et al., Neural Audio Synthesis of Musical Notes with WaveNet Autoencoders, ICML 2017",
    )
    config = NsynthConfig

    def needs(self, config: NsynthConfig) -> Sequence[str]:
        """The table of each split."""
        return tuple(f"**/nsynth-{SPLITS[split]}/examples.json" for split in config.splits)

    def files(self, config: NsynthConfig) -> Iterable[RemoteFile]:
        """The archives of the wanted splits."""
        return (_file(split) for split in config.splits)

    def rows(self, raw: Path, config: NsynthConfig) -> Iterator[dict[str, Any]]:
        """The notes, split by split, in the tables' order."""
        for split in config.splits:
            folder = f"nsynth-{SPLITS[split]}"
            home = f"{home_of(raw, f'{folder}/examples.json')}/{folder}"
            for note, says in object_items(raw / home / "examples.json"):
                try:
                    yield _row(note, says, split, home)
                except (KeyError, TypeError) as error:
                    raise DataError(f"{raw / home / 'examples.json'} says of {note} no {error}") from error


def _row(note: str, says: dict[str, Any], split: str, home: str) -> dict[str, Any]:
    return {
        "id": note,
        "audio": f"{home}/audio/{note}.wav",
        "labels": [readable(says["instrument_family_str"])],
        "split": split,
        "pitch": says["pitch"],
        "velocity": says["velocity"],
        "qualities": [_WORDS.get(name, readable(name)) for name in says["qualities_str"]],
        "instrument": says["instrument_str"],
        "instrument_source": says["instrument_source_str"],
        "category": says["instrument_family_str"],
    }


def object_items(path: Path) -> Iterator[tuple[str, Any]]:
    """The members of the one JSON object that a file holds, one at a time.

    `json.load` would hold 300,000 notes as dicts, ten times the file's own size.

    Raises:
        ManifestError: if it holds something else.
    """
    decoder = json.JSONDecoder()
    try:
        text = path.read_text(encoding="utf-8-sig")
        place = _expect(text, 0, "{")
        while text[place] != "}":
            key, place = decoder.raw_decode(text, place)
            value, place = decoder.raw_decode(text, _expect(text, place, ":"))
            yield str(key), value
            place = _space(text, place)
            if text[place] != "}":
                place = _expect(text, place, ",")
    except (OSError, ValueError, IndexError) as error:
        raise ManifestError(path, f"is not one whole JSON object ({error})") from error


def _expect(text: str, place: int, mark: str) -> int:
    """Where something follows `mark`, which must come next."""
    place = _space(text, place)
    if text[place] != mark:
        raise ValueError(f"expected {mark!r} at character {place}")
    return _space(text, place + 1)


def _space(text: str, place: int) -> int:
    """The next place that is not white space."""
    while text[place] in " \t\r\n":
        place += 1
    return place


corpora.add("nsynth", Nsynth())
