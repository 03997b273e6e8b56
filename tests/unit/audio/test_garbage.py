"""Whatever the bytes, decoding gives samples or an AudioError: nothing else, no crash, no endless read."""

from __future__ import annotations

import io
from contextlib import suppress
from functools import cache

import numpy as np
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openclap.audio.decode import audio_info, decode
from openclap.errors import AudioError

FORMATS = [
    ("WAV", "PCM_16"),
    ("WAV", "IMA_ADPCM"),
    ("AIFF", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
    ("AU", "ULAW"),
    ("CAF", "ALAC_16"),
    ("RF64", "PCM_24"),
]
SIGNATURES = [
    b"",
    b"RIFF\0\0\0\0WAVEfmt ",
    b"FORM\0\0\0\0AIFF",
    b"fLaC\0\0\0\x22",
    b"OggS\0\2",
    b"ID3\4\0\0\0\0\1\0",
    b"\xff\xfb\x90\0",
    b"\0\0\0\x18ftypM4A ",
    b"\x1aE\xdf\xa3\x9f",
    b"\xff\xf1\x50\x80",
    b"caff\0\1",
    b".snd\0\0\0\x18",
]


@cache
def seed_file(number: int) -> bytes:
    kind, subtype = FORMATS[number]
    samples = (0.3 * np.sin(np.arange(8000) / 9)).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, np.stack([samples, samples], 1), 16_000, format=kind, subtype=subtype)
    return file.getvalue()


def survives(data: bytes) -> None:
    for use in (decode, audio_info, lambda source: decode(source, start_s=0.2, duration_s=0.1)):
        with suppress(AudioError):
            use(data)


@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    number=st.integers(0, len(FORMATS) - 1),
    head=st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), max_size=6),  # headers hold the lies that matter
    anywhere=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    kept=st.one_of(st.just(1.0), st.floats(0, 1)),
)
def test_a_damaged_file_gives_samples_or_an_audio_error(
    number: int, head: list[tuple[int, int]], anywhere: list[tuple[float, int]], kept: float
) -> None:
    data = bytearray(seed_file(number))
    for place, value in head:
        data[place % len(data)] = value
    for fraction, value in anywhere:
        data[int(fraction * len(data))] = value
    survives(bytes(data[: int(kept * len(data))]))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(magic=st.sampled_from(SIGNATURES), rest=st.binary(max_size=400))
def test_random_bytes_after_any_signature_give_an_audio_error(magic: bytes, rest: bytes) -> None:
    survives(magic + rest)
