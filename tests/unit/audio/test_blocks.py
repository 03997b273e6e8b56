"""Sound block after block is the sound as a whole: the same samples and errors, decoded once, a little at a time."""

from __future__ import annotations

import fractions
import io
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from openclap.audio.decode import decode, decode_blocks
from openclap.audio.frontend import Frontend, FrontendConfig
from openclap.audio.mel import MelConfig
from openclap.errors import (
    AudioFormatError,
    AudioNotFoundError,
    EmptyAudioError,
    NonFiniteAudioError,
    SilentAudioError,
    TruncatedAudioError,
)
from openclap.types import Waveform

RATE = 48_000
N_SAMPLES = 3 * RATE + 1237  # no whole number of anything
STEREO = (0.1 * np.random.default_rng(0).standard_normal((2, N_SAMPLES)) * [[1.0], [0.4]]).astype(np.float32)
FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "wav-float": ("WAV", "FLOAT"),
    "aiff": ("AIFF", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "vorbis": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
MEDIA = {"m4a": ("ipod", "aac"), "webm": ("webm", "libopus"), "bare-aac": ("adts", "aac")}


def encoded(name: str, channels: np.ndarray = STEREO) -> bytes:
    if name in MEDIA:
        return encoded_media(*MEDIA[name], channels)
    file = io.BytesIO()
    soundfile.write(file, channels.T, RATE, format=FORMATS[name][0], subtype=FORMATS[name][1])
    return file.getvalue()


def encoded_media(container: str, codec: str, channels: np.ndarray) -> bytes:
    av = pytest.importorskip("av", reason="PyAV, of the extra 'media', is not installed")
    layout = "mono" if len(channels) == 1 else "stereo"
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=RATE, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(channels), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, fractions.Fraction(1, RATE)
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    return file.getvalue()


def joined(blocks: list[Waveform]) -> np.ndarray:
    return np.concatenate([block.samples for block in blocks])


@pytest.mark.parametrize("channels", [STEREO, STEREO[:1]], ids=["stereo", "mono"])
@pytest.mark.parametrize("name", [*FORMATS, *MEDIA])
def test_blocks_in_a_row_are_the_samples_of_the_whole(name: str, channels: np.ndarray) -> None:
    data = encoded(name, channels)
    whole = decode(data)
    blocks = list(decode_blocks(data, block_s=0.4567))
    assert {block.sample_rate_hz for block in blocks} == {whole.sample_rate_hz}
    *full, last = [len(block.samples) for block in blocks]
    assert set(full) == {round(0.4567 * RATE)}
    assert 0 < last <= full[0]
    np.testing.assert_array_equal(joined(blocks), whole.samples)


@pytest.mark.parametrize("name", ["wav", "flac", "vorbis", "mp3"])
@given(n_samples=st.integers(1, 30_000), block_s=st.floats(0.005, 1.0))
@settings(max_examples=10, deadline=None)
def test_any_length_in_blocks_of_any_length_is_the_whole(name: str, n_samples: int, block_s: float) -> None:
    data = encoded(name, STEREO[:, :n_samples])
    np.testing.assert_array_equal(joined(list(decode_blocks(data, block_s=block_s))), decode(data).samples)


def test_every_way_in_gives_the_same_blocks(tmp_path: Path) -> None:
    data = encoded("wav-float")
    path = tmp_path / "noise.wav"
    path.write_bytes(data)
    expected = decode(path).samples
    for source in (path, str(path), data, io.BytesIO(data), Waveform(expected, RATE)):
        np.testing.assert_array_equal(joined(list(decode_blocks(source, block_s=0.7))), expected)
    for array in (STEREO, torch.from_numpy(STEREO), STEREO.astype(np.float64)):
        blocks = list(decode_blocks(array, sample_rate_hz=RATE, block_s=0.7))
        assert len(blocks) == 5
        np.testing.assert_array_equal(joined(blocks), expected)


@pytest.mark.parametrize("name", [*FORMATS, *MEDIA])
def test_a_caller_who_stops_early_leaves_an_open_file_as_it_was(name: str) -> None:
    file = io.BytesIO(encoded(name))
    file.seek(5)
    blocks = decode_blocks(file, block_s=0.1)
    assert len(next(blocks).samples) == RATE // 10
    del blocks
    assert file.tell() == 5


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 32_000, 44_100, 48_000])
@given(n_samples=st.integers(10, 60_000), block_s=st.floats(0.01, 1.0))
@settings(max_examples=15, deadline=None)
def test_blocks_at_the_models_rate_are_the_whole_at_the_models_rate(
    rate_hz: int, n_samples: int, block_s: float
) -> None:
    frontend = Frontend(FrontendConfig(mel=MelConfig(sample_rate_hz=rate_hz, f_max_hz=8000.0)))
    samples = STEREO[:, :n_samples]
    blocks = list(frontend.read_blocks(samples, sample_rate_hz=44_100, block_s=block_s))
    assert all(block.sample_rate_hz == rate_hz for block in blocks)
    np.testing.assert_array_equal(joined(blocks), frontend.read(samples, sample_rate_hz=44_100).samples)


def test_a_sound_of_which_no_sample_is_left_at_the_models_rate_is_empty_in_each_way_of_reading() -> None:
    frontend = Frontend(FrontendConfig(mel=MelConfig(sample_rate_hz=16_000, f_max_hz=8000.0)))
    click = np.ones(1, np.float32)
    with pytest.raises(EmptyAudioError, match="no sample is left of it at 16000 Hz"):
        list(frontend.read_blocks(click, sample_rate_hz=44_100, block_s=1.0))
    with pytest.raises(EmptyAudioError, match="no sample is left of it at 16000 Hz"):
        frontend.load(click, sample_rate_hz=44_100)


class TestErrors:
    def test_what_cannot_be_opened_is_named_before_the_first_block(self, tmp_path: Path) -> None:
        with pytest.raises(AudioNotFoundError):
            next(decode_blocks(tmp_path / "nowhere.mp3", block_s=1.0))
        with pytest.raises(AudioFormatError, match="knows its own rate"):
            next(decode_blocks(encoded("wav"), sample_rate_hz=RATE, block_s=1.0))
        with pytest.raises(AudioFormatError, match="give sample_rate_hz"):
            next(decode_blocks(STEREO, block_s=1.0))
        with pytest.raises(EmptyAudioError, match="no samples"):
            next(decode_blocks(encoded("wav", STEREO[:, :0]), block_s=1.0))

    @pytest.mark.parametrize("name", ["wav", "aiff", "vorbis", "opus", "mp3", "m4a", "webm"])
    def test_a_cut_that_the_header_tells_is_named_before_the_first_block(self, name: str) -> None:
        data = encoded(name)
        with pytest.raises(TruncatedAudioError):
            next(decode_blocks(data[: len(data) * 2 // 3], block_s=0.1))

    def test_a_cut_that_only_the_decoder_notices_is_named_after_the_blocks_before_it(self) -> None:
        data = encoded("flac")
        blocks = decode_blocks(data[: len(data) * 2 // 3], block_s=0.5)
        assert next(blocks).duration_s == 0.5
        with pytest.raises(TruncatedAudioError):
            list(blocks)

    def test_nan_is_named_with_its_place_in_the_whole(self) -> None:
        samples = STEREO.copy()
        samples[1, round(2.25 * RATE)] = np.nan
        for source, rate in ((encoded("wav-float", samples), None), (samples, RATE)):
            blocks = decode_blocks(source, sample_rate_hz=rate, block_s=1.0)
            assert np.isfinite(next(blocks).samples).all()
            assert np.isfinite(next(blocks).samples).all()
            with pytest.raises(NonFiniteAudioError, match=r"first at 2\.250 s"):
                next(blocks)

    def test_silence_of_the_whole_is_named_at_the_end_and_of_a_part_is_fine(self) -> None:
        samples = np.zeros(2 * RATE, np.float32)
        blocks = decode_blocks(encoded("wav", samples[None]), block_s=0.5)
        for _ in range(4):
            assert not next(blocks).samples.any()
        with pytest.raises(SilentAudioError, match=f"{2 * RATE} samples"):
            next(blocks)
        samples[-1] = 0.5
        assert len(list(decode_blocks(encoded("wav", samples[None]), block_s=0.5))) == 4

    @pytest.mark.parametrize("block_s", [0.0, -1.0, float("inf"), float("nan")])
    def test_a_block_must_have_a_length(self, block_s: float) -> None:
        with pytest.raises(ValueError, match="block_s"):
            decode_blocks(STEREO, sample_rate_hz=RATE, block_s=block_s)


@pytest.mark.parametrize("name", ["wav", "flac", "vorbis", "opus", "mp3"])
def test_a_file_is_decoded_once_and_never_sought(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data, decoded = encoded(name), []
    read = soundfile.SoundFile.read

    def counted(self: soundfile.SoundFile, *args: Any, **options: Any) -> np.ndarray:
        values = read(self, *args, **options)
        decoded.append(len(values))
        return values

    def refused(*_: object) -> None:
        raise AssertionError("the file is sought")

    monkeypatch.setattr(soundfile.SoundFile, "read", counted)
    monkeypatch.setattr(soundfile.SoundFile, "seek", refused)
    list(decode_blocks(data, block_s=0.25))
    assert sum(decoded) == N_SAMPLES
    assert max(decoded) == RATE // 4


@pytest.mark.parametrize("name", ["flac", "mp3", "m4a"])
def test_memory_holds_a_few_blocks_however_long_the_file(name: str) -> None:
    data = encoded(name, np.tile(STEREO, 10))
    tracemalloc.start()
    for _ in decode_blocks(data, block_s=0.5):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A block is 0.1 MB mono and 0.2 MB stereo; the whole would be 5.8 MB mono.
    assert peak < 1.2e6
