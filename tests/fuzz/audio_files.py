"""Sound files of every format, broken, through all ways of reading sound."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path

import numpy as np
import soundfile
from mutations import broken_bytes

from openclap.audio.decode import audio_info, decode, decode_blocks

FORMATS = [
    *(("WAV", coding) for coding in ("PCM_16", "FLOAT", "IMA_ADPCM")),
    *(("FLAC", coding) for coding in ("PCM_16", "PCM_24")),
    *(("OGG", coding) for coding in ("VORBIS", "OPUS")),
    *(("AIFF", coding) for coding in ("PCM_16", "DOUBLE")),
    *(("MP3", "MPEG_LAYER_III"), ("RF64", "PCM_24"), ("AU", "ULAW"), ("CAF", "ALAC_16"), ("W64", "PCM_16")),
]
_MEDIA = (("mp4", "aac"), ("adts", "aac"), ("webm", "libopus"))


class Audio:
    """Broken sound as bytes; every tenth as a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._whole = [_encoded(kind, coding) for kind, coding in FORMATS] + _media()

    def make(self, rng: random.Random) -> tuple[bytes, bool]:
        whole = rng.choice(self._whole)
        if rng.random() < 0.15:
            return _lying_wav(rng), False
        if rng.random() < 0.05:  # the beginning of one format, the rest of another
            other = rng.choice(self._whole)
            at = rng.randrange(min(len(whole), 200))
            return whole[:at] + other[at:], False
        return broken_bytes(rng, whole), rng.random() < 0.1

    def read(self, made: tuple[bytes, bool]) -> None:
        from openclap.errors import AudioError

        data, as_file = made
        source: bytes | Path = data
        if as_file:
            source = self._folder / "broken"
            source.write_bytes(data)
        raised = None
        for use in (decode, audio_info, _blocks, _part):
            try:
                use(source)
            except AudioError as error:
                raised = error
        if raised is not None:
            raise raised

    def keep(self, made: tuple[bytes, bool], number: int) -> str:
        path = self._folder / f"audio-{number}"
        path.write_bytes(made[0])
        return str(path)


def _blocks(source: bytes | Path) -> None:
    for _ in decode_blocks(source, block_s=0.1):
        pass


def _part(source: bytes | Path) -> None:
    decode(source, start_s=0.2, duration_s=0.1)


def _encoded(kind: str, coding: str) -> bytes:
    samples = (0.3 * np.sin(np.arange(6000) / 9)).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, np.stack([samples, samples], 1), 16_000, format=kind, subtype=coding)
    return file.getvalue()


def _media() -> list[bytes]:
    """Files that need PyAV, where it is installed."""
    try:
        import av
    except ImportError:
        return []
    made = []
    for container, codec in _MEDIA:
        file = io.BytesIO()
        with av.open(file, "w", format=container) as out:
            stream = out.add_stream(codec, rate=48_000, layout="mono")
            for start in range(0, 9600, 960):
                samples = (0.3 * np.sin(np.arange(start, start + 960) / 9)).astype(np.float32)
                frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 48_000, start
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        made.append(file.getvalue())
    return made


def _lying_wav(rng: random.Random) -> bytes:
    """A WAV header whose every field may be anything."""
    extreme = (0, 1, 2, 255, 1024, 65535, 2**31 - 1, 2**31, 2**32 - 1)
    tag, bits = rng.choice((1, 3, 6, 7, 17, 85, 65534)), rng.choice((0, 1, 8, 16, 24, 64))
    channels, rate, align = rng.choice(extreme), rng.choice((*extreme, 44_100)), rng.choice(extreme)
    body = rng.randbytes(rng.choice((0, 1, 100, 4000)))
    size = rng.choice((*extreme, len(body)))
    form = struct.pack("<HHIIHH", tag, channels % 65536, rate, rng.choice(extreme), align % 65536, bits)
    return b"".join(
        (b"RIFF", struct.pack("<I", rng.choice(extreme)), b"WAVEfmt ", struct.pack("<I", rng.choice((16, 18, 40, 0))),
         form, b"data", struct.pack("<I", size), body)
    )  # fmt: skip
