"""A recording is known again after what usually happens to recordings, and no other is taken for it."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from openclap.audio.decode import decode
from openclap.audio.resample import resample
from openclap.data.example import Example
from openclap.data.manifest import read_manifest
from openclap.data.measure import measure_clip
from openclap.data.overlap.agreement import agreement, can_tell
from openclap.data.overlap.fingerprint import FRAME_S, Fingerprint, fingerprint, landmarks
from openclap.data.overlap.heard import Heard, clip_key, hear, in_order
from openclap.data.overlap.landmark_index import LandmarkIndex
from openclap.data.overlap.ledger import Numbered
from openclap.data.overlap.search import OverlapConfig
from openclap.data.overlap.store import FingerprintStore
from openclap.errors import ConfigError, DataError
from openclap.types import Waveform

THRESHOLD = OverlapConfig().threshold
RATE_HZ = 16000


def made(seed: int, seconds: float = 3.0) -> Waveform:
    """Tones of random pitch over noise that comes and goes: no two seeds are alike."""
    rng = np.random.default_rng(seed)
    n_samples = round(seconds * RATE_HZ)
    level = np.interp(
        np.arange(n_samples), np.arange(0, n_samples + 800, 800), rng.uniform(0, 0.05, n_samples // 800 + 1)
    )
    samples = level * rng.standard_normal(n_samples)
    for _ in range(round(10 * seconds)):
        length = round(rng.uniform(0.1, 0.6) * RATE_HZ)
        first = rng.integers(0, n_samples - length)
        phase = 2 * np.pi * rng.uniform(150, 6000) * np.arange(length) / RATE_HZ
        samples[first : first + length] += rng.uniform(0.02, 0.2) * np.hanning(length) * np.sin(phase)
    return Waveform(samples.astype(np.float32), RATE_HZ)


def coded(wave: Waveform, kind: str, subtype: str) -> Waveform:
    file = io.BytesIO()
    soundfile.write(file, wave.samples.clip(-1, 1), wave.sample_rate_hz, format=kind, subtype=subtype)
    return decode(file.getvalue())


def noisy(wave: Waveform, snr_db: float, seed: int = 0) -> Waveform:
    noise = np.random.default_rng(seed).standard_normal(len(wave.samples))
    level = np.sqrt(np.mean(wave.samples**2)) * 10 ** (-snr_db / 20)
    return Waveform((wave.samples + level * noise).astype(np.float32), wave.sample_rate_hz)


def part(wave: Waveform, begin_s: float, end_s: float) -> Waveform:
    rate_hz = wave.sample_rate_hz
    return Waveform(wave.samples[round(begin_s * rate_hz) : round(end_s * rate_hz)], rate_hz)


def best(own: Fingerprint, other: Fingerprint, folder: Path) -> tuple[float, float]:
    """The best score and its offset in seconds: where the other begins in the first's time."""
    index = LandmarkIndex(folder)
    index.add(0, other)
    index.close()
    found = [agreement(own, other, candidate.shift) for candidate in index.candidates(own)]
    return max(((one.score, one.offset_s) for one in found), default=(0.0, 0.0))


COPIES: dict[str, Callable[[Waveform], Waveform]] = {
    "nothing": lambda wave: wave,
    "Vorbis": lambda wave: coded(wave, "OGG", "VORBIS"),
    "Opus": lambda wave: coded(resample(wave, 48000), "OGG", "OPUS"),
    "MP3": lambda wave: coded(resample(wave, 44100), "MP3", "MPEG_LAYER_III"),
    "8 kHz": lambda wave: resample(wave, 8000),
    "44.1 kHz": lambda wave: resample(wave, 44100),
    "softer": lambda wave: Waveform(wave.samples * np.float32(0.1), wave.sample_rate_hz),
    "cut": lambda wave: part(wave, 0.37 * wave.duration_s, 0.9 * wave.duration_s),
    "noise at 20 dB": lambda wave: noisy(wave, 20),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_known(name, tmp_path):
    wave = made(1)
    score, offset_s = best(fingerprint(wave), fingerprint(COPIES[name](wave)), tmp_path)
    assert score >= THRESHOLD
    # A codec may add up to 50 ms before the sound.
    assert offset_s == pytest.approx(0.37 * 3 if name == "cut" else 0.0, abs=0.06)


def test_the_same_sound_agrees_in_every_bit():
    found = fingerprint(made(1))
    same = agreement(found, found, 0)
    assert same.share == 1.0
    assert same.overlap_s == pytest.approx(3.0, abs=0.15)
    assert can_tell(found)


def test_different_sounds_agree_in_half_of_their_bits():
    first, second = fingerprint(made(1, 10)), fingerprint(made(2, 10))
    found = agreement(first, second, 0)
    assert found.bits > 5000
    assert found.share == pytest.approx(0.5, abs=0.08)
    assert found.score < 0.56


def test_a_clip_is_found_where_it_was_cut_out_of_a_longer_recording(tmp_path):
    long, wave = made(3, 25), made(4)
    samples = long.samples.copy()
    begin = round(17.213 * RATE_HZ)
    samples[begin : begin + len(wave.samples)] = wave.samples
    recording = fingerprint(Waveform(samples, RATE_HZ))
    score, offset_s = best(recording, fingerprint(wave), tmp_path)
    assert score >= THRESHOLD
    assert offset_s == pytest.approx(17.213, abs=2 * FRAME_S)


def test_another_pitch_is_another_sound(tmp_path):
    wave = made(1)
    higher = Waveform(resample(wave, 14000).samples, RATE_HZ)
    assert best(fingerprint(wave), fingerprint(higher), tmp_path)[0] < THRESHOLD


def test_silence_says_nothing():
    rng = np.random.default_rng(0)
    silent = fingerprint(Waveform(np.zeros(RATE_HZ, np.float32), RATE_HZ))
    assert not len(silent.peaks)
    assert not silent.mask.any()
    assert not can_tell(silent)
    rounding = fingerprint(Waveform((rng.integers(-1, 2, RATE_HZ) / 2**15).astype(np.float32), RATE_HZ))
    assert agreement(silent, rounding, 0).score == 0.0


def test_a_silent_part_counts_for_nothing():
    wave = made(1, 2)
    padded = np.concatenate((wave.samples, np.zeros(8 * RATE_HZ, np.float32)))
    alone, long = fingerprint(wave), fingerprint(Waveform(padded, RATE_HZ))
    bits = agreement(alone, alone, 0).bits
    assert agreement(long, long, 0).bits == pytest.approx(bits, rel=0.1)


@pytest.mark.parametrize("samples", [0, 1, 800, 1600])
def test_what_is_shorter_than_a_tenth_of_a_second_has_no_fingerprint_that_could_tell(samples):
    found = fingerprint(Waveform(made(1).samples[:samples], RATE_HZ))
    assert len(found.bits) == len(found.mask)
    assert not can_tell(found)
    assert len(landmarks(found)[0]) == len(landmarks(found)[1])


def test_segments_of_an_index_give_what_one_gives(tmp_path):
    prints = [fingerprint(made(seed, 2)) for seed in range(6)]
    found = []
    for name, segment in (("one", 1 << 24), ("many", 60)):
        (tmp_path / name).mkdir()
        index = LandmarkIndex(tmp_path / name, segment)
        for number, one in enumerate(prints):
            index.add(number, one)
        index.close()
        found.append([set(index.candidates(one)) for one in prints])
    assert found[0] == found[1]
    assert len(list((tmp_path / "many").iterdir())) > 4
    assert all(max(of, key=lambda c: c.votes).clip == number for number, of in enumerate(found[0]))


def test_a_sound_s_content_is_the_one_that_the_check_of_data_takes(tmp_path, noise):
    clips = [Example("a", noise(tmp_path / "a.wav", seed=1, seconds=70)), Example("b", tmp_path / "a.wav", start_s=1.0)]
    for clip in clips:
        heard = hear(clip)
        assert heard.content == measure_clip(clip).content
        assert heard.duration_s == pytest.approx(measure_clip(clip).duration_s)


def test_a_long_file_has_the_fingerprint_that_it_has_at_once(tmp_path, noise):
    path = noise(tmp_path / "a.wav", seed=1, seconds=70)
    whole, parts = fingerprint(decode(path)), hear(Example("a", path)).fingerprint
    assert np.array_equal(whole.peaks, parts.peaks)
    assert np.array_equal(whole.bits, parts.bits)


def test_what_cannot_be_read_is_told(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    heard = hear(Example("a", tmp_path / "a.wav"))
    assert heard.error is not None
    assert heard.error.startswith(("AudioDecodeError", "TruncatedAudioError"))
    assert hear(Example("b", tmp_path / "b.wav")).error.startswith("AudioNotFoundError")  # type: ignore[union-attr]


def test_a_changed_file_has_another_key(tmp_path, noise):
    clip = Example("a", noise(tmp_path / "a.wav", seed=1))
    first = clip_key(clip)
    assert first == clip_key(clip)
    os.utime(clip.audio, ns=(0, 0))
    assert clip_key(clip) not in (first, None)
    assert clip_key(Example("a", clip.audio, start_s=0.1)) != clip_key(clip)
    parts = [clip_key(Example("a", clip.audio, start_s=start_s)) for start_s in (36000.25, 36000.26)]
    assert parts[0] != parts[1]
    assert clip_key(Example("b", tmp_path / "b.wav")) is None


def numbered(clips: list[Example]) -> list[Numbered]:
    return [Numbered(number, "set", clip) for number, clip in enumerate(clips)]


def test_a_sound_is_heard_once(tmp_path, clips, monkeypatch):
    asked = numbered(clips(6))
    with FingerprintStore(tmp_path / "kept") as store:
        first = [heard for _, heard in store.hear_all(asked, threads=2)]
    monkeypatch.setattr("openclap.data.overlap.store.hear", lambda clip: pytest.fail(f"{clip.id} was heard again"))
    with FingerprintStore(tmp_path / "kept") as store:
        again = [heard for _, heard in store.hear_all(asked)]
    for one, other in zip(first, again, strict=True):
        assert (one.content, one.duration_s, one.error) == (other.content, other.duration_s, other.error)
        assert np.array_equal(one.fingerprint.peaks, other.fingerprint.peaks)
        assert np.array_equal(one.fingerprint.bits, other.fingerprint.bits)
        assert np.array_equal(one.fingerprint.mask, other.fingerprint.mask)


def test_what_could_not_be_read_is_tried_again(tmp_path, clips, monkeypatch):
    asked = numbered(clips(2))
    unread = Heard(hear(asked[0].clip).fingerprint, error="AudioFormatError: PyAV is not installed")
    for now, error in ((lambda _: unread, unread.error), (hear, None)):
        monkeypatch.setattr("openclap.data.overlap.store.hear", now)
        with FingerprintStore(tmp_path / "kept") as store:
            assert {heard.error for _, heard in store.hear_all(asked)} == {error}


def test_what_was_heard_before_the_work_ended_is_kept(tmp_path, clips):
    asked = numbered(clips(6))
    with FingerprintStore(tmp_path / "kept") as store:
        heard = store.hear_all(asked)
        for _ in range(4):
            next(heard)  # and nobody asks for the fifth
    with FingerprintStore(tmp_path / "kept") as store:
        kept = [store.get(str(clip_key(clip.clip))) is not None for clip in asked]
    assert kept == [True] * 4 + [False] * 2


def test_two_processes_do_not_share_a_store(tmp_path):
    with (
        FingerprintStore(tmp_path / "kept"),
        pytest.raises(ConfigError, match="another process"),
        FingerprintStore(tmp_path / "kept"),
    ):
        pass


def test_a_broken_store_is_an_error_that_says_what_to_do(tmp_path):
    (tmp_path / "fingerprints.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(DataError, match="delete it"), FingerprintStore(tmp_path):
        pass


def test_only_a_few_things_are_taken_ahead_of_their_turn():
    taken, held = [], threading.Semaphore(0)

    def things():
        for number in range(1000):
            taken.append(number)
            yield number

    done = in_order(lambda number: held.acquire() and number, things(), 2)
    threading.Timer(0.2, lambda: [held.release() for _ in range(1000)]).start()
    assert next(done) == 0
    assert len(taken) <= 8
    assert list(done) == list(range(1, 1000))


@pytest.fixture(scope="module")
def recordings(starter_manifest, tmp_path_factory) -> tuple[list[Waveform], list[Fingerprint], LandmarkIndex]:
    """Real ones, their fingerprints, and an index of these."""
    clips = read_manifest(starter_manifest, where={"source": "esc10", "split": "test"}, check_files=False).examples[::8]
    waves = [decode(clip.audio) for clip in clips]
    prints, index = [fingerprint(wave) for wave in waves], LandmarkIndex(tmp_path_factory.mktemp("index"))
    for number, one in enumerate(prints):
        index.add(number, one)
    index.close()
    return waves, prints, index


@pytest.mark.parametrize("name", ["Vorbis", "MP3", "8 kHz", "cut", "noise at 20 dB"])
def test_real_recordings_are_known_again(name, recordings):
    waves, prints, index = recordings
    known = 0
    for number, wave in enumerate(waves):
        own = fingerprint(COPIES[name](wave))
        scores = {c.clip: agreement(own, prints[c.clip], c.shift).score for c in reversed(index.candidates(own))}
        known += scores.pop(number, 0.0) >= THRESHOLD
        assert max(scores.values(), default=0.0) < THRESHOLD
    # benchmarks/overlap.py finds 98 % and more of such clips again: of ten, one may be lost.
    assert known >= len(waves) - 1
