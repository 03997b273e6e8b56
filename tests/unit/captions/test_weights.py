"""A model in a folder is known by what its files hold."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from openclap.captions.stage import stages
from openclap.captions.weights import device_for, folder_digest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "chat_template.jinja", "README.md"):
        (folder / name).write_bytes(name.encode())
    return folder


def test_a_copy_is_the_same_model(folder: Path, tmp_path: Path) -> None:
    before = folder_digest(folder)
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    for path in copy.iterdir():
        os.utime(path, (0, 0))
    (copy / "README.md").write_text("other words")
    assert folder_digest(copy) == before
    assert len(before) == 12


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "chat_template.jinja"])
def test_other_bytes_are_another_model_though_size_and_time_are_the_same(name: str, folder: Path) -> None:
    before, path = folder_digest(folder), folder / name
    stat = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert folder_digest(folder) != before


def test_a_name_at_the_hub_is_no_folder() -> None:
    assert folder_digest(Path("no/such-model")) == ""


def test_what_a_local_model_is_asked_goes_by_its_bytes(folder: Path, tmp_path: Path) -> None:
    def identity() -> object:
        return stages.get("llm")(model=str(folder), backend="local", store=tmp_path / "replies.sqlite").identity

    before = identity()
    os.utime(folder / "model.safetensors", (0, 0))
    assert identity() == before
    (folder / "model.safetensors").write_bytes(b"trained further..")
    assert identity() != before


def test_the_device_is_the_one_that_was_named() -> None:
    assert device_for("cuda:1") == "cuda:1"
    assert device_for("auto") in ("cpu", "cuda")
