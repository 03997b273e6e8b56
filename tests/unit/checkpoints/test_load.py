from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path

import pytest
import torch

from openclap.checkpoints.adapter import adapters
from openclap.checkpoints.hub import Downloaded
from openclap.checkpoints.load import load
from openclap.checkpoints.native import Bundle, save_bundle, weights_digest
from openclap.errors import CheckpointError


def test_a_bundles_directory_loads_by_path_and_by_text(bundle: Bundle, tmp_path: Path) -> None:
    saved = save_bundle(bundle, tmp_path / "model")
    for name in (saved, str(saved)):
        assert weights_digest(load(name).model) == weights_digest(bundle.model)


def test_a_bundle_that_a_dying_save_has_left_hidden_is_found(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(bundle, tmp_path / "model").rename(tmp_path / ".model.replaced")
    assert load(tmp_path / "model").config.name == "tiny"


def test_a_broken_bundle_is_a_broken_bundle_and_nothing_else(bundle: Bundle, tmp_path: Path) -> None:
    saved = save_bundle(bundle, tmp_path / "model")
    (saved / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json: is not JSON"):
        load(saved)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "clap"}, "has config.json, but none of model.safetensors"),
        ({"model_type": "bert"}, "Hugging Face model of type 'bert'"),
        ({}, "neither format_version nor model_type"),
    ],
)
def test_directories_of_others_are_recognised(tmp_path: Path, config: dict[str, str], message: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=message):
        load(tmp_path)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("some.pt", {"weight": torch.zeros(1)}, "1 tensors (weight, …) of no model that openclap reads"),
        ("empty.pt", {"state_dict": {}}, "holds no tensors by name"),
        ("list.pt", [torch.zeros(1)], "holds a list, but must hold tensors by name"),
        ("nan.pt", {"weight": torch.tensor([float("nan")])}, "of no model that openclap reads"),
    ],
)
def test_pickles_of_other_things_are_described(
    tmp_path: Path, name: str, content: object, message: str, zipped: bool
) -> None:
    torch.save(content, tmp_path / name, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=re.escape(message)):
        load(tmp_path / name)


def test_a_pickle_that_would_do_harm_does_none(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "harm",)  # type: ignore[return-value]

    torch.save({"state_dict": Harm()}, tmp_path / "evil.pt")
    with pytest.raises(CheckpointError, match=r"asks to run .*pathlib\.Path, which weights have no need of"):
        load(tmp_path / "evil.pt")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(("name", "data"), [("notes.txt", b"hello"), ("empty.pt", b"")])
def test_other_files_are_not_taken_for_checkpoints(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CheckpointError, match="is no checkpoint: neither a bundle"):
        load(tmp_path / name)


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_a_download_that_broke_off_is_called_so(tmp_path: Path, share: float) -> None:
    torch.save({"a": torch.zeros(1000)}, tmp_path / "cut.pt")
    content = (tmp_path / "cut.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match="truncated"):
        load(tmp_path / "cut.pt")


@pytest.mark.parametrize("name", ["laoin.pt", "models/CLAP_2023.pth", "clap/model.safetensors"])
def test_a_mistyped_file_is_not_looked_for_on_the_hub(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openclap.checkpoints.load.fetch", lambda *_: pytest.fail("the hub was asked"))
    with pytest.raises(CheckpointError, match="there is no file or directory"):
        load(name)


def test_bare_weights_point_to_their_directory(bundle: Bundle, tmp_path: Path) -> None:
    saved = save_bundle(bundle, tmp_path / "model")
    with pytest.raises(CheckpointError, match="is bare weights, which do not say what they are; give the directory"):
        load(saved / "model.safetensors")


def test_a_runs_directory_points_to_the_model_in_it(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(bundle, tmp_path / "best")
    with pytest.raises(CheckpointError, match=r"did you mean .*best\?"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["no such/place", "./nowhere", "/nowhere/at/all"])
def test_a_path_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(CheckpointError, match="there is no file or directory"):
        load(name)


def test_two_words_with_a_slash_may_be_a_missing_directory_or_a_hub_name() -> None:
    with pytest.raises(CheckpointError, match=r"'runs/best' is no directory here, and the Hugging Face hub"):
        load("runs/best")


def test_a_bundle_takes_no_other_tokenizer(bundle: Bundle, tmp_path: Path) -> None:
    saved = save_bundle(bundle, tmp_path / "model")
    with pytest.raises(CheckpointError, match="has a tokenizer of its own"):
        load(saved, tokenizer=saved)


def test_a_directory_of_files_says_to_give_one(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, tmp_path / "one.pt")
    (tmp_path / "readme.md").write_text("# Weights")
    with pytest.raises(CheckpointError, match=r"it holds one\.pt: give one of them, as in .*one\.pt"):
        load(tmp_path)


def test_what_is_neither_file_nor_directory_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match="is neither a file nor a directory"):
        load(tmp_path / "pipe")


def test_a_file_of_a_hub_repository_says_where_it_came_from(
    small: Callable[..., Bundle], words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch_file(repository: str, file: str, revision: str | None) -> Downloaded:
        asked.append((repository, file, revision))
        return Downloaded(tmp_path / "model.pt", "0" * 64, repository, "c0ffee")

    adapters.get("laion").write(small("pann-micro"), tmp_path / "model.pt")
    monkeypatch.setattr("openclap.checkpoints.load.fetch_file", fetch_file)
    found = load("someone/some_clap/folder/model.pt@v1", tokenizer=words)
    assert asked == [("someone/some_clap", "folder/model.pt", "v1")]
    assert found.provenance["repository"] == "someone/some_clap"
    assert found.provenance["revision"] == "c0ffee"


@pytest.mark.parametrize("kind", ["bundle", "clap", "newer clap"])
def test_a_hub_repository_may_be_a_bundle_or_a_clapmodel(
    small: Callable[..., Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What says what it is comes first, then what that kind needs; pickles only where there is nothing else."""
    hub, cache, asked = tmp_path / "hub", tmp_path / "c0ffee", []
    if kind == "bundle":
        save_bundle(small(), hub)
    else:
        adapters.get("huggingface").write(small(), hub)
    if kind == "newer clap":  # of transformers 5
        extractor = json.loads((hub / "preprocessor_config.json").read_text())
        (hub / "processor_config.json").write_text(json.dumps({"feature_extractor": extractor}))
        (hub / "preprocessor_config.json").unlink()

    def fetch(name: str, patterns: Sequence[str]) -> Path:
        asked.append(list(patterns))
        cache.mkdir(exist_ok=True)
        for file in hub.iterdir():
            if any(fnmatch(file.name, pattern) for pattern in patterns):
                shutil.copy(file, cache)
        return cache

    monkeypatch.setattr("openclap.checkpoints.load.fetch", fetch)
    found = load("someone/some-clap@main")
    assert asked[0] == ["config.json"]
    assert not any(pattern.endswith((".bin", ".bin*")) for patterns in asked for pattern in patterns)
    if kind != "bundle":
        assert found.provenance["repository"] == "someone/some-clap"
        assert found.provenance["revision"] == "c0ffee"
