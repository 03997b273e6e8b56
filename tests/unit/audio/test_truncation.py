"""A file that ends before it says is found in every format that can tell, and whole files never are."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile

from openclap.audio import mp3
from openclap.audio.containers import container_of
from openclap.audio.decode import audio_info, decode
from openclap.errors import EmptyAudioError, TruncatedAudioError

RATE = 48_000
NOISE = (0.1 * np.random.default_rng(0).standard_normal(3 * RATE)).astype(np.float32)
FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "rf64": ("RF64", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "vorbis": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}


def encoded(name: str, samples: np.ndarray = NOISE, **options: object) -> bytes:
    kind, subtype = FORMATS[name]
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", RATE, 1, subtype, format=kind, **options) as sound:
        sound.write(samples)
    return file.getvalue()


def without_table(data: bytes) -> bytes:
    """An MP3 file without its first frame, which holds the length table."""
    header = mp3.frame_header(data)
    assert header is not None
    return data[header.frame_bytes :]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kept", [0.35, 0.8])
def test_a_cut_file_is_truncated_whatever_its_format(name: str, kept: float) -> None:
    data = encoded(name)
    assert len(decode(data).samples) == len(NOISE)
    with pytest.raises(TruncatedAudioError, match="cut"):
        decode(data[: int(len(data) * kept)])


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "flac"])
def test_a_cut_is_seen_from_the_header_alone(name: str) -> None:
    data = encoded(name)
    with pytest.raises(TruncatedAudioError):
        audio_info(data[: len(data) // 2])
    with pytest.raises(TruncatedAudioError):
        decode(data[: len(data) // 2], duration_s=0.1)


@pytest.mark.parametrize("name", ["wav", "aiff", "flac", "vorbis", "opus"])
def test_one_byte_less_is_a_cut(name: str) -> None:
    with pytest.raises(TruncatedAudioError):
        decode(encoded(name)[:-1])


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF024])
def test_a_streamed_wav_of_unknown_size_is_whole(size: int) -> None:
    data = bytearray(encoded("wav"))
    at = data.index(b"data") + 4
    data[4:8] = data[at : at + 4] = struct.pack("<I", size)
    assert len(decode(bytes(data)).samples) == len(NOISE)


def test_chunks_before_and_after_the_samples_do_no_harm() -> None:
    data = encoded("wav")
    extra = b"LIST" + struct.pack("<I", 5) + b"hello\0"  # an odd size is padded
    at = data.index(b"data")
    both = data[:at] + extra + data[at:] + extra
    assert len(decode(both).samples) == len(NOISE)


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_an_mp3_with_a_length_table_is_cut_when_bytes_are_missing(mode: str) -> None:
    data = encoded("mp3", bitrate_mode=mode, compression_level=0.2)
    assert data.find(b"Info" if mode == "CONSTANT" else b"Xing") > 0
    with pytest.raises(TruncatedAudioError, match="length table promises"):
        decode(data[: len(data) * 2 // 3])


def test_an_mp3_table_with_frames_only_counts_frames() -> None:
    data = bytearray(encoded("mp3", bitrate_mode="VARIABLE"))
    at = data.index(b"Xing")
    data[at + 4 : at + 8] = struct.pack(">I", 1)  # frames, and nothing else
    assert mp3.missing_end(io.BytesIO(data), len(data)) is None
    reason = mp3.missing_end(io.BytesIO(data[: len(data) // 2]), len(data) // 2)
    assert reason is not None
    assert "frames" in reason


def test_tags_around_an_mp3_do_no_harm() -> None:
    data = encoded("mp3")
    tag = b"ID3\x04\0\0" + bytes([0, 0, 0x10, 0]) + bytes(2048)
    tagged = tag + data + b"TAG" + bytes(125)
    assert container_of(io.BytesIO(tagged)) == "mp3"
    np.testing.assert_array_equal(decode(tagged).samples, decode(data).samples)


def test_an_mp3_without_a_table_keeps_all_of_its_frames() -> None:
    constant = without_table(encoded("mp3", bitrate_mode="CONSTANT", compression_level=0.2))
    assert len(decode(constant).samples) == audio_info(constant).frames == mp3.counted_samples(io.BytesIO(constant))
    # A loud beginning and a quiet rest: the first frame's bit rate says nothing of the others.
    fading = (NOISE * np.repeat([1.0, 0.001, 0.0], RATE)).astype(np.float32)
    varying = without_table(encoded("mp3", fading, bitrate_mode="VARIABLE", compression_level=0.3))
    with soundfile.SoundFile(io.BytesIO(varying)) as sound:
        assert sound.frames < 0.9 * len(fading)  # what the decoder alone would give
    assert abs(len(decode(varying).samples) - len(fading)) < 2 * 1152  # the encoder's padding, in whole frames
    assert decode(varying, start_s=2.5, duration_s=0.25).duration_s == 0.25


def test_a_cut_last_frame_of_an_mp3_without_a_table_is_passed_over() -> None:
    data = without_table(encoded("mp3", bitrate_mode="CONSTANT", compression_level=0.2))
    assert len(decode(data[:-100]).samples) >= len(NOISE) - 2 * 1152


def test_a_wav_that_promises_nothing_and_holds_nothing_is_empty() -> None:
    with pytest.raises(EmptyAudioError):
        decode(encoded("wav", np.zeros(0, np.float32)))
