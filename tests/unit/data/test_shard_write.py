"""Shards hold what the front-end hears, are the same whoever writes them, and are complete or not there."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from openclap.audio.decode import decode
from openclap.audio.resample import resample
from openclap.data.example import Example, MadeCaption
from openclap.data.manifest import Manifest, read_manifest, write_manifest
from openclap.data.shards import write as writing
from openclap.data.shards.encode import ShardConfig, encode_clip, renumbered
from openclap.data.shards.job import ShardReport, write_shards
from openclap.errors import ConfigError, DataError, EmptyAudioError, SilentAudioError
from openclap.exclusive import held

Noise = Callable[..., Path]


def config(**settings: Any) -> ShardConfig:
    return ShardConfig.read({"sample_rate_hz": 8000, "clips_per_shard": 4} | settings)


@pytest.fixture
def manifest(tmp_path: Path, noise: Noise) -> Manifest:
    """Ten clips in two splits, with all that a row can say; one is a range, one is broken, one is silent."""
    rows: list[dict[str, Any]] = []
    for n in range(10):
        noise(tmp_path / "in" / f"{n}.wav", seed=n, seconds=0.05 + 0.03 * n)
        rows.append({"audio": f"{n}.wav", "captions": [f"noise {n}", f"hiss {n}"], "labels": ["noise"]})
        rows[n]["split"] = "test" if n >= 7 else "train"
    rows[1] |= {"start_s": 0.02, "duration_s": 0.04, "license": "CC0", "credit": "me", "fold": 2, "source": "lab"}
    rows[2] |= {"made": [MadeCaption("a long hiss", "k2c", ("noise",)).plain()], "depth": 3}
    (tmp_path / "in" / "3.wav").write_bytes(b"no sound")
    soundfile.write(tmp_path / "in" / "4.wav", np.zeros(800), 8000)
    path = tmp_path / "in" / "manifest.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_manifest(path)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out" / "Noise"


def files(folder: Path) -> dict[str, bytes]:
    """Everything but the report, which says how long it took."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != "report.json"}


class TestSound:
    @pytest.mark.parametrize("bits", [16, 24])
    def test_flac_holds_the_front_ends_samples_to_half_a_step(self, tmp_path: Path, noise: Noise, bits: int) -> None:
        path = tmp_path / "stereo.wav"
        samples = np.random.default_rng(0).uniform(-0.5, 0.5, (44100, 2))
        soundfile.write(path, samples, 44100, subtype="FLOAT")
        clip = encode_clip(Example("x", path), config(sample_rate_hz=16000, bits=bits))
        heard = resample(decode(path), 16000)
        kept = decode(clip.data)
        assert (kept.sample_rate_hz, len(kept.samples)) == (16000, len(heard.samples))
        step = 2.0 ** -(bits - 1)
        rounding = 1e-7  # of a float32 near 1
        assert np.abs(kept.samples - heard.samples).max() <= step / 2 + rounding
        assert clip.seconds == len(heard.samples) / 16000
        assert not clip.clipped

    def test_flac_at_the_files_own_rate_and_depth_changes_nothing(self, tmp_path: Path, noise: Noise) -> None:
        path = noise(tmp_path / "x.wav", seed=1, seconds=2.0, peak=1.0)
        assert np.array_equal(decode(encode_clip(Example("x", path), config()).data).samples, decode(path).samples)

    def test_24_bits_hold_the_mean_of_two_16_bit_channels_exactly(self, tmp_path: Path) -> None:
        path = tmp_path / "x.wav"
        soundfile.write(path, np.random.default_rng(0).integers(-30000, 30000, (4000, 2), np.int16), 8000)
        clip = encode_clip(Example("x", path), config(bits=24))
        assert np.array_equal(decode(clip.data).samples, decode(path).samples)

    def test_the_time_range_is_cut_out_and_a_longer_clip_keeps_its_beginning(
        self, tmp_path: Path, noise: Noise
    ) -> None:
        path = noise(tmp_path / "x.wav", seed=1, seconds=2.0)
        whole = decode(path).samples
        part = encode_clip(Example("x", path, start_s=0.5, duration_s=1.0), config())
        assert np.array_equal(decode(part.data).samples, whole[4000:12000])
        short = encode_clip(Example("x", path, start_s=0.5), config(max_s=0.25))
        assert np.array_equal(decode(short.data).samples, whole[4000:6000])

    def test_sound_above_full_scale_is_held_there_and_told(self, tmp_path: Path) -> None:
        path = tmp_path / "x.wav"
        soundfile.write(path, np.array([0.5, 1.5, -1.5, 0.25]), 8000, subtype="FLOAT")
        clip = encode_clip(Example("x", path), config())
        assert clip.clipped
        assert decode(clip.data).samples.tolist() == [0.5, 32767 / 32768, -1.0, 0.25]

    def test_what_no_model_could_hear_is_refused(self, tmp_path: Path, noise: Noise) -> None:
        path = tmp_path / "x.wav"
        soundfile.write(path, np.full(800, 1e-6), 8000, subtype="FLOAT")  # nothing is left of it in 16 bits
        with pytest.raises(SilentAudioError, match="16 bits"):
            encode_clip(Example("x", path), config())
        assert encode_clip(Example("x", path), config(bits=24)).data
        soundfile.write(path, np.concatenate([np.zeros(800), np.ones(800) / 2]), 8000)
        with pytest.raises(SilentAudioError):
            encode_clip(Example("x", path, start_s=0.0, duration_s=0.05), config())
        with pytest.raises(EmptyAudioError):
            encode_clip(Example("x", path, start_s=9.0), config())

    def test_opus_takes_about_the_bits_that_were_asked_for_and_sounds_alike(self, tmp_path: Path) -> None:
        path, t = tmp_path / "x.wav", np.arange(96000) / 48000
        samples = sum(0.1 * np.sin(2 * np.pi * pitch * t) for pitch in (220, 440, 660, 1500))
        soundfile.write(path, samples + 0.05 * np.random.default_rng(0).normal(size=96000), 48000)
        for rate in (24_000, 96_000):
            settings = {"sample_rate_hz": 48000, "audio_format": "opus", "opus_bits_per_s": rate}
            clip = encode_clip(Example("x", path), config(**settings))
            assert 0.75 * rate < len(clip.data) * 8 / clip.seconds < 1.25 * rate
            kept = decode(clip.data)
            assert (kept.sample_rate_hz, len(kept.samples)) == (48000, 96000)
            assert np.corrcoef(kept.samples, decode(path).samples)[0, 1] > 0.8

    def test_two_opus_encodings_of_one_sound_are_the_same_and_valid_ogg(self, tmp_path: Path, noise: Noise) -> None:
        example = Example("x", noise(tmp_path / "x.wav", seed=1, seconds=3.0))
        first = encode_clip(example, config(audio_format="opus"))
        assert first == encode_clip(example, config(audio_format="opus"))
        assert renumbered(first.data) == first.data
        stock = io.BytesIO()
        samples = decode(example.audio).samples
        soundfile.write(stock, samples, 8000, format="OGG", subtype="OPUS")
        drawn = stock.getvalue()[14:18]
        assert renumbered(stock.getvalue()) != stock.getvalue()  # its number was drawn
        # A reader skips pages whose checksum is wrong: all sound is there only if ours are right.
        assert np.array_equal(decode(renumbered(stock.getvalue())).samples, decode(stock.getvalue()).samples)
        assert drawn not in renumbered(stock.getvalue())

    @pytest.mark.parametrize(
        ("settings", "says"),
        [
            ({"audio_format": "opus", "sample_rate_hz": 44100}, "8000, 12000, 16000, 24000, 48000"),
            ({"audio_format": "mp3"}, "flac"),
            ({"bits": 20}, "16"),
            ({"shard_bytes": 1000}, "one of them"),
            ({"opus_bits_per_s": 500_000}, "256001"),
        ],
    )
    def test_settings_that_cannot_be_are_refused(self, settings: dict[str, Any], says: str) -> None:
        with pytest.raises(ConfigError, match=says):
            config(**settings)


class TestFolder:
    def test_it_has_laions_layout_and_says_what_is_left_out(self, manifest: Manifest, out: Path) -> None:
        report = write_shards(manifest, out, config())
        assert sorted(files(out)) == [
            "left-out.jsonl",
            "shards.json",
            "test/0.index.jsonl",
            "test/0.tar",
            "test/sizes.json",
            "train/0.index.jsonl",
            "train/0.tar",
            "train/1.index.jsonl",
            "train/1.tar",
            "train/sizes.json",
        ]
        assert json.loads((out / "train" / "sizes.json").read_text()) == {"0.tar": 3, "1.tar": 2}
        left_out = [json.loads(line) for line in (out / "left-out.jsonl").read_text().splitlines()]
        assert [(row["id"], row["split"], row["error"]) for row in left_out] == [
            ("3.wav", "train", "AudioDecodeError"),
            ("4.wav", "train", "SilentAudioError"),
        ]
        assert (report.clips, report.left_out, report.shards, report.shards_before) == (8, 2, 3, 0)
        assert json.loads((out / "report.json").read_text()) == report.plain()
        seconds = sum(decode(e.audio).duration_s for e in read_manifest(out))
        assert report.hours == pytest.approx(seconds / 3600)
        assert report.hours_per_core_minute == pytest.approx(60 * report.hours / report.core_s)

    def test_a_stock_reader_finds_each_clip_and_its_texts_side_by_side(self, manifest: Manifest, out: Path) -> None:
        write_shards(manifest, out, config())
        with tarfile.open(out / "train" / "0.tar") as tar:
            names = tar.getnames()
            assert names == [f"0000000{n}.{kind}" for n in (0, 1, 2) for kind in ("flac", "json")]
            assert {(info.mtime, info.uid, info.uname, info.mode) for info in tar} == {(0, 0, "", 0o644)}
            read = {name: tar.extractfile(name).read() for name in names}  # type: ignore[union-attr]
        samples, rate_hz = soundfile.read(io.BytesIO(read["00000001.flac"]))
        assert (samples.shape, rate_hz) == ((320,), 8000)
        told = json.loads(read["00000001.json"])
        assert told == {
            "text": ["noise 1", "hiss 1"],
            "tag": ["noise"],
            "id": "1.wav#t=0.02,0.06",
            "captions": ["noise 1", "hiss 1"],
            "labels": ["noise"],
            "split": "train",
            "fold": 2,
            "license": "CC0",
            "credit": "me",
            "source": "lab",
            "seconds": 0.04,
            "original": {"audio": "1.wav", "start_s": 0.02, "duration_s": 0.04},
        }

    def test_clips_with_labels_alone_have_a_text_for_readers_that_need_one(self, tmp_path: Path, noise: Noise) -> None:
        example = Example("x", noise(tmp_path / "x.wav", seed=1), labels=("rain", "wind"))
        write_shards(Manifest(tmp_path, tmp_path, (example,)), tmp_path / "out", config())
        with tarfile.open(tmp_path / "out" / "all" / "0.tar") as tar:
            told = json.load(tar.extractfile("00000000.json"))  # type: ignore[arg-type]
        assert (told["text"], told["captions"]) == (["The sound of rain and wind"], [])

    def test_any_number_of_workers_writes_the_same_bytes(self, manifest: Manifest, tmp_path: Path) -> None:
        told: list[tuple[int, int]] = []
        opus = config(audio_format="opus")
        write_shards(manifest, tmp_path / "one", opus)
        write_shards(manifest, tmp_path / "two", opus, workers=2, progress=lambda *done: told.append(done))
        assert files(tmp_path / "one") == files(tmp_path / "two")
        assert told[-1] == (0, 10)

    def test_shard_bytes_gives_archives_of_about_that_size(self, tmp_path: Path, noise: Noise) -> None:
        examples = [Example(str(n), noise(tmp_path / f"{n}.wav", seed=n, seconds=1.0)) for n in range(40)]
        shard_config = ShardConfig.read({"sample_rate_hz": 8000, "shard_bytes": 150_000})
        write_shards(Manifest(tmp_path, tmp_path, tuple(examples)), tmp_path / "out", shard_config)
        sizes = [(tmp_path / "out" / "all" / f"{n}.tar").stat().st_size for n in range(4)]
        assert all(120_000 < size < 200_000 for size in sizes)

    @pytest.mark.parametrize("split", ["../up", "a/b", "..", ".", "", "trän"])
    def test_no_name_of_a_split_leads_out_of_the_folder(self, tmp_path: Path, noise: Noise, split: str) -> None:
        examples = (Example("x", noise(tmp_path / "x.wav", seed=1), split=split or None),)
        write_shards(Manifest(tmp_path, tmp_path, examples), tmp_path / "out", config())
        (archive,) = tmp_path.rglob("*.tar")
        assert archive.parent.parent == tmp_path / "out"
        (example,) = read_manifest(tmp_path / "out")
        assert example.split == (split or None)

    def test_nothing_usable_is_an_error_that_says_why(self, tmp_path: Path) -> None:
        examples = (Example("x", tmp_path / "gone.wav"),)
        with pytest.raises(DataError, match=r"not one of 1 .*gone\.wav"):
            write_shards(Manifest(tmp_path, tmp_path, examples), tmp_path / "out", config())


class TestGoingOn:
    def test_what_is_complete_stays_and_the_rest_is_written(
        self, manifest: Manifest, out: Path, tmp_path: Path
    ) -> None:
        write_shards(manifest, out, config())
        expected = files(out)
        times = {path: path.stat().st_mtime_ns for path in out.rglob("*.tar")}
        assert write_shards(manifest, out, config()).hours_per_core_minute is None
        assert {path: path.stat().st_mtime_ns for path in out.rglob("*.tar")} == times
        (out / "train" / "1.index.jsonl").unlink()  # killed between the archive and its index
        (out / "test" / "0.tar").write_bytes(b"half a shard")
        (out / "train" / ".0123abcd.1.tar").write_bytes(b"killed in the middle")
        report = write_shards(manifest, out, config())
        assert files(out) == expected
        assert (report.shards_before, report.clips) == (1, 8)
        assert (out / "train" / "0.tar").stat().st_mtime_ns == times[out / "train" / "0.tar"]

    def test_half_finished_shards_are_no_manifest(self, manifest: Manifest, out: Path) -> None:
        write_shards(manifest, out, config())
        (out / "train" / "1.index.jsonl").unlink()
        with pytest.raises(DataError, match=r"1 of its 3 shards are not complete, as train/1\.tar"):
            read_manifest(out)

    def test_other_clips_or_options_and_other_folders_are_refused(
        self, manifest: Manifest, out: Path, tmp_path: Path
    ) -> None:
        write_shards(manifest, out, config())
        with pytest.raises(ConfigError, match="other options"):
            write_shards(manifest, out, config(bits=24))
        with pytest.raises(ConfigError, match="other clips"):
            write_shards(manifest.select(split="test"), out, config())
        theirs = tmp_path / "in" / "runs" / ".0123abcd.state.json"  # what another program is writing just now
        theirs.parent.mkdir()
        theirs.write_text("{}")
        with pytest.raises(ConfigError, match="not empty"):
            write_shards(manifest, tmp_path / "in", config())
        assert theirs.exists()

    def test_a_folder_whose_first_file_was_not_finished_is_begun_again(self, manifest: Manifest, out: Path) -> None:
        out.mkdir(parents=True)
        (out / ".0123abcd.shards.json").write_text("{")
        write_shards(manifest, out, config())
        assert not list(out.glob(".*"))

    def test_two_processes_do_not_write_to_one_folder(self, manifest: Manifest, out: Path) -> None:
        if sys.platform == "win32":
            pytest.skip("nothing is locked there")
        out.mkdir(parents=True)
        with held(out), pytest.raises(ConfigError, match="another process"):
            write_shards(manifest, out, config())

    def test_a_full_disk_is_told_and_leaves_no_half_shard(
        self, manifest: Manifest, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Full(writing._Hashing):
            def write(self, data: bytes) -> int:
                if self.tell() > 3000:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return super().write(data)

        with monkeypatch.context() as patch:
            patch.setattr(writing, "_Hashing", Full)
            with pytest.raises(DataError, match="the disk is full"):
                write_shards(manifest, out, config())
        assert not [name for name in files(out) if name != "shards.json"]
        assert write_shards(manifest, out, config()).clips == 8

    @pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
    def test_a_run_ended_by_sigkill_ends_with_the_bytes_of_one_that_was_not(self, tmp_path: Path, noise: Noise) -> None:
        source = tmp_path / "in"
        examples = [Example(f"{n}", noise(source / f"{n}.wav", seed=n, seconds=3.0)) for n in range(120)]
        manifest = Manifest(source, source, tuple(examples))
        write_manifest(manifest, source / "manifest.jsonl")
        whole = write_shards(manifest, tmp_path / "whole", config(sample_rate_hz=48000, clips_per_shard=5))
        program = tmp_path / "program.py"
        program.write_text(_PROGRAM, encoding="utf-8")
        killed = tmp_path / "killed"
        command = [sys.executable, str(program), str(source), str(killed)]
        with subprocess.Popen(command, start_new_session=True) as process:
            until = time.monotonic() + 60
            while not list(killed.glob("all/[0-9]*.index.jsonl")) and time.monotonic() < until:
                time.sleep(0.001)
            os.kill(process.pid, signal.SIGKILL)
        complete = len(list(killed.glob("all/[0-9]*.index.jsonl")))
        assert 0 < complete < whole.shards
        report = write_shards(manifest, killed, config(sample_rate_hz=48000, clips_per_shard=5))
        assert report.shards_before >= complete
        assert files(killed) == files(tmp_path / "whole")


_PROGRAM = """
import sys
from pathlib import Path
from openclap.data.manifest import read_manifest
from openclap.data.shards.encode import ShardConfig
from openclap.data.shards.job import write_shards

if __name__ == "__main__":
    config = ShardConfig(sample_rate_hz=48000, clips_per_shard=5)
    write_shards(read_manifest(sys.argv[1]), Path(sys.argv[2]), config, workers=2)
"""


def test_a_report_is_plain(manifest: Manifest, out: Path) -> None:
    report = write_shards(manifest, out, config())
    assert isinstance(report, ShardReport)
    assert json.loads(json.dumps(report.plain())) == report.plain()
