"""Sound from a file, bytes or an array: float32 mono at its own rate, or an error that says what is wrong.

WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF (and whatever else libsndfile reads) need nothing but soundfile; M4A, AAC, MP4
and WebM need the extra `media`.

At once with `decode`, or block after block in bounded memory with `decode_blocks`: the very same samples.

What is refused, always with the source and the reason:

- nothing there, or no sound file: `AudioNotFoundError`, `AudioDecodeError`;
- a container that needs the extra, where that is not installed: `AudioFormatError`;
- no samples, or a range that begins after the end: `EmptyAudioError`;
- a file that ends before it says (see `openclap.audio.containers` for what each format can tell):
  `TruncatedAudioError`, whatever range is asked for;
- NaN or infinity: `NonFiniteAudioError`; samples so large that they are no sound: `AudioDecodeError`;
- silence: `SilentAudioError`, when every sample of the mix-down is exactly zero and no range was asked for. A window of
  a long recording may be silent.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32
from torch import Tensor

from openclap.audio.containers import MEDIA_CONTAINERS, container_of, missing_end
from openclap.audio.libsndfile import sound_info, sound_parts
from openclap.audio.media import media_info, media_parts
from openclap.audio.mono import as_float32, mix_down
from openclap.audio.source import AudioSource, BinaryFile, checked_rate, opened, source_name
from openclap.errors import (
    AudioDecodeError,
    AudioFormatError,
    EmptyAudioError,
    NonFiniteAudioError,
    SilentAudioError,
    TruncatedAudioError,
)
from openclap.types import Waveform

__all__ = ["AudioInfo", "AudioSource", "audio_info", "decode", "decode_blocks", "source_name"]

_LOUDEST = 1e10  # integers that were never scaled reach 2e9; beyond are wrong bytes, and a spectrum that overflows
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
            rate_hz, n_channels, frames, kind = sound_info(file, name, container)
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
        ValueError: for a negative start or duration.
    """
    if start_s < 0 or (duration_s is not None and duration_s < 0):
        raise ValueError(f"start_s and duration_s must not be negative, but are {start_s} and {duration_s}")
    parts = list(_checked_parts(source, sample_rate_hz, start_s, duration_s, allow_silent=allow_silent))
    samples = parts[0].samples if len(parts) == 1 else np.concatenate([part.samples for part in parts])
    return Waveform(samples, parts[0].sample_rate_hz)


def decode_blocks(source: AudioSource, *, sample_rate_hz: int | None = None, block_s: float) -> Iterator[Waveform]:
    """The samples of `decode`, in consecutive blocks of `block_s` seconds; the last one holds what is left.

    The source is opened once and decoded once, as the blocks are asked for: the time is linear in the sound's length
    in every format, and no more than a few blocks stand in memory. (An array stands there whole, as do an MP3 file
    without a length table and a stream that cannot seek, in their encoded form.) An open file must be left alone until
    the last block.

    Args:
        source: as for `decode`.
        sample_rate_hz: as for `decode`.
        block_s: how long a block is, in seconds.

    Raises:
        AudioError: as `decode`; where it is, after the blocks before it. Silence and a cut that only the decoder
            notices are known after the last block.
        ValueError: if `block_s` is not positive and finite.
    """
    if not 0 < block_s < math.inf:
        raise ValueError(f"block_s must be positive and finite, but is {block_s}")
    return _of_length(_checked_parts(source, sample_rate_hz, 0.0, None, allow_silent=False, most_s=block_s), block_s)


def _checked_parts(
    source: AudioSource,
    sample_rate_hz: int | None,
    start_s: float,
    duration_s: float | None,
    *,
    allow_silent: bool,
    most_s: float = math.inf,
) -> Iterator[Waveform]:
    """The range in consecutive parts of any length, none of them empty; whatever is wrong with it is raised here."""
    name = source_name(source)
    position, silent = 0, True
    with closing(_parts(source, name, sample_rate_hz, start_s, duration_s, most_s)) as parts:
        for part in parts:
            finite = np.isfinite(part.samples)
            if not finite.all():
                where = (position + int(finite.argmin())) / part.sample_rate_hz + start_s
                raise NonFiniteAudioError(name, f"holds NaN or infinite samples, the first at {where:.3f} s")
            peak = max(float(part.samples.max()), -float(part.samples.min()))
            if peak > _LOUDEST:
                raise AudioDecodeError(name, f"holds samples of {peak:.0e} where full scale is 1: is it broken?")
            silent = silent and not part.samples.any()
            position += len(part.samples)
            yield part
    if position == 0:
        ends = "holds no samples" if start_s == 0 else f"has no samples from {start_s:g} s on"
        raise EmptyAudioError(name, ends if duration_s is None else f"{ends} for {duration_s:g} s")
    whole = start_s == 0 and duration_s is None
    if whole and silent and not allow_silent:
        raise SilentAudioError(name, f"every one of its {position} samples is zero, once the channels are mixed")


def _parts(
    source: AudioSource,
    name: str,
    sample_rate_hz: int | None,
    start_s: float,
    duration_s: float | None,
    most_s: float,
) -> Generator[Waveform, None, None]:
    if isinstance(source, np.ndarray | Tensor | Waveform):
        channels, rate_hz = _array(source, name, sample_rate_hz)
        first = round(start_s * rate_hz)
        last = channels.shape[1] if duration_s is None else min(channels.shape[1], first + round(duration_s * rate_hz))
        step = max(1, round(min(most_s * rate_hz, channels.shape[1])))
        for position in range(first, last, step):
            yield Waveform(mix_down(channels[:, position : min(position + step, last)]), rate_hz)
        return
    _refuse_rate(name, sample_rate_hz)
    with opened(source) as file:
        container = _container(file, name)
        if container in MEDIA_CONTAINERS:
            yield from media_parts(file, name, container, start_s, duration_s)
        else:
            yield from sound_parts(file, name, container, start_s, duration_s, most_s)


def _of_length(parts: Iterable[Waveform], length_s: float) -> Iterator[Waveform]:
    """The same samples in parts of one length; the last one may be shorter."""
    held: list[npt.NDArray[Any]] = []
    n_held = 0
    for part in parts:
        length = max(1, round(length_s * part.sample_rate_hz))
        held.append(part.samples)
        n_held += len(part.samples)
        if n_held < length:
            continue
        samples, end = np.concatenate(held), n_held - n_held % length
        for first in range(0, end, length):
            yield Waveform(samples[first : first + length], part.sample_rate_hz)
        held, n_held = [samples[end:]], n_held - end
    if n_held:
        yield Waveform(np.concatenate(held), part.sample_rate_hz)


def _container(file: BinaryFile, name: str) -> str | None:
    """The container, once the file is known not to be cut."""
    container = container_of(file)
    reason = missing_end(file, container)
    if reason is not None:
        raise TruncatedAudioError(name, f"the file is cut: {reason}")
    return container


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
