"""A clip as the bytes that go into a shard: decoded and resampled as the front-end does, and encoded."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import soundfile
from jaxtyping import Float32
from pydantic import Field, model_validator

from openclap.audio.decode import decode, decode_blocks
from openclap.audio.resample import resample_blocks
from openclap.audio.source import source_name
from openclap.config import Config
from openclap.data.example import Example
from openclap.errors import ConfigError, EmptyAudioError, SilentAudioError
from openclap.types import Waveform

OPUS_RATES_HZ = (8000, 12000, 16000, 24000, 48000)
"""The rates that Opus has (RFC 6716, section 2)."""

_OPUS_BITS_PER_S = range(6000, 256_001)
_BLOCK_S = 30.0
_OGG_HEADER = 27
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class ShardConfig(Config):
    """How shards are made.

    Attributes:
        sample_rate_hz: rate of the sound in them: that of the models which will hear it.
        audio_format: "flac" keeps every sample (of the mix-down, at this rate, rounded to `bits`); "opus" is lossy,
            and smaller.
        bits: of a FLAC sample. 16 are what LAION-CLAP hears; 24 keep the mean of two 16-bit channels exactly.
        opus_bits_per_s: what Opus takes on average.
        clips_per_shard: how many clips go into one archive (the last one of a split takes what is left); 512 by
            default, as in LAION-CLAP's own.
        shard_bytes: in place of `clips_per_shard`: about how large an archive should be. How many clips that are is
            told by a sample of them.
        max_s: of a longer clip only so many seconds from its beginning are kept; None keeps all of it.
    """

    sample_rate_hz: int = Field(default=48000, ge=1000, le=655_350)
    audio_format: Literal["flac", "opus"] = "flac"
    bits: Literal[16, 24] = 16
    opus_bits_per_s: int = Field(default=96_000, ge=_OPUS_BITS_PER_S.start, lt=_OPUS_BITS_PER_S.stop)
    clips_per_shard: int | None = Field(default=None, ge=1)
    shard_bytes: int | None = Field(default=None, ge=1)
    max_s: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _check(self) -> ShardConfig:
        if self.audio_format == "opus" and self.sample_rate_hz not in OPUS_RATES_HZ:
            rates = ", ".join(map(str, OPUS_RATES_HZ))
            raise ValueError(f"sample_rate_hz is {self.sample_rate_hz}, but Opus has {rates} only: take one, or FLAC")
        if self.clips_per_shard is not None and self.shard_bytes is not None:
            raise ValueError("clips_per_shard and shard_bytes both say how large a shard is: give one of them")
        return self


@dataclass(frozen=True)
class EncodedClip:
    """A clip's file.

    Attributes:
        data: the whole file.
        seconds: how long it is.
        clipped: whether samples were above full scale, and are at it now.
    """

    data: bytes
    seconds: float
    clipped: bool


def check_encoder(config: ShardConfig) -> None:
    """Make sure that this machine's libsndfile writes the format.

    Raises:
        ConfigError: if it does not.
    """
    file = _file_type(config)
    if not soundfile.check_format(file["format"], file["subtype"]):
        version = soundfile.__libsndfile_version__
        raise ConfigError(f"libsndfile {version} writes no {config.audio_format}: update soundfile, or take 'flac'")


def encode_clip(example: Example, config: ShardConfig) -> EncodedClip:
    """The clip of an example, mono and at the config's rate; its time range is cut out.

    The samples are those of `openclap.audio.frontend.Frontend.read` at this rate, rounded to the nearest of `bits` (a
    half to the even one) and held within full scale. The same samples always give the same bytes.

    Raises:
        AudioError: if the sound cannot be used; also for a time range in which every sample is zero.
    """
    full_scale = 2 ** (config.bits - 1)
    held, frames, sounding, clipped = io.BytesIO(), 0, False, False
    with soundfile.SoundFile(held, "w", config.sample_rate_hz, 1, **_file_type(config)) as file:
        for block in resample_blocks(_blocks(example, config), config.sample_rate_hz):
            if len(block.samples) == 0:
                continue
            levels = np.rint(block.samples * np.float32(full_scale))
            frames += len(levels)
            sounding = sounding or bool(levels.any())
            clipped = clipped or bool(levels.max() > full_scale or levels.min() < -full_scale)
            file.write(_whole_numbers(levels, config.bits) if config.audio_format == "flac" else block.samples)
    if frames == 0:
        rate_hz = config.sample_rate_hz
        raise EmptyAudioError(source_name(example.audio), f"is too short: no sample is left of it at {rate_hz} Hz")
    if not sounding:
        what = f"every one of its {frames} samples is zero in {config.bits} bits"
        raise SilentAudioError(source_name(example.audio), what)
    data = held.getvalue() if config.audio_format == "flac" else renumbered(held.getvalue())
    return EncodedClip(data, frames / config.sample_rate_hz, clipped)


def renumbered(ogg: bytes) -> bytes:
    """The pages of an Ogg stream with the number 0 for the one that its encoder drew at random (RFC 3533, section 6).

    Else no two encodings of one sound are the same.
    """
    stream, position = bytearray(ogg), 0
    while position < len(stream):
        lengths = stream[position + _OGG_HEADER : position + _OGG_HEADER + stream[position + 26]]
        end = position + _OGG_HEADER + len(lengths) + sum(lengths)
        stream[position + 14 : position + 18] = bytes(4)
        stream[position + 22 : position + 26] = bytes(4)
        stream[position + 22 : position + 26] = _ogg_checksum(stream[position:end]).to_bytes(4, "little")
        position = end
    return bytes(stream)


def _blocks(example: Example, config: ShardConfig) -> Iterable[Waveform]:
    """The clip's sound as decoded; a whole file in blocks, so that a long one is never in memory at once."""
    if example.start_s == 0 and example.duration_s is None and config.max_s is None:
        return decode_blocks(example.audio, block_s=_BLOCK_S)
    lengths = [length for length in (example.duration_s, config.max_s) if length is not None]
    duration_s = min(lengths) if lengths else None
    return _one(decode(example.audio, start_s=example.start_s, duration_s=duration_s, allow_silent=True))


def _one(waveform: Waveform) -> Iterator[Waveform]:
    yield waveform


def _whole_numbers(levels: Float32[np.ndarray, " samples"], bits: int) -> npt.NDArray[Any]:
    """Levels as libsndfile takes them without another rounding: 24 bits are the upper ones of 32."""
    limit = 2 ** (bits - 1)
    held: npt.NDArray[Any] = np.clip(levels, -limit, limit - 1)
    return held.astype(np.int16) if bits == 16 else held.astype(np.int32) << 8


def _file_type(config: ShardConfig) -> dict[str, Any]:
    if config.audio_format == "flac":
        return {"format": "FLAC", "subtype": f"PCM_{config.bits}"}
    # libsndfile (1.2.2) takes Opus's bit rate as a share: 0 for 256 kbit/s a channel, 1 for 6 kbit/s.
    share = (_OPUS_BITS_PER_S.stop - 1 - config.opus_bits_per_s) / (len(_OPUS_BITS_PER_S) - 1)
    return {"format": "OGG", "subtype": "OPUS", "compression_level": share}


def _ogg_checksum(page: bytes | bytearray) -> int:
    """Ogg's CRC-32: zlib's polynomial with the bits the other way round, from 0 and not inverted."""
    mirrored = zlib.crc32(bytes(page).translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
