from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from openclap.atomic import current, file_written_whole, written_whole


def fill(directory: Path, text: str) -> None:
    with written_whole(directory) as fresh:
        (fresh / "file").write_text(text)


def test_a_directory_appears_with_its_parents_and_is_replaced(tmp_path: Path) -> None:
    place = tmp_path / "a" / "b"
    fill(place, "one")
    fill(place, "two")
    assert (place / "file").read_text() == "two"
    assert [child.name for child in place.parent.iterdir()] == ["b"]


def test_nothing_is_seen_before_the_block_ends(tmp_path: Path) -> None:
    fill(tmp_path / "x", "one")
    with written_whole(tmp_path / "x") as fresh:
        (fresh / "file").write_text("two")
        assert (tmp_path / "x" / "file").read_text() == "one"


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    fill(tmp_path / "x", "one")
    with pytest.raises(RuntimeError), written_whole(tmp_path / "x"):
        raise RuntimeError
    assert (tmp_path / "x" / "file").read_text() == "one"
    assert [child.name for child in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("rename", [1, 2])
def test_a_process_that_dies_between_the_renames_loses_nothing(tmp_path: Path, rename: int) -> None:
    place = tmp_path / "x"
    fill(place, "one")
    code = (
        "import os, pathlib, signal, sys\n"
        "from openclap.atomic import written_whole\n"
        "true_rename, count = pathlib.Path.rename, 0\n"
        "def rename(self, target):\n"
        "    global count\n"
        "    count += 1\n"
        "    if count == int(sys.argv[2]):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return true_rename(self, target)\n"
        "pathlib.Path.rename = rename\n"
        "with written_whole(pathlib.Path(sys.argv[1])) as fresh:\n"
        "    (fresh / 'file').write_text('two')\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(place), str(rename)], check=False)
    assert run.returncode == -signal.SIGKILL
    assert (current(place) / "file").read_text() == "one"
    fill(place, "three")
    assert (current(place) / "file").read_text() == "three"
    assert current(place) == place


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_the_directory_has_ordinary_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    fill(tmp_path / "x", "one")
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_file_appears_when_it_is_whole_and_an_error_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    with file_written_whole(path) as fresh:
        fresh.write_text("first")
        assert not path.exists()
    assert path.read_text() == "first"

    def fail() -> None:
        with file_written_whole(path) as fresh:
            fresh.write_text("sec")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail()
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


def test_a_directory_without_a_name_of_its_own_is_where_it_is() -> None:
    for place in (Path(), Path("/")):
        assert current(place) == place
