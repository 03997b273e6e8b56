"""Clips of YouTube videos as people keep them on their disks: found by the video's id, under whichever name.

No corpus of YouTube publishes its sound, and openclap does not download it. What is on a disk is found wherever it lies
below a folder, if its name is one of these (with any suffix of sound):
    ID                        the clip, cut out of the video
    YID                       the same, as PANNs' and WavCaps' files are named (an id may begin with a dash)
    ID_START, ID_START_END    with the seconds, as 30, 30.000 or 000030 (VGGSound), or the milliseconds, as 30000
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from openclap.data.corpus import CorpusConfig
from openclap.data.readers import AUDIO_SUFFIXES

INSTRUCTIONS = (
    "Its sound is YouTube's, and is not published with it: put what you have of it below raw/audio (or name the folder "
    "with --set audio=/THE/FOLDER), as ID.wav, YID.wav, ID_START.wav or ID_START_END.wav, with ID the video's 11 "
    "characters and START in seconds or milliseconds; any audio format, folders in any order. Clips that are not "
    "there are left out and counted."
)
"""What a corpus of YouTube clips says in its `instructions`."""

_NAME = re.compile(r"(?P<first>Y?)(?P<id>[\w-]{11})(?P<rest>(?:_\d+(?:\.\d+)?){0,2})", re.ASCII)


class YouTubeConfig(CorpusConfig):
    """Settings of a corpus whose clips are parts of YouTube videos.

    Attributes:
        audio: the folder with the sound: a path from raw, or an absolute one.
        whole_videos: files named without a start hold whole videos: rows then say which seconds of them are meant.
    """

    audio: str = "audio"
    whole_videos: bool = False


class ClipFiles:
    """Where the clips are: 12 bytes a file are kept, whatever the length of its name.

    Args:
        folder: searched with all folders below it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: list[tuple[str, str, str, str]] = []  # folder, what stands before the id, what after, suffix
        numbers: dict[tuple[str, str, str, str], int] = {}
        keys, values = array("q"), array("l")
        for directory, name in _sounds(str(folder)):
            stem, suffix = os.path.splitext(name)  # noqa: PTH122 — runs two million times
            match = _NAME.fullmatch(stem)
            if match is not None:
                place = (directory, match["first"], match["rest"], suffix)
                number = numbers.setdefault(place, len(numbers))
                if number == len(self._places):
                    self._places.append(place)
                keys.append(hash(match["id"]))
                values.append(number)
        found = np.asarray(keys)
        order = np.argsort(found, kind="stable")
        self._keys, self._values = found[order], np.asarray(values)[order]

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, youtube_id: str, start_s: float | None = None) -> tuple[str | None, bool]:
        """The file of a clip (None if there is none), and whether its name says where the clip starts.

        A file whose name has another start is another clip; one without a start is taken for this one.
        """
        key = hash(youtube_id)
        low, high = np.searchsorted(self._keys, key), np.searchsorted(self._keys, key, side="right")
        best: tuple[bool, str] | None = None
        for value in self._values[low:high]:
            directory, first, rest, suffix = self._places[value]
            if rest and start_s is not None and not _starts(rest, start_s):
                continue
            candidate = (not rest, os.path.join(directory, f"{first}{youtube_id}{rest}{suffix}"))  # noqa: PTH118
            best = candidate if best is None else min(best, candidate)
        return (None, False) if best is None else (best[1], not best[0])

    def row(self, youtube_id: str, start_s: float | None, end_s: float | None, config: YouTubeConfig) -> dict[str, Any]:
        """What a manifest row says of a clip: its file, its video, and the seconds of it."""
        audio, named = self.find(youtube_id, start_s)
        row: dict[str, Any] = {"audio": audio, "youtube_id": youtube_id}
        row |= {"youtube_start_s": start_s, "youtube_end_s": end_s}
        if config.whole_videos and not named and start_s is not None:
            row |= {"start_s": start_s, "duration_s": None if end_s is None else end_s - start_s}
        return row


def clip_files(raw: Path, config: YouTubeConfig) -> ClipFiles:
    """The clips in the folder that the config names."""
    return ClipFiles(raw.absolute() / config.audio)  # joining an absolute path gives that path


def _sounds(folder: str) -> Iterator[tuple[str, str]]:
    """Folder and name of each sound below `folder`, through links but each folder once, without what is hidden."""
    waiting, seen = [folder], set[str]()
    while waiting:
        directory = waiting.pop()
        real = os.path.realpath(directory)
        if real in seen or not os.path.isdir(directory):  # noqa: PTH112
            continue
        seen.add(real)
        with os.scandir(directory) as entries:  # one at a time: a folder may hold two million
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if os.path.splitext(entry.name)[1].lower() in AUDIO_SUFFIXES:  # noqa: PTH122
                    yield directory, entry.name
                elif entry.is_dir():
                    waiting.append(entry.path)


def _starts(rest: str, start_s: float) -> bool:
    """Whether what follows an id in a name is this start, in seconds or milliseconds."""
    stated = float(rest.split("_")[1])
    return abs(stated - start_s) < 0.0015 or abs(stated - 1000 * start_s) < 0.5
