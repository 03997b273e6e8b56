"""A sound inside an archive is read where it lies, and what is no longer there is never another sound."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from openclap.audio.decode import audio_info, decode, decode_blocks
from openclap.audio.members import Member, encoded_size, file_behind, member_of, members, open_encoded
from openclap.errors import AudioDecodeError, AudioNotFoundError

LONG = "a/" * 60 + "long.flac"


def sound(seed: int, seconds: float = 0.1) -> bytes:
    file = io.BytesIO()
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, round(8000 * seconds))
    soundfile.write(file, samples, 8000, format="FLAC")
    return file.getvalue()


def pack(path: Path, files: dict[str, bytes], form: int = tarfile.USTAR_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return pack(tmp_path / "x.tar", {"./1.flac": sound(1), "b/2.flac": sound(2), "b/2.json": b"{}"})


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_member_is_the_very_file_that_was_packed(tmp_path: Path, form: int) -> None:
    files = {"1.flac": sound(1), "b/2.flac": sound(2), "ä/ö.flac": sound(3)}
    if form != tarfile.USTAR_FORMAT:  # which has no names so long
        files[LONG] = sound(4)
    found = {member.name: member for member in members(pack(tmp_path / "x.tar", files, form))}
    assert list(found) == list(files)
    for name, data in files.items():
        path = found[name].path
        assert (path.name, path.suffix) == (Path(name).name, ".flac")
        assert encoded_size(path) == len(data)
        assert file_behind(path) == tmp_path / "x.tar"
        with open_encoded(path) as file:
            assert file.read() == data
        assert np.array_equal(decode(path).samples, decode(data).samples)


def test_a_path_says_the_range_and_reads_back(archive: Path) -> None:
    for member in members(archive):
        assert member_of(member.path) == member
        assert member_of(str(member.path)) == member
    assert member_of("x.flac") is None
    assert member_of("x.tar") is None


def test_a_member_without_a_range_is_looked_up(archive: Path) -> None:
    known = {member.name: member.path for member in members(archive)}
    assert np.array_equal(decode(f"{archive}::1.flac").samples, decode(known["1.flac"]).samples)
    assert encoded_size(Path(f"{archive}::b/2.flac")) == len(sound(2))
    with pytest.raises(AudioNotFoundError, match=r"no '3\.flac'"):
        decode(f"{archive}::3.flac")


def test_ranges_headers_and_blocks_of_a_member_are_those_of_the_file(tmp_path: Path) -> None:
    data = sound(5, seconds=3.0)
    (member,) = members(pack(tmp_path / "x.tar", {"5.flac": data}))
    assert audio_info(member.path) == audio_info(data)
    assert np.array_equal(
        decode(member.path, start_s=1.0, duration_s=0.5).samples, decode(data, start_s=1.0, duration_s=0.5).samples
    )
    blocks = [block.samples for block in decode_blocks(member.path, block_s=0.7)]
    assert np.array_equal(np.concatenate(blocks), decode(data).samples)


def test_a_part_of_a_file_behaves_as_a_file(archive: Path) -> None:
    data = sound(2)
    with open_encoded(Path(f"{archive}::b/2.flac")) as file:
        assert file.seek(-4, io.SEEK_END) == len(data) - 4
        assert file.read() == data[-4:]
        assert file.read() == b""
        assert file.seek(10) == 10
        assert file.read(5) == data[10:15]
        assert file.tell() == 15
        file.seek(len(data) + 100)
        assert file.read(1) == b""


def test_an_archive_that_was_replaced_gives_an_error_and_not_another_sound(tmp_path: Path, archive: Path) -> None:
    path = next(members(archive)).path
    pack(archive, {"9.flac": sound(1), "1.flac": sound(2)})  # as long, at the same place, under another name
    with pytest.raises(AudioDecodeError, match="has changed"):
        decode(path)
    pack(archive, {"1.flac": sound(1, seconds=0.2)})
    with pytest.raises(AudioDecodeError, match="has changed"):
        decode(path)
    archive.write_bytes(b"short")
    with pytest.raises(AudioDecodeError, match="has changed"):
        decode(path)
    archive.unlink()
    with pytest.raises(AudioNotFoundError, match="no archive"):
        decode(path)


def test_ranges_that_do_not_begin_at_a_member_are_refused(archive: Path) -> None:
    first = next(members(archive))
    assert first.offset is not None
    assert first.size is not None
    for offset, size in [(first.offset + 1, first.size), (first.offset, first.size - 1), (0, 10), (10**12, 10)]:
        with pytest.raises(AudioDecodeError, match="has changed"):
            decode(Member(archive, first.name, offset, size).path)


def test_links_folders_and_names_that_lead_elsewhere_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        for name, kind in [("link.flac", tarfile.SYMTYPE), ("hard.flac", tarfile.LNKTYPE), ("folder", tarfile.DIRTYPE)]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "../secret.flac"
            tar.addfile(info)
        for name in ["../up.flac", "/etc/top.flac", "a/../../b.flac", "fine.flac"]:
            info = tarfile.TarInfo(name)
            info.size = 4
            tar.addfile(info, io.BytesIO(b"fLaC"))
    assert [member.name for member in members(path)] == ["fine.flac"]


def test_a_cut_archive_is_told_wherever_it_ends(archive: Path) -> None:
    data = archive.read_bytes()
    first, *_, last = [member.offset or 0 for member in members(archive)]
    for end in (last - 100, last + 1, first + 5):
        archive.write_bytes(data[:end])
        with pytest.raises(AudioDecodeError, match=r"cut|broken"):
            list(members(archive))


def test_a_broken_header_is_not_taken_for_the_end(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    *_, last = [member.offset or 0 for member in members(archive)]
    data[last - 300] ^= 0xFF
    archive.write_bytes(data)
    with pytest.raises(AudioDecodeError, match="broken"):
        list(members(archive))


def test_what_is_compressed_or_no_archive_is_named(tmp_path: Path, archive: Path) -> None:
    packed = tmp_path / "y.tar"
    with tarfile.open(packed, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("a.flac"))
    with pytest.raises(AudioDecodeError, match="compressed with gzip"):
        list(members(packed))
    packed.write_bytes(b"no archive at all" * 100)
    with pytest.raises(AudioDecodeError, match="no tar archive"):
        list(members(packed))


def test_no_handle_stays_open(tmp_path: Path, archive: Path) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("this system does not list open files")
    before = len(list(descriptors.iterdir()))
    paths = [member.path for member in members(archive) if member.name.endswith("flac")]
    for _ in range(20):
        for path in paths:
            decode(path)
    assert len(list(descriptors.iterdir())) == before
    shutil.rmtree(tmp_path)
