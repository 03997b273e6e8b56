"""What stands in training and in evaluation data is found, told with evidence, and taken out; nothing else is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from openclap.cli.app import run
from openclap.data.manifest import read_manifest
from openclap.data.overlap.fingerprint import Fingerprint
from openclap.data.overlap.landmark_index import LandmarkIndex
from openclap.data.overlap.near import near_pairs
from openclap.errors import DataError
from openclap.inference.vectors import writing

RATE_HZ = 16000


def sound(path: Path, seed: int, seconds: float = 2.0) -> np.ndarray:
    """Bursts of noise as a file, and its samples; no two seeds are alike."""
    rng = np.random.default_rng(seed)
    samples = 0.002 * rng.standard_normal(round(seconds * RATE_HZ))
    for _ in range(round(8 * seconds)):
        length = round(rng.uniform(0.02, 0.3) * RATE_HZ)
        first = rng.integers(0, len(samples) - length)
        samples[first : first + length] += 0.1 * np.hanning(length) * rng.standard_normal(length)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE_HZ)
    return samples


def manifest(folder: Path, *rows: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps({"caption": "a sound"} | row) + "\n" for row in rows))
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def called(here: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Runs the command: its exit code and its result."""

    def call(*arguments: object) -> tuple[int, dict[str, Any]]:
        code = run(["data", "overlap", *map(str, arguments), "--json"])
        text = capsys.readouterr().out
        return code, json.loads(text) if text else {}

    return call


def test_the_same_ids_are_found_and_taken_out(here, called):
    train = manifest(
        here / "train",
        {"audio": "1.wav", "freesound_id": 11, "source": "freesound"},
        {"audio": "2.wav", "freesound_id": 12, "source": "freesound"},
        {"audio": "3.wav", "youtube_id": "abcdefghijk", "youtube_start_s": 30, "source": "audioset"},
        {"audio": "4.wav", "youtube_id": "abcdefghijk", "youtube_start_s": 50, "source": "audioset"},
    )
    manifest(here / "esc50", {"audio": "a.wav", "freesound_id": "12"}, {"audio": "b.wav", "freesound_id": "99"})
    manifest(here / "caps", {"audio": "c.wav", "youtube_id": "abcdefghijk", "youtube_start_s": 35})
    code, result = called(
        train, "--against", "esc50", "--against", "caps", "--by", "ids", "--out", "clean.jsonl", "--report", "report"
    )
    assert code == 0
    assert [clip.id for clip in read_manifest("clean.jsonl", check_files=False)] == ["1.wav", "4.wav"]
    assert result["written"] == {"clean.jsonl": 2}
    assert [(t["train_source"], t["against"], t["ids"], t["clips"], t["found"]) for t in result["tallies"]] == [
        ("audioset", "caps", 1, 1, 1),
        ("freesound", "esc50", 1, 1, 1),
    ]
    pairs = lines(here / "report/pairs.jsonl")
    assert [(pair["train_id"], pair["against_id"], pair["evidence"]) for pair in pairs] == [
        ("2.wav", "a.wav", {"space": "freesound", "id": "12", "train": "column freesound_id",
                            "against": "column freesound_id"}),
        ("3.wav", "c.wav", {"space": "youtube", "id": "abcdefghijk", "train": "column youtube_id",
                            "against": "column youtube_id", "train_start_s": 30.0, "against_start_s": 35.0}),
    ]  # fmt: skip
    page = (here / "report/overlap.md").read_text()
    assert "| esc50 | train: freesound | 1 | 1 | 1 |" in page
    assert "id 12" in page


def test_any_segment_of_a_video_counts_if_that_is_wanted(here, called):
    manifest(here / "train", {"audio": "4.wav", "youtube_id": "abcdefghijk", "youtube_start_s": 50})
    manifest(here / "caps", {"audio": "c.wav", "youtube_id": "abcdefghijk", "youtube_start_s": 30})
    assert called("train", "--against", "caps", "--by", "ids")[1]["train"][0]["overlapping"] == 0
    code, result = called("train", "--against", "caps", "--by", "ids", "--whole-videos")
    assert (code, result["train"][0]["overlapping"]) == (3, 1)


def test_a_guessed_id_drops_nothing_and_is_told(here, called, capsys):
    manifest(here / "train", {"audio": "1-17-A-0.wav"}, {"audio": "x.wav"})
    manifest(here / "eval", {"audio": "a.wav", "freesound_id": 17})
    code, result = called("train", "--against", "eval", "--by", "ids", "--out", "clean.jsonl", "--report", "report")
    assert (code, result["written"], result["tallies"][0]["guessed"]) == (0, {"clean.jsonl": 2}, 1)
    assert "guessed and kept" in (here / "report/overlap.md").read_text()
    code, result = called("train", "--against", "eval", "--by", "ids", "--out", "clean.jsonl", "--names", "esc50")
    assert (code, result["written"], result["tallies"][0]["guessed"]) == (0, {"clean.jsonl": 1}, 0)


def test_a_list_of_ids_is_an_evaluation_set(here, called):
    manifest(here / "train", {"audio": "1.wav", "freesound_id": 11}, {"audio": "2.wav", "freesound_id": 12})
    (here / "clotho.txt").write_text("12\n13\n")
    code, result = called("train", "--ids", "freesound=clotho.txt", "--by", "ids", "--out", "clean.jsonl")
    assert (code, result["written"]) == (0, {"clean.jsonl": 1})
    assert result["against"] == [
        {"name": "clotho", "path": "clotho.txt", "clips": 2, "overlapping": 1, "unheard": 0},
    ]


def test_copies_are_found_by_their_sound_and_broken_files_are_kept_and_told(here, called):
    samples = sound(here / "eval/a.wav", 1)
    sound(here / "train/other.wav", 2)
    longer = np.concatenate((sound(here / "train/longer.wav", 3), samples))
    soundfile.write(here / "train/longer.wav", longer, RATE_HZ)
    soundfile.write(here / "train/coded.ogg", 0.5 * samples, RATE_HZ)
    shutil.copy(here / "eval/a.wav", here / "train/same.wav")
    (here / "train/broken.wav").write_bytes(b"RIFF")
    code, result = called("train", "--against", "eval", "--out", "clean.jsonl", "--report", "report")
    assert code == 3
    assert [clip.id for clip in read_manifest("clean.jsonl", check_files=False)] == ["broken.wav", "other.wav"]
    found = {Path(pair["train_id"]).name: pair["evidence"] for pair in lines(here / "report/pairs.jsonl")}
    assert found["same.wav"] == {"same_samples": True}
    assert found["coded.ogg"]["score"] > 0.66
    assert found["longer.wav"]["offset_s"] == pytest.approx(2.0, abs=0.03)
    assert found["longer.wav"]["overlap_s"] == pytest.approx(2.0, abs=0.15)
    assert set(found) == {"same.wav", "coded.ogg", "longer.wav"}
    (unheard,) = lines(here / "report/unheard.jsonl")
    assert Path(unheard["id"]).name == "broken.wav"
    assert result["train"][0]["unheard"] == 1


def test_the_fingerprints_of_one_run_serve_the_next(here, called, monkeypatch):
    sound(here / "eval/a.wav", 1)
    sound(here / "train/b.wav", 2)
    assert called("train", "--against", "eval", "--by", "content")[0] == 0
    monkeypatch.setattr("openclap.data.overlap.store.hear", lambda clip: pytest.fail(f"{clip.id} was heard again"))
    shutil.copy(here / "eval/a.wav", here / "eval/a2.wav")
    (here / "eval/a2.wav").unlink()
    assert called("train", "--against", "eval", "--by", "content")[0] == 0
    assert not list((here / "overlap.fingerprints").glob("*.unfinished"))


def test_clips_of_one_sound_in_one_manifest_are_grouped(here, called):
    samples = sound(here / "all/a.wav", 1, 3.0)
    sound(here / "all/b.wav", 2)
    soundfile.write(here / "all/c.flac", samples[RATE_HZ // 2 :], RATE_HZ)
    soundfile.write(here / "all/d.ogg", samples, RATE_HZ)
    code, result = called("all", "--by", "content", "--report", "report")
    assert code == 0
    assert result["groups"] == [["a.wav", "c.flac", "d.ogg"]]
    assert lines(here / "report/groups.jsonl") == [{"clips": ["a.wav", "c.flac", "d.ogg"]}]
    assert result["train"][0]["overlapping"] == 2


def test_ids_group_clips_of_one_manifest_too(here, called):
    rows = ({"audio": f"{number}.wav", "freesound_id": number % 3} for number in range(5))
    manifest(here / "all", *rows)
    assert called("all", "--by", "ids")[1]["groups"] == [["0.wav", "3.wav"], ["1.wav", "4.wav"]]


def unit(rows: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((rows, 8)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def write_vectors(path: Path, vectors: np.ndarray, paths: list[str], identity: str = "m") -> Path:
    ends = [1.0] * len(paths)
    with writing(path) as file:
        file.add(vectors, {"path": paths, "start_s": [0.0] * len(paths), "end_s": ends})
        file.describe(identity)
    return path


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_near_vectors_are_found_and_clips_without_one_are_counted(here, called, suffix):
    manifest(here / "train", *({"audio": f"{n}.wav"} for n in range(4)))
    manifest(here / "eval", {"audio": "a.wav"}, {"audio": "b.wav"})
    first, second = unit(3, 0), unit(2, 1)
    second[1] = first[2]
    write_vectors(here / f"train{suffix}", first, [f"train/{n}.wav" for n in range(3)])
    write_vectors(here / f"eval{suffix}", second, ["eval/a.wav", "eval/b.wav"])
    arguments = ["train", "--against", "eval", "--by", "vectors"]
    arguments += ["--vectors", f"train{suffix}", "--vectors", f"eval{suffix}"]
    code, result = called(*arguments, "--cosine", 0.99, "--out", "clean.jsonl", "--report", "report")
    assert code == 0
    assert result["written"] == {"clean.jsonl": 3}
    assert result["without_vectors"] == 1
    (pair,) = lines(here / "report/pairs.jsonl")
    assert (pair["train_id"], pair["against_id"], pair["evidence"]) == ("2.wav", "b.wav", {"cosine": 1.0})
    assert called(*arguments)[0] == 2  # no cosine


def test_vectors_of_two_models_are_refused(here, called):
    manifest(here / "train", {"audio": "1.wav"})
    manifest(here / "eval", {"audio": "a.wav"})
    write_vectors(here / "one.npz", unit(1, 0), ["train/1.wav"])
    write_vectors(here / "two.npz", unit(1, 1), ["eval/a.wav"], identity="another")
    code, _ = called(
        "train", "--against", "eval", "--by", "vectors", "--cosine", 0.9, "--vectors", "one.npz", "--vectors", "two.npz"
    )
    assert code == 8


def test_every_near_pair_is_found_whatever_the_blocks():
    rows, others = unit(2100, 0), unit(8300, 1)
    expected = {(i, j) for i, j in zip(*np.nonzero(rows @ others.T >= 0.97), strict=True)}
    found = {(i, j) for here, there, _ in near_pairs(rows, others, 0.97) for i, j in zip(here, there, strict=True)}
    # Products in blocks may round in another way: what is nearer to the threshold than that may differ.
    assert len(expected ^ found) <= 2
    assert len(expected) > 20


def test_vectors_that_are_not_of_unit_length_are_refused():
    with pytest.raises(DataError, match="length 1"):
        list(near_pairs(2 * unit(3, 0), unit(3, 1), 0.9))
    with pytest.raises(DataError, match="different models"):
        list(near_pairs(unit(3, 0)[:, :4], unit(3, 1), 0.9))


def test_several_training_manifests_are_cleaned_into_a_folder(here, called):
    manifest(here / "one", {"audio": "1.wav", "freesound_id": 1}, {"audio": "2.wav", "freesound_id": 2})
    manifest(here / "two", {"audio": "3.wav", "freesound_id": 3}, {"audio": "4.wav", "freesound_id": 1})
    manifest(here / "eval", {"audio": "a.wav", "freesound_id": 1})
    assert called("one", "two", "--against", "eval", "--by", "ids", "--out", "clean")[0] == 0
    kept = [
        [clip.id for clip in read_manifest(here / f"clean/{name}.jsonl", check_files=False)] for name in ("one", "two")
    ]
    assert kept == [["2.wav"], ["3.wav"]]


def test_filters_tell_the_splits_of_one_manifest_apart(here, called):
    path = manifest(
        here / "all",
        {"audio": "1.wav", "freesound_id": 1, "split": "train"},
        {"audio": "2.wav", "freesound_id": 1, "split": "test"},
        {"audio": "3.wav", "freesound_id": 2, "split": "train"},
    )
    code, result = called(
        path,
        "--where",
        "split=train",
        "--against",
        path,
        "--against-where",
        "split=test",
        "--by",
        "ids",
        "--out",
        "c.jsonl",
    )
    assert (code, result["written"]) == (0, {"c.jsonl": 1})
    assert called(path, "--against", path, "--by", "ids")[0] == 2
    (here / "linked.jsonl").hardlink_to(path)
    assert called(path, "--against", "linked.jsonl", "--by", "ids")[0] == 2


def test_filters_that_leave_nothing_are_an_error(here, called):
    manifest(here / "train", {"audio": "1.wav", "freesound_id": 1})
    manifest(here / "eval", {"audio": "2.wav", "freesound_id": 1, "split": "eval"})
    assert called("train", "--against", "eval", "--against-where", "split=test", "--by", "ids")[0] == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--by", "ids", "--out", "clean.jsonl"),
        ("train", "--by", "sound"),
        ("train", "--by", "ids", "--names", "esc5"),
        ("train", "--by", "vectors"),
        ("train", "--threshold", "2"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(here, called, arguments):
    manifest(here / "train", {"audio": "1.wav", "freesound_id": 1})
    assert called(*arguments)[0] == 2
    assert not (here / "clean.jsonl").exists()


def test_the_real_clips_have_sounds_in_both_splits(starter_manifest, here, called):
    """Those that `data check` finds are the same samples; the fingerprints find more of the same recordings."""
    rows = [row for row in lines(starter_manifest) if row["source"] == "wesnoth" and row["seconds"] < 2]
    audio = starter_manifest.parent
    path = manifest(here / "short", *(row | {"path": str(audio / row["path"])} for row in rows))
    splits = ("--where", "split=train", "--against-where", "split=test")
    code, result = called(path, "--against", path, *splits, "--by", "content", "--report", "report")
    assert code == 3
    same = [pair for pair in lines(here / "report/pairs.jsonl") if pair["evidence"].get("same_samples")]
    assert {Path(pair["train_id"]).stem for pair in same} == {"mace", "staff", "contract"}
    assert result["train"][0]["overlapping"] > len(same)


def test_a_list_without_the_way_that_reads_it_is_an_error(here, called):
    manifest(here / "train", {"audio": "1.wav", "freesound_id": 1})
    (here / "clotho.txt").write_text("1\n")
    assert called("train", "--ids", "freesound=clotho.txt", "--by", "content")[0] == 2


def test_sets_of_one_name_on_both_sides_are_counted_apart(here, called):
    sound(here / "a/sounds/1.wav", 1)
    (here / "b/sounds").mkdir(parents=True)
    (here / "b/sounds/broken.wav").write_bytes(b"RIFF")
    code, result = called(
        "a/sounds", "--against", "b/sounds", "--by", "content", "--out", "c.jsonl", "--report", "report"
    )
    assert code == 3
    assert (result["train"][0]["unheard"], result["against"][0]["unheard"]) == (0, 1)
    assert lines(here / "report/unheard.jsonl")[0]["side"] == "against"


def test_of_many_copies_the_later_ones_do_not_hide_the_earlier_ones(tmp_path):
    index = LandmarkIndex(tmp_path)
    rng, nothing = np.random.default_rng(0), np.zeros(0, np.uint64)
    peaks = np.sort(rng.choice(100 * 256, 60, replace=False))
    whole, half = (Fingerprint(part.astype(np.uint32), nothing, nothing) for part in (peaks, peaks[::2]))
    for number in range(60):
        index.add(number, half if number < 3 else whole)  # the later ones agree better
    index.close()
    assert {candidate.clip for candidate in index.candidates(whole)}.isdisjoint({0, 1, 2})
    assert {candidate.clip for candidate in index.candidates(whole, before=3)} == {0, 1, 2}
    assert index.candidates(whole, before=0) == []


def test_a_sound_that_repeats_itself_does_not_hide_the_others_that_it_is_like(tmp_path):
    index = LandmarkIndex(tmp_path)
    rng = np.random.default_rng(0)
    beat = np.sort(rng.integers(0, 50, 30) * 256 + rng.integers(0, 130, 30))
    nothing = np.zeros(0, np.uint64)
    repeated = Fingerprint(
        np.concatenate([beat + 256 * 50 * times for times in range(40)]).astype(np.uint32), nothing, nothing
    )
    once = Fingerprint(beat.astype(np.uint32), nothing, nothing)
    for number, one in enumerate((repeated, once, repeated)):
        index.add(number, one)
    index.close()
    assert {candidate.clip for candidate in index.candidates(repeated)} == {0, 1, 2}
