from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from openclap.audio.decode import decode
from openclap.audio.frontend import Frontend
from openclap.audio.resample import resample
from openclap.checkpoints.native import Bundle
from openclap.errors import AudioFormatError, ConfigError, EmptyAudioError, SilentAudioError
from openclap.inference import windows as windows_module
from openclap.inference.windows import Window, WindowConfig, cut, read_windows

PLAIN = WindowConfig()


@pytest.fixture
def frontend(bundle: Bundle) -> Frontend:
    return bundle.frontend


def places(found: list[Window]) -> list[tuple[float, float]]:
    return [(window.start_s, window.end_s) for window in found]


def blocks_of(samples: np.ndarray, cuts: list[int]) -> list[np.ndarray]:
    return np.split(samples, sorted(place % (len(samples) + 1) for place in cuts))


@given(
    n_samples=st.integers(1, 5000),
    window=st.integers(1, 700),
    hop=st.integers(1, 900),
    cuts=st.lists(st.integers(0, 5000), max_size=8),
)
@settings(deadline=None)
def test_windows_of_any_blocks_are_the_samples_at_their_places_and_the_last_ends_at_the_end(
    n_samples: int, window: int, hop: int, cuts: list[int]
) -> None:
    samples = np.arange(n_samples, dtype=np.float32)
    found = list(cut(blocks_of(samples, cuts), window, hop))
    for start, part, _ in found:
        np.testing.assert_array_equal(part, samples[start : start + window])
    starts = [start for start, _, _ in found]
    assert starts == [*range(0, n_samples - window, hop), max(0, n_samples - window)]
    assert [is_last for _, _, is_last in found] == [False] * (len(found) - 1) + [True]


@given(n_samples=st.integers(1, 5000), window=st.integers(1, 700), hop=st.integers(1, 700))
@settings(deadline=None)
def test_windows_that_do_not_leap_hear_every_sample(n_samples: int, window: int, hop: int) -> None:
    heard = np.zeros(n_samples, bool)
    for start, part, _ in cut([np.zeros(n_samples, np.float32)], window, min(hop, window)):
        heard[start : start + len(part)] = True
    assert heard.all()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.4, [(0, 0.4)]),
        (1.0, [(0, 1)]),
        (1.25, [(0, 1), (0.25, 1.25)]),
        (3.0, [(0, 1), (1, 2), (2, 3)]),
        (3.5, [(0, 1), (1, 2), (2, 3), (2.5, 3.5)]),
    ],
)
def test_the_last_window_ends_where_the_sound_ends(
    frontend: Frontend, wav: Callable[..., Path], seconds: float, expected: list[tuple[float, float]]
) -> None:
    found = list(read_windows(wav(seconds), None, frontend, PLAIN))
    assert places(found) == expected
    assert [window.is_last for window in found] == [False] * (len(found) - 1) + [True]
    assert all(len(window.clip.samples) == 16000 for window in found)


def test_windows_may_overlap(frontend: Frontend, wav: Callable[..., Path]) -> None:
    found = list(read_windows(wav(2.2), None, frontend, WindowConfig(hop_s=0.5)))
    assert [window.start_s for window in found] == [0, 0.5, 1.0, 1.2]


@pytest.mark.parametrize("hop_s", [0, -1])
def test_a_hop_must_be_positive(hop_s: float) -> None:
    with pytest.raises(ConfigError, match="hop_s"):
        WindowConfig.read({"hop_s": hop_s})


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050, 44100, 48000])
def test_reading_in_blocks_gives_the_samples_of_reading_it_all(
    frontend: Frontend, wav: Callable[..., Path], rate_hz: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = wav(7.3, rate_hz)
    whole = resample(decode(path), 16000).samples
    monkeypatch.setattr(windows_module, "_BLOCK_S", 2.0)
    found = list(read_windows(path, None, frontend, PLAIN))
    assert places(found) == [(second, second + 1) for second in range(7)] + [(6.3, 7.3)]
    for window in found:
        first = round(window.start_s * 16000)
        np.testing.assert_array_equal(window.clip.samples, whole[first : first + 16000])


@pytest.mark.parametrize("rate_hz", [16000, 44100])
def test_path_bytes_file_objects_and_arrays_give_the_same_windows(
    frontend: Frontend, wav: Callable[..., Path], sound: Callable[..., np.ndarray], rate_hz: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(windows_module, "_BLOCK_S", 2.0)
    path = wav(5.2, rate_hz)
    data = path.read_bytes()

    class Pipe(io.RawIOBase):
        """A stream that cannot go back."""

        def __init__(self) -> None:
            self.file = io.BytesIO(data)

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return False

        def read(self, size: int = -1) -> bytes:
            return self.file.read(size)

    expected = list(read_windows(path, None, frontend, PLAIN))
    stereo = np.stack([sound(5.2, rate_hz)] * 2)
    for source, rate in [(data, None), (io.BytesIO(data), None), (Pipe(), None), (stereo, rate_hz)]:
        found = list(read_windows(source, rate, frontend, PLAIN))
        assert places(found) == places(expected)
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(ours.clip.samples, theirs.clip.samples)


@pytest.mark.parametrize("kind", [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")])
def test_compressed_files_are_cut_where_the_decoded_sound_is(
    frontend: Frontend, sound: Callable[..., np.ndarray], kind: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = io.BytesIO()
    soundfile.write(file, sound(6.4, 48000), 48000, format=kind[0], subtype=kind[1])
    monkeypatch.setattr(windows_module, "_BLOCK_S", 2.0)
    whole = resample(decode(file), 16000).samples
    found = list(read_windows(file, None, frontend, PLAIN))
    assert len(found) == 7
    for window in found:
        first = round(window.start_s * 16000)
        np.testing.assert_array_equal(window.clip.samples, whole[first : first + 16000])


def test_silence_in_a_long_sound_is_fine_and_nothing_but_silence_is_not(
    frontend: Frontend, sound: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows_module, "_BLOCK_S", 2.0)
    samples = np.concatenate([np.zeros(5 * 16000, np.float32), sound(2)])
    assert len(list(read_windows(samples, 16000, frontend, PLAIN))) == 7
    with pytest.raises(SilentAudioError):
        list(read_windows(np.zeros(7 * 16000, np.float32), 16000, frontend, PLAIN))


def test_an_array_needs_its_rate(frontend: Frontend) -> None:
    with pytest.raises(AudioFormatError, match="sample_rate_hz"):
        list(read_windows(np.ones(100, np.float32), None, frontend, PLAIN))


def test_a_sound_of_which_no_sample_is_left_at_the_models_rate_is_empty(frontend: Frontend) -> None:
    with pytest.raises(EmptyAudioError, match="no sample is left"):
        list(read_windows(np.ones(1, np.float32), 96000, frontend, PLAIN))


@pytest.mark.parametrize("kind", [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")])
def test_a_long_file_is_decoded_once_and_memory_does_not_grow_with_it(
    frontend: Frontend, tmp_path: Path, kind: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long"
    noise = np.tile((np.random.default_rng(0).standard_normal(16000 * 30) * 3000).astype(np.int16), 10)
    with soundfile.SoundFile(path, "w", 16000, 1, kind[1], format=kind[0]) as sound:
        for part in np.split(noise, 30):  # libsndfile (1.2.2) overruns its stack on long writes of Vorbis
            sound.write(part)
    decoded: list[int] = []
    read = soundfile.SoundFile.read

    def counted(self: soundfile.SoundFile, *args: Any, **options: Any) -> np.ndarray:
        values = read(self, *args, **options)
        decoded.append(len(values))
        return values

    monkeypatch.setattr(soundfile.SoundFile, "read", counted)
    tracemalloc.start()
    count = sum(1 for _ in read_windows(path, None, frontend, PLAIN))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 300
    assert sum(decoded) == len(noise)
    assert peak < 6.4e6  # a third of the whole as float32; a block is 0.64 MB, and stands in memory a few times
