"""Any clip as a file that every browser plays: the file itself where it can be, else its samples as WAV.

Time ranges of files, and the formats that browsers differ on (AIFF, CAF, 24 bits, more than two channels …), go
through openclap's own decoder, whose mono mix is what a model hears. They are written once and kept while there is
room, so that a player may ask for any part again and again.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import soundfile

from openclap.audio.decode import AudioInfo, audio_info, decode, decode_blocks
from openclap.audio.members import member_of, open_encoded
from openclap.audio.resample import resample_blocks
from openclap.types import Waveform

_MEDIA_TYPES = {
    "wav/pcm_16": "audio/wav",
    "wav/pcm_u8": "audio/wav",
    "flac/pcm_16": "audio/flac",
    "ogg/vorbis": "audio/ogg",
    "ogg/opus": "audio/ogg",
    "mp3/mpeg_layer_iii": "audio/mpeg",
}
_RATES_HZ = range(8_000, 96_001)  # beyond, browsers differ
_RESAMPLED_HZ = 48_000
_BLOCK_S = 10.0


@dataclass(frozen=True)
class PlayableFile:
    """A file, and what a browser is told that it is."""

    path: Path
    media_type: str


class PlayableFiles:
    """Clips as playable files; those that had to be written lie in a folder that `close` removes.

    Args:
        most_bytes: room for what is written; beyond, what was asked for longest ago is written again when wanted.
    """

    def __init__(self, most_bytes: int = 1 << 30) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="openclap-", ignore_cleanup_errors=True)
        self._most_bytes = most_bytes
        self._written: OrderedDict[tuple[object, ...], Path] = OrderedDict()
        self._lock = threading.Lock()
        self._count = 0

    def get(
        self, source: str | os.PathLike[str], *, start_s: float = 0.0, duration_s: float | None = None
    ) -> PlayableFile:
        """The clip as a file.

        Raises:
            AudioError: if the sound cannot be used.
        """
        info = audio_info(source)
        plays = start_s == 0 and duration_s is None and _plays(info)
        if plays and member_of(source) is None:
            return PlayableFile(Path(source), _MEDIA_TYPES[info.format])
        write = _copy if plays else _write_wav
        key = (os.fspath(source), start_s, duration_s)
        with self._lock:  # one decoder at a time: whoever listens, listens to one clip
            path = self._written.get(key)
            if path is None:
                path = self._new_path()
                try:
                    write(path, source, start_s, duration_s)
                except BaseException:
                    path.unlink(missing_ok=True)
                    raise
                self._written[key] = path
                self._make_room()
            self._written.move_to_end(key)
        return PlayableFile(path, _MEDIA_TYPES[info.format] if plays else "audio/wav")

    def close(self) -> None:
        """Remove what was written."""
        self._folder.cleanup()

    def _new_path(self) -> Path:
        self._count += 1
        return Path(self._folder.name) / str(self._count)

    def _make_room(self) -> None:
        """Remove the oldest; the newest stays, however large it is."""
        used = sum(path.stat().st_size for path in self._written.values())
        while used > self._most_bytes and len(self._written) > 1:
            _, oldest = self._written.popitem(last=False)
            used -= oldest.stat().st_size
            oldest.unlink()


def _copy(path: Path, source: str | os.PathLike[str], start_s: float, duration_s: float | None) -> None:  # noqa: ARG001
    """Copy an encoded sound out of the archive that it is a member of."""
    with open_encoded(Path(source)) as inside, path.open("wb") as outside:
        shutil.copyfileobj(inside, outside)


def _write_wav(path: Path, source: str | os.PathLike[str], start_s: float, duration_s: float | None) -> None:
    blocks = _blocks(source, start_s, duration_s)
    first = next(blocks)
    with soundfile.SoundFile(path, "w", first.sample_rate_hz, 1, "PCM_16", format="WAV") as file:
        file.write(first.samples)
        for block in blocks:
            file.write(block.samples)


def _plays(info: AudioInfo) -> bool:
    return info.format in _MEDIA_TYPES and info.channels <= 2 and info.sample_rate_hz in _RATES_HZ


def _blocks(source: str | os.PathLike[str], start_s: float, duration_s: float | None) -> Iterator[Waveform]:
    """A clip's samples at a rate that browsers play; a whole file comes in blocks, of any length it has."""
    if start_s == 0 and duration_s is None:
        rate_hz = audio_info(source).sample_rate_hz
        blocks = decode_blocks(source, block_s=_BLOCK_S)
    else:
        clip = decode(source, start_s=start_s, duration_s=duration_s, allow_silent=True)
        rate_hz, blocks = clip.sample_rate_hz, iter((clip,))
    return blocks if rate_hz in _RATES_HZ else resample_blocks(blocks, _RESAMPLED_HZ)
