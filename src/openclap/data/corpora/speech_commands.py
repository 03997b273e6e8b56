"""Speech Commands: single English words of 1 s, said by thousands of people into their own microphones.

Layout as published: `WORD/SPEAKER_nohash_TAKE.wav`, `_background_noise_/NAME.wav` (six recordings of a minute or so),
and the lists `validation_list.txt` and `testing_list.txt` of `WORD/SPEAKER_nohash_TAKE.wav`; what stands in neither is
for training. Version 0.02 has 35 words, 0.01 has 30. The column `command` has the word if it is one of ten, and
"unknown" else. Two protocols are in use:

  35 words    every word is a class (MS-CLAP, AST);
  12 classes  ten words, "unknown" for all others, and "silence"; the test set is an archive of its own with folders
              `_unknown_` and `_silence_`. Silence for training and validation is cut from the background recordings,
              1 s every half second, and `running_tap.wav` is for validation: so have it TensorFlow Datasets
              (Apache-2.0) and HEAR.

Where the lists are absent, the split is that of the published README: a SHA-1 of the name up to `_nohash_` decides, so
that a speaker stays in one part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import soundfile
from pydantic import model_validator

from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.published import sound_files

# fmt: off
WORDS = (
    "backward", "bed", "bird", "cat", "dog", "down", "eight", "five", "follow", "forward", "four", "go", "happy",
    "house", "learn", "left", "marvin", "nine", "no", "off", "on", "one", "right", "seven", "sheila", "six", "stop",
    "three", "tree", "two", "up", "visual", "wow", "yes", "zero",
)
# fmt: on
COMMANDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
SILENCE, UNKNOWN = "silence", "unknown"

_URL = "https://storage.googleapis.com/download.tensorflow.org/data"
_MD5 = {"0.01": "3cd23799cb2bbdec517f1cc028f8d43c", "0.02": "6b74f3901214cb2c2934e98196829835"}
_SHA256 = {
    "0.01": "743935421bb51cccdb6bdd152e04c5c70274e935c82119ad7faeec31780d811d",
    "0.02": "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
}
_BYTES = {"0.02": 2428923189}
_TEST_SET = "speech_commands_test_set_v0.02"
_LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
_BACKGROUND = "_background_noise_"
_HASHES = 2**27 - 1  # as the published README has it


def _folder(version: str) -> str:
    return f"speech_commands_v{version}"


def _archive(name: str, **published: Any) -> RemoteFile:
    # The archives unpack into no folder of their own.
    return RemoteFile(f"{name}.tar.gz", f"{_URL}/{name}.tar.gz", unpack="tar", into=name, **published)


def _release(version: str) -> RemoteFile:
    return _archive(_folder(version), bytes=_BYTES.get(version), md5=_MD5[version], sha256=_SHA256[version])


class SpeechCommandsConfig(CorpusConfig):
    """Settings of the corpus.

    Attributes:
        release: "0.02" (35 words) or "0.01" (30 words).
        classes: 35 (every word of the release), or 12 (ten words, unknown, silence; 0.02 only, with its own test set).
    """

    release: Literal["0.01", "0.02"] = "0.02"
    classes: Literal[35, 12] = 35

    @model_validator(mode="after")
    def _has_a_test_set(self) -> SpeechCommandsConfig:
        if self.classes == 12 and self.release != "0.02":
            raise ValueError(f"classes is 12 and release {self.release}, but the test set of the 12 is of 0.02")
        return self


class SpeechCommands(PublishedCorpus):
    """The registered corpus "speech-commands"."""

    info = CorpusInfo(
        name="speech-commands",
        title="105,829 recordings of 35 spoken words",
        licence="CC BY 4.0",
        url="https://arxiv.org/abs/1804.03209",
        kind="labels",
        labels="single",
        access="download",
        files=(_release("0.02"),),
        splits={"train": 84843, "validation": 9981, "test": 11005},
        hours=29.0,
        classes={"labels": WORDS, "command": (*COMMANDS, SILENCE, UNKNOWN)},
        citation="P. Warden, Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition, arXiv 1804.03209",
    )
    config = SpeechCommandsConfig

    def needs(self, config: SpeechCommandsConfig) -> Sequence[str]:
        """The words, and the test set of the 12 classes."""
        test_set = (f"{_TEST_SET}/*/*.wav", f"{_folder(config.release)}/{_BACKGROUND}/*.wav")
        return (f"{_folder(config.release)}/*/*_nohash_*.wav", *(test_set if config.classes == 12 else ()))

    def files(self, config: SpeechCommandsConfig) -> Iterable[RemoteFile]:
        """The release, and the test set of the 12 classes."""
        yield _release(config.release)
        if config.classes == 12:
            yield _archive(_TEST_SET, md5="854c580ee90bff80c516491c84544e32")

    def rows(self, raw: Path, config: SpeechCommandsConfig) -> Iterator[dict[str, Any]]:
        """The words, by word and speaker; then, with 12 classes, silence and the test set."""
        home = _folder(config.release)
        splits = _splits(raw / home)
        for path in sound_files(raw, f"{home}/[!_]*/*_nohash_*.wav"):
            own = "/".join(PurePosixPath(path).parts[-2:])
            split = splits.get(own, "train") if splits else hash_split(own)
            # The test part of the release, less its silence, is in the test set of the 12 classes.
            if config.classes == 35 or split != "test":
                yield _row(own, path, split, config)
        if config.classes == 12:
            yield from _silence(raw, home)
            for path in sound_files(raw, f"{_TEST_SET}/*/*.wav"):
                row = _row("/".join(PurePosixPath(path).parts[-2:]), path, "test", config)
                yield {**row, "id": f"test/{row['id']}"}


def hash_split(name: str) -> str:
    """The split that the published rule gives `WORD/SPEAKER_nohash_TAKE.wav`: a tenth each for validation and test."""
    speaker = PurePosixPath(name).name.split("_nohash_")[0]
    # Not for secrecy: the rule says SHA-1.
    number = int(hashlib.sha1(speaker.encode(), usedforsecurity=False).hexdigest(), 16) % (_HASHES + 1)
    percent = number * 100 / _HASHES
    return "validation" if percent < 10 else "test" if percent < 20 else "train"


def _row(own: str, path: str, split: str, config: SpeechCommandsConfig) -> dict[str, Any]:
    word, name = own.split("/")
    label = word.strip("_")
    command = label if label in (*COMMANDS, SILENCE) else UNKNOWN
    speaker, _, take = PurePosixPath(name).stem.partition("_nohash_")
    return {
        "id": own.removesuffix(".wav"),
        "audio": path,
        "labels": [label if config.classes == 35 else command],
        "split": split,
        "word": word,
        "command": command,
        "speaker": speaker if take else None,
    }


def _splits(home: Path) -> dict[str, str]:
    """The split of each clip in the lists; empty if there are none."""
    lists = {split: home / name for split, name in _LISTS.items()}
    if not all(path.is_file() for path in lists.values()):
        return {}
    return {
        line.strip(): split for split, path in lists.items() for line in path.read_text("utf-8").splitlines() if line
    }


def _silence(raw: Path, home: str) -> Iterator[dict[str, Any]]:
    """A second every half second of the background recordings."""
    for path in sound_files(raw, f"{home}/{_BACKGROUND}/*.wav"):
        sound, name = soundfile.info(raw / path), PurePosixPath(path).stem
        for start in range(0, sound.frames - sound.samplerate, sound.samplerate // 2):
            start_s = start / sound.samplerate
            yield {
                "id": f"{_BACKGROUND}/{name}@{start_s:g}",
                "audio": path,
                "labels": [SILENCE],
                "split": "validation" if name == "running_tap" else "train",
                "start_s": start_s,
                "duration_s": 1.0,
                "word": _BACKGROUND,
                "command": SILENCE,
            }


corpora.add("speech-commands", SpeechCommands())
