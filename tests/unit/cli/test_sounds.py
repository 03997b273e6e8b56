"""What a command line means by its places."""

from __future__ import annotations

from pathlib import Path

import pytest

from openclap.cli.sounds import Sound, find_sounds
from openclap.errors import DataError


@pytest.fixture
def folder(tmp_path):
    for name in ("b.wav", "a.FLAC", "deep/c.mp3", ".hidden.wav", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_means_all_sounds_below_it_in_the_order_of_their_paths(folder):
    assert [str(sound.path.relative_to(folder)) for sound in find_sounds([folder])] == ["a.FLAC", "b.wav", "deep/c.mp3"]


def test_links_in_a_circle_and_hidden_folders_add_no_sounds(folder):
    (folder / "deep" / "up").symlink_to(folder, target_is_directory=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "d.wav").touch()
    assert len(find_sounds([folder])) == 3


def test_a_file_is_taken_whatever_its_name(folder):
    assert find_sounds([folder / "notes.txt"]) == [Sound(folder / "notes.txt")]


def test_a_manifest_means_its_clips_with_their_ranges(folder):
    manifest = folder / "clips.csv"
    manifest.write_text("path,caption,start_s,duration_s\nb.wav,a,1.5,2\na.FLAC,b,,\n", encoding="utf-8")
    part, whole = find_sounds([manifest])
    assert (part.path.name, part.start_s, part.duration_s, part.is_whole) == ("b.wav", 1.5, 2.0, False)
    assert (whole.path.name, whole.is_whole) == ("a.FLAC", True)
    assert str(part).endswith("b.wav#t=1.5,3.5")


def test_what_is_given_twice_is_taken_once(folder):
    assert len(find_sounds([folder, folder / "b.wav"])) == 3


def test_a_place_that_is_not_there_is_named():
    with pytest.raises(DataError, match=r"nowhere\.wav"):
        find_sounds([Path("nowhere.wav")])


def test_a_folder_without_sounds_is_refused(tmp_path):
    with pytest.raises(DataError, match="no sound"):
        find_sounds([tmp_path])
