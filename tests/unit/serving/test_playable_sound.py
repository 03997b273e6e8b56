"""Every clip comes as something that every browser plays."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from openclap.audio.members import members
from openclap.errors import AudioDecodeError, AudioNotFoundError
from openclap.serving.sound import PlayableFiles

RATE_HZ = 16_000


@pytest.fixture
def ramp() -> np.ndarray:
    """Two seconds whose samples tell their time."""
    return np.linspace(-0.5, 0.5, 2 * RATE_HZ, dtype=np.float32)


@pytest.fixture
def files():
    """Playable files that are removed at the end."""
    files = PlayableFiles()
    yield files
    files.close()


def write(path: Path, samples: np.ndarray, rate_hz: int = RATE_HZ, **options: str) -> Path:
    soundfile.write(path, samples, rate_hz, **options)
    return path


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_what_browsers_play_is_given_as_it_is(tmp_path: Path, ramp, files: PlayableFiles, name: str) -> None:
    path = write(tmp_path / name, ramp)
    assert files.get(path).path == path
    assert files.get(path).media_type.startswith("audio/")


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.aiff", {}), ("a.caf", {}), ("a.wav", {"subtype": "PCM_24"}), ("a.wav", {"subtype": "FLOAT"}), ("a.au", {})],
)
def test_what_some_browsers_do_not_play_becomes_wav(tmp_path: Path, ramp, files: PlayableFiles, name, options) -> None:
    found = files.get(write(tmp_path / name, ramp, **options))
    assert found.media_type == "audio/wav"
    assert soundfile.info(found.path).subtype == "PCM_16"
    samples, rate_hz = soundfile.read(found.path, dtype="float32")
    assert rate_hz == RATE_HZ
    np.testing.assert_allclose(samples, ramp, atol=1 / 32768)  # 16 bits


def test_a_time_range_is_just_that(tmp_path: Path, ramp, files: PlayableFiles) -> None:
    found = files.get(write(tmp_path / "a.wav", ramp), start_s=0.5, duration_s=0.25)
    samples, _ = soundfile.read(found.path, dtype="float32")
    np.testing.assert_allclose(samples, ramp[RATE_HZ // 2 : RATE_HZ * 3 // 4], atol=1 / 32768)


def test_rates_that_no_sound_card_has_are_resampled(tmp_path: Path, files: PlayableFiles) -> None:
    bat = write(tmp_path / "bat.wav", np.zeros(38_400, np.float32) + 0.1, 384_000)
    info = soundfile.info(files.get(bat).path)
    assert (info.samplerate, info.duration) == (48_000, pytest.approx(0.1, abs=0.001))


def test_more_than_two_channels_are_mixed(tmp_path: Path, ramp, files: PlayableFiles) -> None:
    surround = write(tmp_path / "a.wav", np.stack([ramp] * 6, axis=1), subtype="PCM_16")
    assert soundfile.info(files.get(surround).path).channels == 1


def test_a_clip_is_written_once_and_removed_in_the_end(tmp_path: Path, ramp) -> None:
    path = write(tmp_path / "a.aiff", ramp)
    files = PlayableFiles()
    first = files.get(path)
    assert files.get(path) == first
    files.close()
    assert not first.path.exists()


def test_room_is_made_by_what_was_asked_for_longest_ago(tmp_path: Path, ramp) -> None:
    files = PlayableFiles(most_bytes=150_000)  # two of them
    paths = [write(tmp_path / f"{n}.aiff", ramp) for n in range(3)]
    first, second, third = (files.get(path) for path in paths)
    assert [file.path.exists() for file in (first, second, third)] == [False, True, True]
    assert files.get(paths[0]).path.exists()
    files.close()


def test_a_member_of_an_archive_is_taken_out_as_it_is(tmp_path: Path, ramp, files: PlayableFiles) -> None:
    sound = write(tmp_path / "a.flac", ramp)
    with tarfile.open(tmp_path / "0.tar", "w") as tar:
        tar.add(sound, "a.flac")
    member = next(members(tmp_path / "0.tar")).path
    assert files.get(member).media_type == "audio/flac"
    assert files.get(member).path.read_bytes() == sound.read_bytes()
    assert soundfile.info(files.get(member, start_s=1.0).path).duration == 1.0


def test_what_cannot_be_played_says_why_and_leaves_nothing(tmp_path: Path, files: PlayableFiles) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF\x00\x00\x00\x00WAVEjunk")
    with pytest.raises(AudioDecodeError):
        files.get(broken)
    with pytest.raises(AudioNotFoundError):
        files.get(tmp_path / "missing.wav", start_s=1.0)
