"""M4A, MP4, WebM and AAC through PyAV: encoded here, decoded back, whole and in ranges."""

from __future__ import annotations

import fractions
import io
import sys

import numpy as np
import pytest

from openclap.audio.decode import audio_info, decode
from openclap.errors import AudioDecodeError, AudioFormatError, SilentAudioError, TruncatedAudioError

av = pytest.importorskip("av", reason="PyAV, of the extra 'media', is not installed")

RATE = 48_000
SWEEP = (0.4 * np.sin(2 * np.pi * (200 + 300 * np.arange(3 * RATE) / RATE) * np.arange(3 * RATE) / RATE)).astype(
    np.float32
)
STEREO = np.stack([SWEEP, SWEEP / 2])
KINDS = [("mp4", "aac"), ("ipod", "aac"), ("mp4", "alac"), ("webm", "libopus"), ("adts", "aac"), ("matroska", "flac")]


def encoded(container: str, codec: str, channels: np.ndarray = STEREO) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=RATE, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(channels), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, fractions.Fraction(1, RATE)
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    return file.getvalue()


@pytest.mark.parametrize(("container", "codec"), KINDS)
def test_sound_comes_back_in_place_mixed_down_and_of_its_length(container: str, codec: str) -> None:
    data = encoded(container, codec)
    waveform = decode(data)
    assert waveform.sample_rate_hz == RATE
    surplus = len(waveform.samples) - len(SWEEP)
    assert 0 <= surplus <= (2048 if container == "adts" else 0)  # bare AAC cannot mark its encoder's padding
    delay = 1024 if container == "adts" else 0  # … nor its delay
    heard = waveform.samples[delay : delay + len(SWEEP)]
    assert np.corrcoef(heard, SWEEP)[0, 1] > 0.98  # lossy, but in place: 5 samples off would be 0.9
    assert 0.72 < np.dot(heard, SWEEP) / np.dot(SWEEP, SWEEP) < 0.78  # the mean of the channels, 1 and 1/2
    info = audio_info(data)
    assert (info.sample_rate_hz, info.channels, info.frames) == (RATE, 2, len(waveform.samples))


@pytest.mark.parametrize(("container", "codec"), KINDS)
def test_a_range_is_the_same_samples_as_in_the_whole(container: str, codec: str) -> None:
    data = encoded(container, codec)
    whole = decode(data).samples
    part = decode(data, start_s=1.7, duration_s=0.5).samples
    assert len(part) == RATE // 2
    first = round(1.7 * RATE)
    # WebM and Matroska count in milliseconds: up to 48 samples off; elsewhere to the sample.
    slack = 48 if container in ("webm", "matroska") else 0
    errors = [np.abs(part - whole[first + s : first + s + len(part)]).max() for s in range(-slack, slack + 1)]
    assert min(errors) < 1e-3  # a lossy decoder that starts in the middle is right but for rounding


@pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("webm", "libopus"), ("matroska", "flac")])
def test_a_cut_file_is_truncated(container: str, codec: str) -> None:
    data = encoded(container, codec)
    with pytest.raises(TruncatedAudioError, match="cut"):
        decode(data[: len(data) * 2 // 3])


def test_silence_and_films_without_sound_are_named() -> None:
    with pytest.raises(SilentAudioError):
        decode(encoded("mp4", "alac", np.zeros((2, RATE), np.float32)))
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=24)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    with pytest.raises(AudioDecodeError, match="no sound track"):
        decode(file.getvalue())


def test_without_pyav_a_file_is_one_that_cannot_be_used_and_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded("mp4", "aac")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioFormatError, match=r"openclap\[media\]"):
        decode(data)
