"""Every way in gives the same samples; everything unusable gives a named error with its source and reason."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from openclap.audio.decode import audio_info, decode, source_name
from openclap.errors import (
    AudioDecodeError,
    AudioError,
    AudioFormatError,
    AudioNotFoundError,
    EmptyAudioError,
    NonFiniteAudioError,
    SilentAudioError,
)
from openclap.types import Waveform

RATE = 22_050
FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "wav-float": ("WAV", "FLOAT"),
    "aiff": ("AIFF", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "vorbis": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "rf64": ("RF64", "PCM_16"),
    "au": ("AU", "PCM_16"),
}
EXACT = [name for name in FORMATS if name not in ("vorbis", "opus", "mp3")]


def tone(seconds: float = 1.0, rate: int = RATE, hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def encoded(samples: np.ndarray, name: str = "wav", rate: int = RATE) -> bytes:
    kind, subtype = FORMATS[name]
    file = io.BytesIO()
    soundfile.write(file, samples, 48_000 if name == "opus" else rate, format=kind, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize("name", FORMATS)
def test_a_tone_comes_back_from_every_format(name: str) -> None:
    samples = tone(rate=48_000 if name == "opus" else RATE)
    waveform = decode(encoded(samples, name))
    assert waveform.samples.dtype == np.float32
    assert waveform.sample_rate_hz == (48_000 if name == "opus" else RATE)
    assert len(waveform.samples) == len(samples)
    if name in EXACT:
        np.testing.assert_allclose(waveform.samples, samples, atol=1 / 32768)  # one step of 16 bits
    else:
        assert np.corrcoef(waveform.samples, samples)[0, 1] > 0.99  # lossy, and in place


@pytest.mark.parametrize("name", FORMATS)
def test_a_time_range_is_the_same_samples_as_in_the_whole(name: str) -> None:
    rate = 48_000 if name == "opus" else RATE
    data = encoded(tone(3.0, rate) * np.linspace(0.2, 1, 3 * rate).astype(np.float32), name)
    whole = decode(data).samples
    part = decode(data, start_s=1.25, duration_s=0.5).samples
    first = round(1.25 * rate)
    np.testing.assert_array_equal(part, whole[first : first + round(0.5 * rate)])


@pytest.mark.parametrize("name", FORMATS)
def test_blocks_of_any_size_give_the_same_samples(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rate = 48_000 if name == "opus" else RATE
    data = encoded(np.stack([tone(2.0, rate), tone(2.0, rate, 1000.0)], 1), name)
    whole = decode(data).samples
    monkeypatch.setattr("openclap.audio.libsndfile._BLOCK_SAMPLES", 7001)
    np.testing.assert_array_equal(decode(data).samples, whole)


def test_a_range_reads_only_its_part_of_the_file(tmp_path: Path) -> None:
    class Counting(io.BytesIO):
        read_bytes = 0

        def readinto(self, buffer: memoryview) -> int:  # what soundfile calls
            n = super().readinto(buffer)
            self.read_bytes += n
            return n

    file = Counting(encoded(tone(120.0)))
    decode(file, start_s=60.0, duration_s=0.5)
    assert file.read_bytes < 100_000 < len(file.getvalue()) / 50


def test_every_way_in_gives_the_same_samples(tmp_path: Path) -> None:
    data = encoded(tone(), "flac")
    path = tmp_path / "tone.flac"
    path.write_bytes(data)
    expected = decode(path).samples

    class Pipe(io.RawIOBase):  # readable, not seekable
        def __init__(self) -> None:
            self.rest = io.BytesIO(data)

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            return self.rest.read(size)

    with path.open("rb") as file:
        file.seek(7)
        for source in (str(path), data, io.BytesIO(data), file, Pipe()):
            np.testing.assert_array_equal(decode(source).samples, expected)
        assert file.tell() == 7  # left where it was


def test_stereo_becomes_the_mean_of_its_channels() -> None:
    left, right = tone(), tone(hz=1000.0)
    mixed = decode(encoded(np.stack([left, right], 1), "wav-float")).samples
    np.testing.assert_allclose(mixed, (left + right) / 2, atol=1e-7)  # one rounding of float32
    np.testing.assert_array_equal(decode(np.stack([left, right]), sample_rate_hz=RATE).samples, mixed)


def test_swapping_channels_changes_nothing() -> None:
    left, right = tone(), tone(hz=1000.0)
    one = decode(encoded(np.stack([left, right], 1))).samples
    other = decode(encoded(np.stack([right, left], 1))).samples
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("dtype", "full_scale"), [(np.int8, 2**7), (np.int16, 2**15), (np.int32, 2**31), (np.float16, 1), (np.float64, 1)]
)
def test_arrays_of_any_type_have_full_scale_at_one(dtype: type, full_scale: int) -> None:
    samples = np.array([-0.5, 0.0, 0.25], np.float64)
    decoded = decode((samples * full_scale).astype(dtype), sample_rate_hz=RATE).samples
    np.testing.assert_array_equal(decoded, samples.astype(np.float32))


def test_unsigned_bytes_are_centred_on_128() -> None:
    decoded = decode(np.array([0, 128, 192], np.uint8), sample_rate_hz=RATE).samples
    np.testing.assert_array_equal(decoded, np.array([-1.0, 0.0, 0.5], np.float32))


def test_tensors_and_waveforms_are_taken_as_arrays_are() -> None:
    samples = tone()
    for source in (torch.from_numpy(samples), torch.from_numpy(samples)[None], torch.from_numpy(samples).double()):
        np.testing.assert_array_equal(decode(source, sample_rate_hz=RATE).samples, samples)
    half = decode(torch.from_numpy(samples).bfloat16(), sample_rate_hz=RATE).samples
    np.testing.assert_allclose(half, samples, atol=2**-9)  # bfloat16 keeps 8 bits
    assert decode(Waveform(samples, RATE)).sample_rate_hz == RATE


def test_the_header_tells_what_decoding_gives(tmp_path: Path) -> None:
    path = tmp_path / "tone.flac"
    path.write_bytes(encoded(np.stack([tone(2.0)] * 2, 1), "flac"))
    info = audio_info(path)
    assert (info.sample_rate_hz, info.channels, info.frames, info.duration_s) == (RATE, 2, 2 * RATE, 2.0)
    assert info.format == "flac/pcm_16"
    assert audio_info(tone(), sample_rate_hz=RATE).format == "array"


def test_a_flac_stream_without_a_length_is_counted_and_decoded() -> None:
    data = bytearray(encoded(tone(), "flac"))
    data[21] &= 0xF0  # STREAMINFO's 36 bits of total samples: 0 is "unknown"
    data[22:26] = bytes(4)
    assert audio_info(bytes(data)).frames == RATE
    waveform = decode(bytes(data))
    np.testing.assert_allclose(waveform.samples, tone(), atol=1 / 32768)
    np.testing.assert_array_equal(decode(bytes(data), start_s=0.5).samples, waveform.samples[RATE // 2 :])
    with pytest.raises(EmptyAudioError):
        decode(bytes(data), start_s=2.0)


class TestErrors:
    def check(
        self, kind: type[AudioError], reason: str, source: object, name: str | None = None, **options: object
    ) -> None:
        with pytest.raises(kind, match=reason) as caught:
            decode(source, **options)  # type: ignore[arg-type]
        assert caught.value.source == (name or source_name(source))  # type: ignore[arg-type]
        assert caught.value.reason in str(caught.value)

    def test_a_missing_file_is_not_found(self, tmp_path: Path) -> None:
        self.check(AudioNotFoundError, "no such file", tmp_path / "nowhere.wav")

    def test_a_folder_is_no_sound(self, tmp_path: Path) -> None:
        self.check(AudioDecodeError, "folder", tmp_path)

    def test_a_path_with_a_null_byte_is_an_audio_error(self) -> None:
        self.check(AudioDecodeError, "cannot be opened", "a\0b.wav")

    def test_text_is_no_sound(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.wav"
        path.write_text("not a sound at all, whatever its name says")
        self.check(AudioDecodeError, "no sound file that is known", path)

    def test_a_file_named_raw_is_refused_in_words(self, tmp_path: Path) -> None:
        path = tmp_path / "samples.raw"
        path.write_bytes(bytes(1000))
        self.check(AudioDecodeError, "known", path)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
    def test_a_pipe_is_refused_and_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.wav")
        self.check(AudioDecodeError, "a pipe", tmp_path / "pipe.wav")

    def test_a_file_of_no_bytes_is_empty(self, tmp_path: Path) -> None:
        path = tmp_path / "empty.wav"
        path.touch()
        self.check(EmptyAudioError, "0 bytes", path)

    @pytest.mark.parametrize("name", ["wav", "aiff"])
    def test_a_header_without_samples_is_empty(self, name: str) -> None:
        self.check(EmptyAudioError, "no samples", encoded(np.zeros(0, np.float32), name))

    def test_a_range_after_the_end_is_empty(self) -> None:
        self.check(EmptyAudioError, "from 5 s on", encoded(tone()), start_s=5.0)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_nan_and_infinity_are_found_with_their_place(self, value: float) -> None:
        samples = tone()
        samples[RATE // 2] = value
        self.check(NonFiniteAudioError, "first at 0.500 s", encoded(samples, "wav-float"))
        self.check(NonFiniteAudioError, "first at 0.500 s", samples, sample_rate_hz=RATE)

    def test_samples_in_the_wrong_order_of_bytes_are_no_sound(self) -> None:
        samples = tone().byteswap()
        samples[~np.isfinite(samples)] = 0
        self.check(AudioDecodeError, "full scale is 1", encoded(samples, "wav-float"))
        decode((tone() * 2**31), sample_rate_hz=RATE)  # integers that were never scaled pass

    def test_silence_is_named_and_can_be_allowed(self) -> None:
        data = encoded(np.zeros(RATE, np.float32))
        self.check(SilentAudioError, "zero", data)
        assert not decode(data, allow_silent=True).samples.any()

    def test_channels_that_cancel_are_silent(self) -> None:
        self.check(SilentAudioError, "once the channels are mixed", np.stack([tone(), -tone()]), sample_rate_hz=RATE)

    def test_a_silent_window_of_a_longer_sound_is_allowed(self) -> None:
        samples = tone(3.0)
        samples[RATE : 2 * RATE] = 0
        assert not decode(encoded(samples), start_s=1.0, duration_s=1.0).samples.any()

    def test_an_array_needs_its_rate_and_a_file_refuses_one(self) -> None:
        self.check(AudioFormatError, "give sample_rate_hz", tone())
        self.check(AudioFormatError, "knows its own rate", encoded(tone()), sample_rate_hz=RATE)
        self.check(AudioFormatError, "outside", tone(), sample_rate_hz=0)

    def test_arrays_of_wrong_shape_or_type_are_refused_in_words(self) -> None:
        self.check(AudioFormatError, "must be", np.zeros((2, 3, 4)), sample_rate_hz=RATE)
        self.check(AudioFormatError, "transpose", np.stack([tone()] * 2, 1), sample_rate_hz=RATE)
        self.check(AudioFormatError, "int64", np.zeros(9, np.int64), sample_rate_hz=RATE)
        self.check(EmptyAudioError, "no samples", np.zeros(0), sample_rate_hz=RATE)

    def test_a_text_file_object_is_refused(self) -> None:
        self.check(AudioFormatError, "binary mode", io.TextIOWrapper(io.BytesIO(encoded(tone()))), "<file>")

    def test_a_negative_range_is_the_callers_mistake(self) -> None:
        with pytest.raises(ValueError, match="negative"):
            decode(encoded(tone()), start_s=-1.0)
