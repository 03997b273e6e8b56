"""Sound in WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF and whatever else libsndfile reads, through soundfile.

A range is the very same samples as in the whole. libsndfile (1.2.2) seeks MP3 by guess (mpg123's "fuzzy" mode), and
Vorbis up to a block off (448 samples, in every tenth real clip): there the samples before the range are decoded, too.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator

import soundfile

from openclap.audio import mp3
from openclap.audio.containers import closed
from openclap.audio.mono import mix_down
from openclap.audio.source import BinaryFile, checked_rate
from openclap.errors import AudioDecodeError, TruncatedAudioError
from openclap.types import Waveform

_ERRORS = (soundfile.SoundFileError, RuntimeError, TypeError, ValueError, OSError, MemoryError)
_BLOCK_SAMPLES = 1 << 22  # all channels together: 16 MiB; keeps a lying header from asking for terabytes
_UNKNOWN_FRAMES = 1 << 62  # libsndfile's answer for a stream of unknown length is above this
_INEXACT_SEEK = frozenset({"MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III", "VORBIS"})
_GUESSED = frozenset({"mp3", "ogg"})  # the decoder's length may be off by a block; their own marks tell if they are cut


def sound_info(file: BinaryFile, name: str, container: str | None) -> tuple[int, int, int, str]:
    """Sample rate in Hz, channels, samples a channel, and container and coding as in "wav/pcm_16".

    Where the header does not say how long the sound is, it is decoded to count.

    Raises:
        AudioError: if it is no sound that libsndfile reads, or broken.
    """
    with _opened(file, name, container) as sound:
        frames = sound.frames
        if frames >= _UNKNOWN_FRAMES:
            frames = sum(len(part.samples) for part in _read(sound, file, name, container, 0, None, math.inf))
        if container == "mp3":
            frames = mp3.counted_samples(file) or frames
        return sound.samplerate, sound.channels, frames, f"{sound.format}/{sound.subtype}".lower()


def sound_parts(
    file: BinaryFile, name: str, container: str | None, start_s: float, duration_s: float | None, most_s: float
) -> Iterator[Waveform]:
    """Mono sound from `start_s` on, in parts that follow each other; each of at most `most_s` seconds.

    Raises:
        TruncatedAudioError: at the end, if it comes before the header says.
        AudioError: if it is no sound that libsndfile reads, or broken.
    """
    with _opened(file, name, container) as sound:
        first = round(start_s * sound.samplerate)
        frames = None if duration_s is None else round(duration_s * sound.samplerate)
        yield from _read(sound, file, name, container, first, frames, most_s * sound.samplerate)


def _opened(file: BinaryFile, name: str, container: str | None) -> soundfile.SoundFile:
    file = mp3.indexed(file) if container == "mp3" else closed(file, container)
    file.seek(0)
    try:
        sound = _Forward(file)
    except _ERRORS as error:
        known = "is no sound file that is known" if container is None else f"is a broken {container} file"
        raise AudioDecodeError(name, f"{known} ({_short(error)})") from error
    checked_rate(sound.samplerate, name)
    return sound


class _Forward(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sound file without the seek that soundfile makes after every read.

    That moves MP3 and Vorbis to another place, and fails at the end of FLAC that was streamed without a length.
    """

    def seekable(self) -> bool:
        return False


def _read(
    sound: soundfile.SoundFile,
    file: BinaryFile,
    name: str,
    container: str | None,
    first: int,
    frames: int | None,
    most: float,
) -> Iterator[Waveform]:
    """Mono parts from the sample `first` on; mixed one by one, so that many channels never stand in memory together."""
    known = sound.frames < _UNKNOWN_FRAMES
    end = sound.frames if frames is None else min(sound.frames, first + frames)
    block = max(1, round(min(most, _BLOCK_SAMPLES // sound.channels)))
    position = 0
    try:
        if 0 < first < end and known and sound.subtype not in _INEXACT_SEEK:
            position = sound.seek(first)
        while position < end:
            values = sound.read(min(block, end - position), dtype="float32", always_2d=True)
            if len(values) == 0:
                break
            wanted = values[max(0, first - position) :]
            position += len(values)
            if len(wanted):
                yield Waveform(mix_down(wanted.T), sound.samplerate)
    except _ERRORS as error:
        if _at_end(file):
            reason = f"the file is cut: its header promises {sound.frames} samples, and the decoder found the end early"
            raise TruncatedAudioError(name, reason) from error
        raise AudioDecodeError(name, f"is broken inside ({_short(error)})") from error
    if known and container not in _GUESSED and position < end:
        raise TruncatedAudioError(name, f"the file is cut: of {sound.frames} samples, {position} are there")


def _at_end(file: BinaryFile) -> bool:
    return file.tell() >= _size(file)


def _size(file: BinaryFile) -> int:
    """The file's size; it stays where it is, since the decoder is in the middle of it."""
    position = file.tell()
    size = file.seek(0, io.SEEK_END)
    file.seek(position)
    return size


def _short(error: Exception) -> str:
    """A decoder's own words, without the file object that it repeats."""
    return str(getattr(error, "error_string", error)).removeprefix("Error : ").rstrip(".")
