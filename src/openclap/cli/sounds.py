"""The sounds that a command line means: files, folders of files, shards, and manifests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from openclap.errors import DataError

if TYPE_CHECKING:
    from openclap.types import Waveform

MANIFESTS = frozenset({".jsonl", ".csv", ".tsv", ".parquet", ".tar"})


@dataclass(frozen=True)
class Sound:
    """A file, or a part of one.

    Attributes:
        path: the file.
        start_s: where the part begins.
        duration_s: how long it is; None reads to the end.
    """

    path: Path
    start_s: float = 0.0
    duration_s: float | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is a whole file."""
        return self.start_s == 0.0 and self.duration_s is None

    def load(self) -> Path | Waveform:
        """What a model is handed: the path, or the decoded part.

        Raises:
            AudioError: if the part cannot be decoded.
        """
        if self.is_whole:
            return self.path
        from openclap.audio.decode import decode

        return decode(self.path, start_s=self.start_s, duration_s=self.duration_s)

    @cached_property
    def key(self) -> str:
        """What this part of this very file is known by: another size or time of change makes another key."""
        from openclap.audio.members import file_behind

        try:
            about = file_behind(self.path).stat()
        except OSError:  # reading it will say why
            return f"{self}?"
        return f"{self}?{about.st_size}@{about.st_mtime_ns}"

    def length_s(self) -> float:
        """How long it is by its header, in seconds; 0 for what has none that can be read."""
        if self.duration_s is not None:
            return self.duration_s
        from openclap.audio.decode import audio_info
        from openclap.errors import AudioError

        try:
            return audio_info(self.path).duration_s - self.start_s
        except AudioError:  # embedding it will say why
            return 0.0

    def __str__(self) -> str:
        if self.is_whole:
            return str(self.path)
        end = "" if self.duration_s is None else f",{self.start_s + self.duration_s:g}"
        return f"{self.path}#t={self.start_s:g}{end}"  # a W3C media fragment


def find_sounds(places: Iterable[Path]) -> list[Sound]:
    """The sounds in files, folders (all below them, in the order of their paths) and manifests.

    Raises:
        DataError: if a place does not exist, or there is no sound in any.
    """
    places = list(places)
    found = [sound for place in places for sound in _in(place)]
    if not found:
        raise DataError(f"there is no sound in {', '.join(map(str, places))}")
    return list(dict.fromkeys(found))


def _in(place: Path) -> list[Sound]:
    from openclap.audio.members import file_behind
    from openclap.data.manifest import read_manifest
    from openclap.data.readers import AUDIO_SUFFIXES, files_below
    from openclap.data.shards.read import shard_archives

    if place.is_dir() and not shard_archives(place):
        files = (place / name for name in files_below(place))
        return sorted(
            (Sound(file) for file in files if file.suffix.lower() in AUDIO_SUFFIXES), key=lambda sound: sound.path
        )
    if place.suffix.lower() in MANIFESTS or place.is_dir():
        examples = read_manifest(place, check_files=False).examples
        return [Sound(example.audio, example.start_s, example.duration_s) for example in examples]
    if not file_behind(place).exists():
        raise DataError(f"{place}: there is no such file or folder")
    return [Sound(place)]
