"""Sound inside M4A, MP4, WebM and other films' containers, through PyAV (the extra `media`).

PyAV starts at a packet, not at a sample, and a lossy decoder needs the packets before that to be right: a range is
decoded from half a second earlier and trimmed by the packets' time stamps. These are exact in MP4; WebM counts whole
milliseconds, so that a range there may start a millisecond off. Containers without an index are decoded from their
beginning.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from jaxtyping import Float32

from openclap.audio.mono import as_float32, mix_down
from openclap.audio.source import BinaryFile, checked_rate
from openclap.errors import AudioDecodeError, AudioFormatError, MissingExtraError
from openclap.optional import require
from openclap.types import Waveform

_INDEXED = frozenset({"mp4", "matroska"})
_PREROLL_S = 0.5  # AAC needs one packet (23 ms), Opus 80 ms; MP4 with long packets more


def media_info(file: BinaryFile, name: str, container: str) -> tuple[int, int, int, str]:
    """Sample rate in Hz, channels, samples a channel, and codec of the first sound track.

    Where the header does not say how long the sound is, it is decoded to count.

    Raises:
        AudioFormatError: if PyAV is not installed.
        AudioDecodeError: if there is no sound track, or it is broken.
    """
    with _sound_track(file, name) as (opened, stream):
        rate_hz, codec = stream.rate, stream.codec_context.name
        channels = stream.channels
        samples = _known_samples(stream, container)
        if samples is None:
            samples = sum(len(block) for _, block in _decoded(opened, stream, name))
    return rate_hz, channels, samples, codec


def media_parts(
    file: BinaryFile, name: str, container: str, start_s: float, duration_s: float | None
) -> Iterator[Waveform]:
    """Mono sound of the first sound track from `start_s` on, in parts that follow each other: a packet each.

    Raises:
        AudioFormatError: if PyAV is not installed, or no sound has its rate.
        AudioDecodeError: if there is no sound track, or it is broken.
    """
    with _sound_track(file, name) as (opened, stream):
        rate_hz = checked_rate(stream.rate, name)
        first = round(start_s * rate_hz)
        last = math.inf if duration_s is None else first + round(duration_s * rate_hz)
        known = _known_samples(stream, container) if container == "mp4" else None
        last = last if known is None else min(last, known)  # MP4 says where the encoder's padding begins
        if container in _INDEXED and start_s > _PREROLL_S:
            _seek(opened, stream, start_s - _PREROLL_S, name)
        for position, block in _decoded(opened, stream, name):
            if position >= last:
                break
            wanted = block[max(0, first - position) : max(0, int(min(last - position, len(block))))]
            if len(wanted):
                yield Waveform(wanted, rate_hz)


@contextmanager
def _sound_track(file: BinaryFile, name: str) -> Iterator[tuple[Any, Any]]:
    try:
        av = require("av", extra="media", purpose="sound in this container")
    except MissingExtraError as error:  # of one file among many: what is skipped and counted is an AudioError
        raise AudioFormatError(name, str(error)) from error
    file.seek(0)
    try:
        opened = av.open(file, metadata_errors="ignore")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise AudioDecodeError(name, f"cannot be decoded ({_short(error)})") from error
    with opened:
        if not opened.streams.audio:
            raise AudioDecodeError(name, "has no sound track")
        stream = opened.streams.audio[0]
        # A track of a coding that FFmpeg does not know has no such attributes.
        if not getattr(stream, "rate", 0) or not getattr(stream, "channels", 0):
            raise AudioDecodeError(name, "its sound track does not say its rate and channels")
        yield opened, stream


def _seek(opened: Any, stream: Any, time_s: float, name: str) -> None:
    av = require("av", extra="media", purpose=name)
    try:
        opened.seek(int(time_s / stream.time_base), stream=stream)
    except (av.FFmpegError, OSError, OverflowError) as error:
        raise AudioDecodeError(name, f"cannot be searched for {time_s:.3f} s ({_short(error)})") from error


def _decoded(opened: Any, stream: Any, name: str) -> Iterator[tuple[int, Float32[np.ndarray, " samples"]]]:
    """Blocks of mono samples, each with the number of its first sample in the whole."""
    av = require("av", extra="media", purpose=name)
    position: int | None = None
    try:
        for frame in opened.decode(stream):
            values = frame.to_ndarray()
            if not frame.format.is_planar:
                values = values.reshape(-1, frame.layout.nb_channels).T
            if position is None:  # afterwards counted, since time stamps may be rounded
                position = 0 if frame.pts is None else round(frame.pts * frame.time_base * stream.rate)
            block = mix_down(as_float32(values))
            yield position, block
            position += len(block)
    except (av.FFmpegError, OSError, ValueError, TypeError) as error:
        raise AudioDecodeError(name, f"is broken inside ({_short(error)})") from error


def _known_samples(stream: Any, container: str) -> int | None:
    if container == "mp4" and stream.duration:
        samples: int = round(stream.duration * stream.time_base * stream.rate)
        return samples
    return None


def _short(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
