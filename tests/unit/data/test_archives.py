"""Archives: everything that is in them comes out, inside the folder, and nothing else happens."""

from __future__ import annotations

import contextlib
import io
import shutil
import stat
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from openclap.data import archives
from openclap.data.archives import unpack
from openclap.data.splitzip import SplitZip
from openclap.errors import DataError

RANDOM = np.random.default_rng(0).bytes(50_000)
CONTENT = {"sounds/a.wav": RANDOM, "sounds/deep/b.wav": RANDOM[::-1], "table.csv": b"fname,labels\n" * 5000}


def make_zip(path: Path, content: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in content.items():
            file.writestr(name, data)


def make_tar(path: Path, content: dict[str, bytes]) -> None:
    with tarfile.open(path, f"w:{path.suffix[1:]}" if path.suffix != ".tar" else "w") as file:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))


def make_7z(path: Path, content: dict[str, bytes]) -> None:
    with pytest.importorskip("py7zr").SevenZipFile(path, "w") as file:
        for name, data in content.items():
            file.writestr(data, name)


MAKERS: dict[str, Callable[[Path, dict[str, bytes]], None]] = {
    "x.zip": make_zip,
    "x.tar": make_tar,
    "x.tar.gz": make_tar,
    "x.tar.bz2": make_tar,
    "x.7z": make_7z,
}


def found(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", MAKERS)
def test_all_that_is_in_it_comes_out(name: str, tmp_path: Path) -> None:
    MAKERS[name](tmp_path / name, CONTENT)
    told: list[tuple[int, int | None]] = []
    assert unpack(tmp_path / name, tmp_path / "out", tell=lambda *now: told.append(now)) == len(CONTENT)
    assert found(tmp_path / "out") == CONTENT
    size = sum(map(len, CONTENT.values()))
    assert told[-1][0] == size
    assert told[-1][1] in (size, None)


@pytest.mark.parametrize("name", MAKERS)
def test_unpacking_again_writes_only_what_is_not_there(name: str, tmp_path: Path) -> None:
    MAKERS[name](tmp_path / name, CONTENT)
    unpack(tmp_path / name, tmp_path / "out")
    kept, lost = tmp_path / "out/sounds/a.wav", tmp_path / "out/table.csv"
    before = kept.stat().st_ino
    lost.write_bytes(b"half")
    unpack(tmp_path / name, tmp_path / "out")
    assert found(tmp_path / "out") == CONTENT
    if name != "x.7z":  # all of it is unpacked beside the folder first, and moved
        assert kept.stat().st_ino == before


@pytest.mark.parametrize("name", MAKERS)
def test_a_file_of_the_same_size_is_not_taken_for_what_the_archive_holds(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_CHUNK_BYTES", 7000)
    MAKERS[name](tmp_path / name, CONTENT)
    unpack(tmp_path / name, tmp_path / "out")
    (tmp_path / "out/sounds/a.wav").write_bytes(bytes(len(RANDOM)))
    (tmp_path / "out/sounds/deep/b.wav").write_bytes(RANDOM[:0:-1] + b"!")  # only the last byte is another
    unpack(tmp_path / name, tmp_path / "out")
    assert found(tmp_path / "out") == CONTENT


@pytest.mark.parametrize("bad", ["../evil", "/evil", "a/../../evil", "..\\evil", "C:\\evil", "C:evil"])
@pytest.mark.parametrize("name", ["x.zip", "x.tar"])
def test_nothing_lands_outside_of_the_folder(name: str, bad: str, tmp_path: Path) -> None:
    MAKERS[name](tmp_path / name, {bad: b"x"})
    with pytest.raises(DataError, match="outside of the folder"):
        unpack(tmp_path / name, tmp_path / "deep" / "out")
    assert found(tmp_path / "deep") == {}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(kind: bytes, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = kind, "/etc/passwd"
        file.addfile(info)
    with pytest.raises(DataError, match="link or device"):
        unpack(tmp_path / "x.tar", tmp_path / "out")


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="the link 'link'"):
        unpack(tmp_path / "x.zip", tmp_path / "out")


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz", "x.7z"])
def test_what_grows_without_end_is_stopped(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_ALWAYS_BYTES", 1 << 20)
    MAKERS[name](tmp_path / name, {"zeros": bytes(4 << 20)})
    with pytest.raises(DataError, match="times its size"):
        unpack(tmp_path / name, tmp_path / "out")
    assert found(tmp_path / "out") == {}


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("before", [0, 1])
def test_a_header_does_not_fill_the_memory(kind: bytes, before: int, tmp_path: Path) -> None:
    info = tarfile.TarInfo("header")
    info.type, info.size = kind, 1 << 24  # 16 kB when packed
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as file:
        for number in range(before):
            file.addfile(tarfile.TarInfo(f"{number}.wav"))
        file.addfile(info, io.BytesIO(bytes(info.size)))
    with pytest.raises(DataError, match="a header of 16,777,216 bytes"):
        unpack(tmp_path / "x.tar.gz", tmp_path / "out")


def test_long_names_in_a_tar_are_read(tmp_path: Path) -> None:
    content = {f"{'deep/' * 60}{'n' * 150}.wav": b"sound"}
    make_tar(tmp_path / "x.tar.gz", content)
    unpack(tmp_path / "x.tar.gz", tmp_path / "out")
    assert found(tmp_path / "out") == content


def test_what_an_operating_system_left_behind_is_passed_over(tmp_path: Path) -> None:
    make_zip(tmp_path / "x.zip", {"a.wav": b"x", "__MACOSX/._a.wav": b"y", ".DS_Store": b"z", "d/._b.wav": b"z"})
    unpack(tmp_path / "x.zip", tmp_path / "out")
    assert found(tmp_path / "out") == {"a.wav": b"x"}


def test_names_written_on_windows_are_folders(tmp_path: Path) -> None:
    make_zip(tmp_path / "x.zip", {"sounds\\a.wav": b"x"})
    unpack(tmp_path / "x.zip", tmp_path / "out")
    assert found(tmp_path / "out") == {"sounds/a.wav": b"x"}


@pytest.mark.parametrize("name", MAKERS)
def test_half_an_archive_is_an_error_and_leaves_no_half_file(name: str, tmp_path: Path) -> None:
    MAKERS[name](tmp_path / name, CONTENT)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(tmp_path / name, tmp_path / "out")
    assert all(CONTENT[name] == data for name, data in found(tmp_path / "out").items())


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_STORED) as file:
        file.writestr("a.wav", RANDOM)
    data = bytearray((tmp_path / "x.zip").read_bytes())
    data[1000] ^= 1
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(DataError, match="CRC"):
        unpack(tmp_path / "x.zip", tmp_path / "out")
    assert found(tmp_path / "out") == {}


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "x.7z"])
def test_whatever_is_wrong_with_it_is_one_kind_of_error(name: str, tmp_path: Path) -> None:
    MAKERS[name](tmp_path / name, {"a.wav": RANDOM[:300], "b/c.wav": RANDOM[:100]})
    whole, rng = (tmp_path / name).read_bytes(), np.random.default_rng(1)
    for trial in range(60):
        data = bytearray(whole)
        for place in rng.integers(len(data), size=rng.integers(1, 6)):
            data[place] = rng.integers(256)
        (tmp_path / name).write_bytes(data[: rng.integers(1, len(data))] if trial % 3 == 0 else data)
        with contextlib.suppress(DataError):  # or nothing that matters was hit
            unpack(tmp_path / name, tmp_path / f"out{trial}" / "deep")
        assert {path.name for path in tmp_path.iterdir()} <= {name, *(f"out{n}" for n in range(trial + 1))}


class TestSplit:
    """Volumes as Info-ZIP's own program writes them."""

    @pytest.fixture(params=[[], ["-fz"], ["-0"]], ids=["deflated", "zip64", "stored"])
    def archive(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        if shutil.which("zip") is None:
            pytest.skip("needs Info-ZIP's zip")
        for name, data in CONTENT.items():
            (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "in" / name).write_bytes(data)
        command = ["zip", "-q", "-r", "-s", "64k", *request.param, str(tmp_path / "x.zip"), "."]
        subprocess.run(command, cwd=tmp_path / "in", check=True)
        assert (tmp_path / "x.z01").exists()
        return tmp_path / "x.zip"

    def test_volumes_are_read_as_one(self, archive: Path, tmp_path: Path) -> None:
        assert unpack(archive, tmp_path / "out") == len(CONTENT)
        assert found(tmp_path / "out") == CONTENT

    def test_a_missing_volume_is_named(self, archive: Path, tmp_path: Path) -> None:
        (tmp_path / "x.z01").rename(tmp_path / "x.z03")
        with pytest.raises(DataError, match=r"x\.z01 is missing"):
            unpack(archive, tmp_path / "out")

    def test_volumes_are_counted(self, archive: Path, tmp_path: Path) -> None:
        last = max(tmp_path.glob("x.z[0-9]*"))
        count = int(last.suffix[2:]) + 1
        shutil.copy(last, last.with_suffix(f".z{count:02}"))
        with pytest.raises(DataError, match=f"last of {count} volumes, but {count + 1} are there"):
            unpack(archive, tmp_path / "out")

    def test_whatever_is_wrong_with_a_volume_is_one_kind_of_error(self, archive: Path, tmp_path: Path) -> None:
        whole, rng = archive.read_bytes(), np.random.default_rng(1)
        for trial in range(60):
            data = bytearray(whole)
            data[-rng.integers(1, 400)] = rng.integers(256)  # the directory is there
            archive.write_bytes(data)
            with contextlib.suppress(DataError):
                unpack(archive, tmp_path / f"out{trial}")

    def test_damage_is_found(self, archive: Path, tmp_path: Path) -> None:
        data = bytearray((tmp_path / "x.z01").read_bytes())
        data[2000] ^= 255
        (tmp_path / "x.z01").write_bytes(data)
        with pytest.raises(DataError, match="cannot be unpacked"):
            unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("more", [1, 100])
def test_the_last_bytes_of_a_file_come_out_though_all_its_input_was_read_before(more: int, tmp_path: Path) -> None:
    data = bytes((1 << 20) + more)  # the end of a file of silence: one match, which goes over the end of a piece
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr("silence.raw", data)
    with SplitZip(tmp_path / "x.zip") as archive, archive.open(archive.infolist()[0]) as unpacked:
        assert unpacked.read() == data


def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_text("<html>Sign in</html>")
    with pytest.raises(DataError, match="is it complete"):
        unpack(tmp_path / "x.zip", tmp_path / "out")
    with pytest.raises(DataError, match="no such archive"):
        unpack(tmp_path / "y.zip", tmp_path / "out")
