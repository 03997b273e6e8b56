"""The generated corpus: the same everywhere, split without leaks, and ready to read."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from openclap.data.corpora.soundscapes import Soundscapes, SoundscapesConfig, render
from openclap.data.corpus import corpora
from openclap.data.manifest import Manifest
from openclap.data.synthesis.source import sources
from openclap.errors import ConfigError, UnknownNameError

SIZES = {"n_train": 12, "n_validation": 3, "n_test": 8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpora") / "soundscapes"


@pytest.fixture(scope="module")
def manifest(folder: Path) -> Manifest:
    return corpora.get("soundscapes").prepare(folder, **SIZES).read()


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_manifest_holds_all_splits_with_captions_and_labels(manifest: Manifest) -> None:
    assert Counter(example.split for example in manifest) == {"train": 12, "validation": 3, "test": 8}
    for example in manifest:
        assert 2 <= len(example.captions) <= 3
        assert example.labels == tuple(sources.get(event["source"]).label for event in example.extra["events"])
        assert example.extra["kind"] == ("single" if len(example.labels) == 1 else "scene")
    assert {example.extra["kind"] for example in manifest.select(split="test")} == {"single", "scene"}


def test_files_are_16_bit_mono_of_the_length_and_rate_asked_for(manifest: Manifest) -> None:
    info = soundfile.info(manifest.examples[0].audio)
    assert (info.samplerate, info.channels, info.frames, info.subtype) == (16000, 1, 80000, "PCM_16")


def test_the_same_options_give_the_same_bytes(manifest: Manifest, folder: Path, tmp_path: Path) -> None:
    again = Soundscapes().prepare(tmp_path / "again", **SIZES).read()
    assert hashes(tmp_path / "again") == hashes(folder)
    assert again.digest == manifest.digest


def test_no_clip_is_shared_between_splits(manifest: Manifest) -> None:
    digests = [hashlib.sha256(example.audio.read_bytes()).hexdigest() for example in manifest]
    assert len(set(digests)) == len(digests)
    config = SoundscapesConfig()
    train, test = (render(config, split, 0)[0] for split in ("train", "test"))
    assert train.events != test.events


def test_a_clip_does_not_depend_on_how_many_there_are(manifest: Manifest) -> None:
    alone, _ = render(SoundscapesConfig(n_train=1), "train", 7)
    stored, _ = soundfile.read(manifest.select(split="train").examples[7].audio, dtype="float32")
    assert np.abs(alone.samples - stored).max() <= 1 / 32768  # the rounding to 16 bits


def test_another_seed_gives_other_clips() -> None:
    first, other = (render(SoundscapesConfig(seed=seed), "train", 1)[0] for seed in (0, 1))
    assert not np.array_equal(first.samples, other.samples)


def test_single_clips_are_spread_evenly_over_the_sources() -> None:
    labels = ("dog", "bell", "rain", "drum", "wind")
    config = SoundscapesConfig(sources=labels, single_fraction=0.5, duration_s=3.0)
    made = [render(config, "test", index)[0] for index in range(20)]
    singles = Counter(item.labels[0] for item in made if item.kind == "single")
    assert singles == dict.fromkeys(labels, 2)
    assert all(set(item.labels) <= set(labels) for item in made)


def test_a_prepared_folder_is_used_as_it_is_and_other_options_make_it_anew(tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    small = {"n_train": 2, "n_validation": 0, "n_test": 1}
    Soundscapes().prepare(out, **small)
    clip = out / "train" / "00000.flac"
    made_at = clip.stat().st_mtime_ns
    Soundscapes().prepare(out, **small)
    assert clip.stat().st_mtime_ns == made_at
    manifest = Soundscapes().prepare(out, **small, audio_format="wav").read()
    assert not clip.exists()
    assert manifest.examples[0].audio.suffix == ".wav"


def test_an_interrupted_preparation_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"n_train": 1, "n_validation": 0, "n_test": 1}

    def full(path: Path, *arguments: object, **options: object) -> None:
        if path.parent.name == "test":
            raise OSError("no space left")
        write(path, *arguments, **options)

    write = soundfile.write
    monkeypatch.setattr(soundfile, "write", full)
    with pytest.raises(OSError, match="no space"):
        Soundscapes().prepare(tmp_path / "corpus", **small)
    monkeypatch.undo()
    assert Soundscapes().prepare(tmp_path / "corpus", **small).clips == 2


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("do not delete")
    with pytest.raises(ConfigError, match=r"thesis\.txt"):
        Soundscapes().prepare(tmp_path, n_train=1)
    assert (tmp_path / "thesis.txt").exists()


def test_data_of_somebody_elses_that_look_like_a_corpus_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "recording.wav").write_bytes(b"the only copy")
    (tmp_path / "manifest.jsonl").write_text('{"audio": "train/recording.wav"}\n')
    with pytest.raises(ConfigError, match="give an empty folder"):
        Soundscapes().prepare(tmp_path, n_train=1)
    assert (tmp_path / "train" / "recording.wav").read_bytes() == b"the only copy"
    assert (tmp_path / "manifest.jsonl").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration_s": 1.0}, "at least 3 s"),
        ({"sample_rate_hz": 4000}, "at least 8000 Hz"),
        ({"single_fraction": 1.5}, "a share is 0 to 1"),
        ({"n_trian": 5}, "n_train"),
        ({"sources": ("dog", "rain")}, "three countable sources"),
        ({"n_test": -1}, "n_test"),
    ],
)
def test_wrong_options_are_named(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Soundscapes().prepare(tmp_path / "corpus", **options)
    assert not (tmp_path / "corpus").exists()


def test_an_unknown_source_gets_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="'siren'"):
        Soundscapes().prepare(tmp_path, sources=("sirene", *sources.names()))


def test_events_in_the_manifest_are_plain_numbers(manifest: Manifest, folder: Path) -> None:
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    for row in rows:
        for event in row["events"]:
            assert set(event) == {
                "source", "role", "order", "count", "loudness", "start_s", "end_s", "level_db", "distance", "parameters"
            }  # fmt: skip
            assert all(isinstance(value, float) for value in event["parameters"].values())
