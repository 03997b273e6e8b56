"""Clips in archives are the clips that went in, and archives of other makers are read as they are."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openclap.audio.decode import decode
from openclap.cli.app import run
from openclap.cli.sounds import find_sounds
from openclap.data.check import check_manifest
from openclap.data.content import content_numbers
from openclap.data.example import Example, MadeCaption, NegativeCaption
from openclap.data.manifest import Manifest, read_manifest, write_manifest
from openclap.data.overlap.ids import ids_of
from openclap.data.shards.encode import ShardConfig
from openclap.data.shards.index import index_beside, index_in_cache, read_head, write_index
from openclap.data.shards.job import write_shards
from openclap.data.stream import ManifestStream
from openclap.errors import DataError, ManifestError

Noise = Callable[..., Path]
CONFIG = ShardConfig(sample_rate_hz=8000, clips_per_shard=3)


@pytest.fixture
def examples(tmp_path: Path, noise: Noise) -> list[Example]:
    """Eight clips of one split, whose texts have everything that a manifest can say."""
    found = [
        Example(
            id=f"clip {n}",
            audio=noise(tmp_path / "in" / f"{n}.wav", seed=n),
            captions=(f"noise {n}", "hiss"),
            labels=("noise",),
            split="train",
            extra={"depth": n},
        )
        for n in range(8)
    ]
    made = (MadeCaption("a hiss", "k2c", of=("noise",), replaces=True, details={"model": "t5"}),)
    negatives = (NegativeCaption("a hum", "attribute", of="hiss", maker="negatives"),)
    found[1] = replace(found[1], made=made, negatives=negatives, fold=3, license="CC0", credit="me", source="lab")
    found[2] = replace(found[2], captions=(), extra={"title": "not a caption", "caption": "nor this", "text": "nor"})
    found[3] = replace(found[3], labels=(), captions=())
    return found


@pytest.fixture
def shards(tmp_path: Path, examples: list[Example]) -> Path:
    source = tmp_path / "in"
    write_shards(Manifest(source, source, tuple(examples)), tmp_path / "Noise", CONFIG)
    return tmp_path / "Noise"


def pack(path: Path, files: Mapping[str, bytes | str]) -> Path:
    """An archive as any tool would write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def wave(tmp_path: Path, noise: Noise) -> Callable[[int], bytes]:
    return lambda seed: noise(tmp_path / "made" / f"{seed}.wav", seed=seed).read_bytes()


def without_place(example: Example) -> Example:
    extra = {name: value for name, value in example.extra.items() if name not in ("seconds", "original")}
    return replace(example, audio=Path(), extra=extra)


class TestOurOwn:
    def test_all_that_was_said_of_a_clip_comes_back_and_its_sound_bit_for_bit(
        self, examples: list[Example], shards: Path
    ) -> None:
        read = read_manifest(shards).examples
        assert [without_place(example) for example in read] == [without_place(example) for example in examples]
        for before, after in zip(examples, read, strict=True):
            assert np.array_equal(decode(after.audio).samples, decode(before.audio).samples)
            assert after.extra["original"] == {"audio": before.audio.name}
            assert after.extra["seconds"] == 0.2

    def test_a_stream_and_a_single_archive_and_a_split_give_the_same(self, shards: Path) -> None:
        whole = read_manifest(shards)
        assert tuple(ManifestStream(shards)) == whole.examples
        assert [e.id for e in read_manifest(shards / "train")] == [e.id for e in whole]
        assert [e.id for e in read_manifest(shards / "train" / "1.tar")] == ["clip 3", "clip 4", "clip 5"]
        assert len(read_manifest(shards, where={"source": "lab"})) == 1

    def test_archives_are_read_in_the_order_of_their_numbers(self, tmp_path: Path, noise: Noise) -> None:
        clips = tuple(Example(str(n), noise(tmp_path / "in" / f"{n}.wav", seed=n)) for n in range(12))
        config = ShardConfig(sample_rate_hz=8000, clips_per_shard=1)
        write_shards(Manifest(tmp_path, tmp_path, clips), tmp_path / "out", config)
        (tmp_path / "out" / "shards.json").unlink()  # as when a split was copied alone
        assert [example.id for example in read_manifest(tmp_path / "out")] == [str(n) for n in range(12)]

    def test_a_manifest_written_elsewhere_still_finds_them(self, shards: Path, tmp_path: Path) -> None:
        read = read_manifest(shards)
        write_manifest(read, tmp_path / "deep" / "manifest.jsonl")
        again = read_manifest(tmp_path / "deep" / "manifest.jsonl")
        for before, after in zip(read, again, strict=True):
            assert np.array_equal(decode(after.audio).samples, decode(before.audio).samples)
        shutil.rmtree(shards)
        with pytest.raises(ManifestError, match=r"no audio file .*0\.tar"):
            read_manifest(tmp_path / "deep" / "manifest.jsonl")

    def test_the_folder_can_be_moved(self, shards: Path, tmp_path: Path) -> None:
        before = [decode(example.audio).samples.tobytes() for example in read_manifest(shards)]
        shutil.move(shards, tmp_path / "elsewhere")
        shutil.rmtree(tmp_path / "in")
        assert [decode(example.audio).samples.tobytes() for example in read_manifest(tmp_path / "elsewhere")] == before

    def test_shards_made_of_shards_still_say_where_the_sound_came_from(self, shards: Path, tmp_path: Path) -> None:
        write_shards(read_manifest(shards), tmp_path / "again", CONFIG.model_copy(update={"clips_per_shard": 5}))
        first, again = read_manifest(shards).examples, read_manifest(tmp_path / "again").examples
        assert [replace(example, audio=Path()) for example in again] == [replace(e, audio=Path()) for e in first]
        assert len(list((tmp_path / "again" / "train").glob("*.tar"))) == 2

    def test_a_lost_index_is_made_again_out_of_the_archive(self, shards: Path) -> None:
        expected = read_manifest(shards).examples
        (shards / "shards.json").unlink()
        for archive in shards.rglob("*.tar"):
            index_beside(archive).unlink()
        read = read_manifest(shards).examples
        # But for columns of the names that other readers look for.
        lost = [replace(e, extra={name: value for name, value in e.extra.items() if name != "text"}) for e in expected]
        assert list(read) == lost
        assert [name for e in expected for name in e.extra].count("text") == 1

    def test_equal_sounds_are_known_as_equal(self, tmp_path: Path, noise: Noise) -> None:
        paths = [noise(tmp_path / "in" / f"{n}.wav", seed=n % 3) for n in range(6)]
        clips = tuple(Example(str(n), path) for n, path in enumerate(paths))
        for kind in ("flac", "opus"):
            config = ShardConfig(sample_rate_hz=8000, clips_per_shard=2, audio_format=kind)
            write_shards(Manifest(tmp_path, tmp_path, clips), tmp_path / kind, config)
            numbers = content_numbers(example.audio for example in read_manifest(tmp_path / kind))
            assert list(numbers.values()) == [0, 1, 2, 0, 1, 2]

    def test_a_copy_that_lost_its_end_is_refused(self, shards: Path) -> None:
        archive = shards / "train" / "1.tar"
        archive.write_bytes(archive.read_bytes()[:-512])
        with pytest.raises(ManifestError, match="copy it again"):
            read_manifest(shards)

    def test_whatever_is_said_of_their_number_only_the_folder_is_looked_at(self, shards: Path) -> None:
        about = json.loads((shards / "shards.json").read_text(encoding="utf-8"))
        (shards / "shards.json").write_text(json.dumps(about | {"shards": {"train": 10**15}}))
        with pytest.raises(ManifestError, match=r"of its 1000000000000000 shards are not complete, as train/\d\.tar"):
            read_manifest(shards)
        (shards / "shards.json").write_text(json.dumps(about | {"shards": {f"../{shards.name}/train": 1}}))
        with pytest.raises(ManifestError, match="is no folder in it"):
            read_manifest(shards)

    def test_a_broken_index_is_named_with_its_line(self, shards: Path) -> None:
        index = index_beside(shards / "train" / "0.tar")
        lines = index.read_text(encoding="utf-8").splitlines(keepends=True)
        index.write_text("".join(lines[:2]) + "{broken\n", encoding="utf-8")
        with pytest.raises(ManifestError, match=r"0\.index\.jsonl:3: is broken"):
            read_manifest(shards)
        index.write_text("".join(lines[:2]), encoding="utf-8")
        with pytest.raises(ManifestError, match="is cut: it speaks of 3 clips, and has 1"):
            read_manifest(shards)

    def test_the_number_of_a_file_in_a_shard_is_nobodys_id(self, tmp_path: Path, noise: Noise) -> None:
        clip = Example("x", noise(tmp_path / "in" / "405271.wav", seed=1), source="fsd50k")
        write_shards(Manifest(tmp_path, tmp_path, (clip,)), tmp_path / "out", CONFIG)
        (member,) = read_manifest(tmp_path / "out")
        assert ids_of(member) == ids_of(clip)
        assert [found.key for found in ids_of(member)] == ["405271"]


class TestChecking:
    def test_sound_shards_have_no_finding(self, shards: Path) -> None:
        report = check_manifest(read_manifest(shards).select(source="lab"))
        assert "damaged-shard" not in {finding.kind for finding in report.findings}

    def test_one_flipped_bit_is_found_by_its_checksum(self, shards: Path, capsys: pytest.CaptureFixture[str]) -> None:
        archive = shards / "train" / "2.tar"
        data = bytearray(archive.read_bytes())
        data[-1] ^= 1  # in what no clip needs
        archive.write_bytes(data)
        (finding,) = (f for f in check_manifest(read_manifest(shards)).findings if f.kind == "damaged-shard")
        assert finding.severity == "error"
        assert len(finding.clips) == 1
        assert "2.tar has the SHA-256" in finding.clips[0]
        assert run(["data", "check", str(shards)]) == 3
        assert "bytes are not those that were written" in capsys.readouterr().out


class TestArchivesOfOthers:
    def test_laions_layout_gives_texts_tags_and_splits(self, tmp_path: Path, wave: Callable[[int], bytes]) -> None:
        root = tmp_path / "Freesound"
        told = {"text": ["a dog", "barking"], "tag": ["dog"], "original_data": {"title": "x"}, "start": 30, "end": 40}
        pack(root / "balanced_train" / "0.tar", {"1.flac": wave(1), "1.json": json.dumps(told)})
        pack(root / "balanced_train" / "10.tar", {"3.flac": wave(3), "3.json": json.dumps({"text": "rain"})})
        pack(root / "balanced_train" / "2.tar", {"2.json": json.dumps({"text": "wind"}), "2.flac": wave(2)})
        (root / "balanced_train" / "sizes.json").write_text('{"0.tar": 1, "2.tar": 1, "10.tar": 1}')
        pack(root / "test" / "0.tar", {"1.flac": wave(4), "1.json": json.dumps({"text": "hum", "id": "mine"})})
        read = read_manifest(root)
        assert [(e.split, e.captions) for e in read] == [
            ("balanced_train", ("a dog", "barking")),
            ("balanced_train", ("wind",)),
            ("balanced_train", ("rain",)),
            ("test", ("hum",)),
        ]
        first = read.examples[0]
        assert (first.labels, first.start_s, first.duration_s) == (("dog",), 0.0, None)
        assert first.extra == {"original_data": {"title": "x"}, "original_start": 30, "original_end": 40}
        assert [e.id for e in read][::3] == ["balanced_train/0.tar::1.flac", "mine"]
        assert np.array_equal(decode(first.audio).samples, decode(wave(1)).samples)

    def test_texts_may_be_lines_and_come_in_any_order(self, tmp_path: Path, wave: Callable[[int], bytes]) -> None:
        files: dict[str, bytes | str] = {
            "a/1.txt": "one\ntwo\n",
            "a/2.flac": wave(2),
            "a/1.x.wav": wave(1),
            "a/2.json": '{"caption": "three"}',
        }
        read = read_manifest(pack(tmp_path / "x.tar", files))
        assert [(e.audio.name, e.captions) for e in read] == [("2.flac", ("three",)), ("1.x.wav", ("one", "two"))]

    def test_without_texts_the_folder_inside_is_the_label(self, tmp_path: Path, wave: Callable[[int], bytes]) -> None:
        read = read_manifest(pack(tmp_path / "x.tar", {"dog_bark/1.wav": wave(1), "rain/1.wav": wave(2)}))
        assert [example.labels for example in read] == [("dog bark",), ("rain",)]

    def test_the_index_is_made_once_and_again_for_another_archive(
        self, tmp_path: Path, wave: Callable[[int], bytes]
    ) -> None:
        archive = pack(tmp_path / "x.tar", {"1.wav": wave(1), "1.txt": "one"})
        assert read_manifest(archive).examples[0].captions == ("one",)
        index = index_beside(archive)
        written = index.stat().st_mtime_ns
        read_manifest(archive)
        assert index.stat().st_mtime_ns == written
        pack(archive, {"1.wav": wave(1), "1.txt": "two"})  # as large
        os.utime(archive, ns=(written + 1, written + 1))
        assert read_manifest(archive).examples[0].captions == ("two",)
        head = read_head(index)
        assert head is not None
        assert (head.clips, head.sha256) == (1, None)

    def test_in_a_folder_that_may_not_be_written_the_index_goes_to_the_cache(
        self, tmp_path: Path, wave: Callable[[int], bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        archive = pack(tmp_path / "theirs" / "x.tar", {"1.wav": wave(1), "1.txt": "one"})
        writes = []

        def refuse(index: Path, *rest: Any) -> None:
            writes.append(index)
            if index.parent == archive.parent:
                raise PermissionError(13, "may not be written")
            write_index(index, *rest)

        monkeypatch.setattr("openclap.data.shards.read.write_index", refuse)
        assert [e.captions for e in read_manifest(archive.parent)] == [("one",)]
        assert [e.captions for e in read_manifest(archive.parent)] == [("one",)]
        assert writes == [index_beside(archive), index_in_cache(archive)]
        assert writes[1].is_relative_to(tmp_path / "cache")

    @pytest.mark.parametrize(
        ("text", "says"), [("{", "cannot be read"), ("[1]", "holds a list"), ('{"text": [1]}', "takes text")]
    )
    def test_texts_that_are_none_are_named(
        self, tmp_path: Path, wave: Callable[[int], bytes], text: str, says: str
    ) -> None:
        with pytest.raises(ManifestError, match=says):
            read_manifest(pack(tmp_path / "x.tar", {"1.wav": wave(1), "1.json": text}))

    def test_archives_that_are_none_are_named(self, tmp_path: Path, wave: Callable[[int], bytes]) -> None:
        archive = pack(tmp_path / "x.tar", {"1.wav": wave(1)})
        archive.write_bytes(archive.read_bytes()[:700])
        with pytest.raises(ManifestError, match=r"x\.tar: is cut"):
            read_manifest(archive)
        archive.write_bytes(b"nothing of the kind" * 100)
        with pytest.raises(ManifestError, match="no tar archive"):
            read_manifest(archive)
        assert not index_beside(archive).exists()

    def test_a_folder_with_sounds_of_its_own_is_read_as_before(
        self, tmp_path: Path, wave: Callable[[int], bytes]
    ) -> None:
        pack(tmp_path / "raw" / "dog.tar", {"1.wav": wave(1)})
        (tmp_path / "raw" / "dog").mkdir()
        (tmp_path / "raw" / "dog" / "1.wav").write_bytes(wave(1))
        assert [e.id for e in read_manifest(tmp_path / "raw")] == ["dog/1.wav"]


class TestCommands:
    def test_shards_are_sounds_to_every_command(self, shards: Path) -> None:
        found = find_sounds([shards])
        assert [sound.path for sound in found] == [example.audio for example in read_manifest(shards)]
        assert find_sounds([shards / "train" / "0.tar"]) == found[:3]
        assert found[0].key != replace(found[0], path=found[1].path).key
        assert "@" in found[0].key  # the archive's time of change
        assert found[0].length_s() == pytest.approx(0.2)
        one = Path(f"{shards / 'train' / '0.tar'}::00000001.flac")
        assert [sound.path for sound in find_sounds([one])] == [one]
        with pytest.raises(DataError, match="no such file"):
            find_sounds([shards / "train" / "9.tar::00000001.flac"])

    def test_the_command_writes_tells_and_goes_on(
        self, examples: list[Example], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "in" / "7.wav").unlink()
        write_manifest(examples, tmp_path / "in" / "manifest.jsonl")
        out = tmp_path / "cli"
        options = ["--out", str(out), "--rate-hz", "8000", "--format", "opus", "--clips-per-shard", "3"]
        arguments = ["data", "shard", str(tmp_path / "in"), *options, "--workers", "1"]
        assert run([*arguments, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["clips"], told["left_out"], told["shards"]) == (7, 1, 3)
        assert told["hours_per_core_minute"] > 0
        assert run(arguments) == 0
        said = capsys.readouterr().out
        assert "3 of them were written before" in said
        assert "clip 7: there is no such file" in said
        assert len(read_manifest(out)) == 7
        assert run([*arguments, "--rate-hz", "44100"]) == 2
        assert "Opus has 8000" in capsys.readouterr().err
