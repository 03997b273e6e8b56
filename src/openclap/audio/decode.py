"""Sound from a file, bytes or an array: float32 mono at its own rate, or an error that says what is wrong.

WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF (and whatever else libsndfile reads) need nothing but soundfile; M4A, AAC, MP4
and WebM need the extra `media`.

A range is the very same samples as in the whole. libsndfile (1.2.2) seeks MP3 by guess (mpg123's "fuzzy" mode), and
Vorbis up to a block off (448 samples, in every tenth real clip): there the samples before the range are decoded, too.

What is refused, always with the source and the reason:

- nothing there, or no sound file: `AudioNotFoundError`, `AudioDecodeError`;
- no samples, or a range that begins after the end: `EmptyAudioError`;
- a file that ends before it says (see `openclap.audio.containers` for what each format can tell):
  `TruncatedAudioError`, whatever range is asked for;
- NaN or infinity: `NonFiniteAudioError`;
- silence: `SilentAudioError`, when every sample of the mix-down is exactly zero and no range was asked for. A window of
  a long recording may be silent.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
from jaxtyping import Float32
from torch import Tensor

from openclap.audio import mp3
from openclap.audio.containers import MEDIA_CONTAINERS, closed, container_of, missing_end
from openclap.audio.media import decode_media, media_info
from openclap.audio.mono import as_float32, mix_down
from openclap.audio.source import AudioSource, BinaryFile, opened, source_name
from openclap.errors import (
    AudioDecodeError,
    AudioFormatError,
    EmptyAudioError,
    NonFiniteAudioError,
    SilentAudioError,
    TruncatedAudioError,
)
from openclap.types import Waveform

__all__ = ["AudioInfo", "AudioSource", "audio_info", "decode", "source_name"]

_SOUNDFILE_ERRORS = (soundfile.SoundFileError, RuntimeError, TypeError, ValueError, OSError, MemoryError)
_BLOCK_SAMPLES = 1 << 22  # all channels together: 16 MiB; keeps a lying header from asking for terabytes
_UNKNOWN_FRAMES = 1 << 62  # libsndfile's answer for a stream of unknown length is above this
_INEXACT_SEEK = frozenset({"MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III", "VORBIS"})
_GUESSED = frozenset({"mp3", "ogg"})  # the decoder's length may be off by a block; their own marks tell if they are cut
_RATES_HZ = range(100, 10_000_001)  # beyond, a broken header is likelier than a sound
_MOST_CHANNELS = 64  # in arrays: beyond, (samples, channels) was meant


@dataclass(frozen=True)
class AudioInfo:
    """What a source's header says.

    Attributes:
        sample_rate_hz: rate of the samples as stored.
        channels: how many there are before the mix-down.
        frames: samples a channel.
        duration_s: length in seconds.
        format: container and coding, as in "wav/pcm_16", "mp4/aac"; "array" for arrays.
    """

    sample_rate_hz: int
    channels: int
    frames: int
    duration_s: float
    format: str


def audio_info(source: AudioSource, *, sample_rate_hz: int | None = None) -> AudioInfo:
    """Rate, channels, length and format of a source, from its header.

    Only a header that does not say how long the sound is makes it be decoded, to count.

    Args:
        source: as for `decode`.
        sample_rate_hz: as for `decode`.

    Raises:
        AudioError: as for `decode`, but for what only the samples tell (silence, NaN, damage inside).
    """
    name = source_name(source)
    if isinstance(source, np.ndarray | Tensor | Waveform):
        channels, rate_hz = _array(source, name, sample_rate_hz)
        n_channels, frames = channels.shape
        return AudioInfo(rate_hz, n_channels, frames, frames / rate_hz, "array")
    _refuse_rate(name, sample_rate_hz)
    with opened(source) as file:
        container = _container(file, name)
        if container in MEDIA_CONTAINERS:
            rate_hz, n_channels, frames, codec = media_info(file, name, container)
            kind = f"{container}/{codec}"
        else:
            with _sound_file(file, name, container) as sound:
                rate_hz, n_channels, frames = sound.samplerate, sound.channels, sound.frames
                kind = f"{sound.format}/{sound.subtype}".lower()
                if frames >= _UNKNOWN_FRAMES:
                    frames = len(_read(sound, file, name, container, 0, None))
                if container == "mp3":
                    frames = mp3.counted_samples(file) or frames
    if frames == 0:
        raise EmptyAudioError(name, "holds no samples")
    return AudioInfo(rate_hz, n_channels, frames, frames / rate_hz, kind)


def decode(
    source: AudioSource,
    *,
    sample_rate_hz: int | None = None,
    start_s: float = 0.0,
    duration_s: float | None = None,
    allow_silent: bool = False,
) -> Waveform:
    """Float32 mono samples at the source's own rate: the mean of all channels, full scale at 1.

    Lossy codecs may overshoot full scale a little; nothing is clipped. Of a file, only the range asked for is decoded,
    except that MP3, Ogg Vorbis and bare AAC are decoded from their beginning (1 to 2 ms a second of sound).

    Args:
        source: a path, an encoded file's bytes, an open binary file (read from its beginning), an array or tensor of
            shape (samples,) or (channels, samples), or a `Waveform`. Integers are scaled by their type's full scale.
        sample_rate_hz: the rate of an array or tensor, in Hz; everything else knows its own.
        start_s: where the range begins, in seconds.
        duration_s: how long it is; None for all the rest. A range that reaches past the end gives what is there.
        allow_silent: take a source that is all zeros.

    Raises:
        AudioError: of the kind that the module's text lists.
        MissingExtraError: for a container that needs PyAV, where it is not installed.
        ValueError: for a negative start or duration.
    """
    if start_s < 0 or (duration_s is not None and duration_s < 0):
        raise ValueError(f"start_s and duration_s must not be negative, but are {start_s} and {duration_s}")
    name = source_name(source)
    if isinstance(source, np.ndarray | Tensor | Waveform):
        channels, rate_hz = _array(source, name, sample_rate_hz)
        first = round(start_s * rate_hz)
        last = None if duration_s is None else first + round(duration_s * rate_hz)
        samples = mix_down(channels[:, first:last])
    else:
        _refuse_rate(name, sample_rate_hz)
        samples, rate_hz = _decode_file(source, name, start_s, duration_s)
    if len(samples) == 0:
        ends = "holds no samples" if start_s == 0 else f"has no samples from {start_s:g} s on"
        raise EmptyAudioError(name, ends if duration_s is None else f"{ends} for {duration_s:g} s")
    if not np.isfinite(samples).all():
        where = int(np.flatnonzero(~np.isfinite(samples))[0]) / rate_hz + start_s
        raise NonFiniteAudioError(name, f"holds NaN or infinite samples, the first at {where:.3f} s")
    whole = start_s == 0 and duration_s is None
    if whole and not allow_silent and not samples.any():
        raise SilentAudioError(name, f"every one of its {len(samples)} samples is zero, once the channels are mixed")
    return Waveform(samples, rate_hz)


def _decode_file(
    source: AudioSource, name: str, start_s: float, duration_s: float | None
) -> tuple[Float32[np.ndarray, " samples"], int]:
    with opened(source) as file:
        container = _container(file, name)
        if container in MEDIA_CONTAINERS:
            samples, rate_hz = decode_media(file, name, container, start_s, duration_s)
            return samples, checked_rate(rate_hz, name)
        with _sound_file(file, name, container) as sound:
            rate_hz = sound.samplerate
            first = round(start_s * rate_hz)
            frames = None if duration_s is None else round(duration_s * rate_hz)
            return _read(sound, file, name, container, first, frames), rate_hz


def _container(file: BinaryFile, name: str) -> str | None:
    """The container, once the file is known not to be cut."""
    container = container_of(file)
    reason = missing_end(file, container)
    if reason is not None:
        raise TruncatedAudioError(name, f"the file is cut: {reason}")
    return container


def _sound_file(file: BinaryFile, name: str, container: str | None) -> soundfile.SoundFile:
    file = mp3.indexed(file) if container == "mp3" else closed(file, container)
    file.seek(0)
    try:
        sound = _Forward(file)
    except _SOUNDFILE_ERRORS as error:
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
    sound: soundfile.SoundFile, file: BinaryFile, name: str, container: str | None, first: int, frames: int | None
) -> Float32[np.ndarray, " samples"]:
    """Mono samples from the sample `first` on; block by block, so that many channels never stand in memory together."""
    known = sound.frames < _UNKNOWN_FRAMES
    end = sound.frames if frames is None else min(sound.frames, first + frames)
    block = max(1, _BLOCK_SAMPLES // sound.channels)
    parts, position = [np.zeros(0, np.float32)], 0
    try:
        if 0 < first < end and known and sound.subtype not in _INEXACT_SEEK:
            position = sound.seek(first)
        while position < end:
            values = sound.read(min(block, end - position), dtype="float32", always_2d=True)
            if len(values) == 0:
                break
            parts.append(mix_down(values[max(0, first - position) :].T))
            position += len(values)
    except _SOUNDFILE_ERRORS as error:
        if _at_end(file):
            reason = f"the file is cut: its header promises {sound.frames} samples, and the decoder found the end early"
            raise TruncatedAudioError(name, reason) from error
        raise AudioDecodeError(name, f"is broken inside ({_short(error)})") from error
    if known and container not in _GUESSED and position < end:
        raise TruncatedAudioError(name, f"the file is cut: of {sound.frames} samples, {position} are there")
    return np.concatenate(parts)


def _array(
    source: npt.NDArray[Any] | Tensor | Waveform, name: str, sample_rate_hz: int | None
) -> tuple[Float32[np.ndarray, "channels samples"], int]:
    if isinstance(source, Waveform):
        _refuse_rate(name, sample_rate_hz)
        return source.samples[None], checked_rate(source.sample_rate_hz, name)
    if sample_rate_hz is None:
        raise AudioFormatError(name, "an array does not know its rate: give sample_rate_hz")
    if isinstance(source, Tensor):
        source = (source.float() if source.is_floating_point() else source).detach().cpu().numpy()
    if source.ndim not in (1, 2):
        raise AudioFormatError(name, f"has shape {source.shape}, but must be (samples,) or (channels, samples)")
    channels = source[None] if source.ndim == 1 else source
    if channels.shape[0] > _MOST_CHANNELS:
        reason = f"has shape {source.shape}, which as (channels, samples) is too many channels; transpose it"
        raise AudioFormatError(name, reason)
    if channels.size == 0:
        raise EmptyAudioError(name, f"has shape {source.shape}: no samples")
    try:
        return as_float32(channels), checked_rate(sample_rate_hz, name)
    except TypeError as error:
        raise AudioFormatError(name, str(error)) from error


def _refuse_rate(name: str, sample_rate_hz: int | None) -> None:
    if sample_rate_hz is not None:
        raise AudioFormatError(name, f"knows its own rate; leave out sample_rate_hz (given: {sample_rate_hz})")


def checked_rate(rate_hz: int, name: str) -> int:
    """The rate itself.

    Raises:
        AudioFormatError: if no sound has such a rate.
    """
    if rate_hz not in _RATES_HZ:
        limits = f"{_RATES_HZ.start} Hz to {_RATES_HZ.stop - 1} Hz"
        raise AudioFormatError(name, f"a rate of {rate_hz} Hz is outside {limits}")
    return int(rate_hz)


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
