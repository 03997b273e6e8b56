"""Checkpoints: what is kept, what best and last are, and that no kill at any moment loses a run."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from openclap.atomic import current
from openclap.checkpoints.native import Bundle, load_bundle
from openclap.checkpoints.weights import read_weights
from openclap.errors import CheckpointError
from openclap.training.checkpointing import Best, CheckpointStore, TrainingState, read_state


def state(step: int, best: Best | None = None) -> TrainingState:
    optimizer = {"state": {0: {"step": torch.tensor(float(step)), "exp_avg": torch.ones(3)}}, "param_groups": []}
    return TrainingState(step, 1.5 * step, 0, best, {}, "same", optimizer)


@pytest.fixture
def marked(make_bundle) -> Callable[[int], Bundle]:
    """The bundle with its step in its weights."""
    bundle = make_bundle()

    def mark(step: int) -> Bundle:
        with torch.no_grad():
            bundle.model.logit_scale.fill_(step / 100)
        return bundle

    return mark


def step_in(directory: Path) -> int:
    """The step whose weights a bundle holds; `current` is how bundles are loaded."""
    return round(100 * float(read_weights(current(directory) / "model.safetensors")["logit_scale"]))


def steps_in(out: Path) -> list[int]:
    return sorted(int(path.name[-8:]) for path in (out / "checkpoints").iterdir())


def test_a_checkpoint_is_a_bundle_with_the_training_state_beside_it(marked, tmp_path):
    directory = CheckpointStore(tmp_path, 2).save(marked(7), state(7, Best("validation/loss", 0.5, 7)))
    assert step_in(directory) == 7
    assert load_bundle(directory).provenance["license"] == "CC0-1.0"
    found = read_state(directory)
    assert (found.step, found.elapsed_s, found.best) == (7, 10.5, Best("validation/loss", 0.5, 7))
    assert torch.equal(found.optimizer["state"][0]["exp_avg"], torch.ones(3))


def test_best_and_last_are_bundles_without_the_training_state(marked, tmp_path):
    store = CheckpointStore(tmp_path, 2)
    best = Best("validation/loss", 0.5, 1)
    store.save(marked(1), state(1, best))
    store.save(marked(2), state(2, best))
    assert (step_in(tmp_path / "best"), step_in(tmp_path / "last")) == (1, 2)
    assert not (tmp_path / "best").is_symlink()
    assert not (tmp_path / "last" / "training.pt").exists()


def test_best_and_last_take_no_room_of_their_own(marked, tmp_path):
    directory = CheckpointStore(tmp_path, 2).save(marked(1), state(1))
    for name in ("best", "last"):
        assert (tmp_path / name / "model.safetensors").samefile(directory / "model.safetensors")


def test_without_hard_links_they_are_copies(marked, tmp_path, monkeypatch):
    def refuse(self: Path, target: Path) -> None:
        raise OSError("not here")

    monkeypatch.setattr(pathlib.Path, "hardlink_to", refuse)
    CheckpointStore(tmp_path, 2).save(marked(1), state(1))
    assert step_in(tmp_path / "best") == step_in(tmp_path / "last") == 1


def test_the_newest_and_the_best_are_kept(marked, tmp_path):
    store = CheckpointStore(tmp_path, keep=2)
    for step in range(1, 6):
        store.save(marked(step), state(step, Best("m", 0.0, min(step, 2))))
    assert steps_in(tmp_path) == [2, 4, 5]
    assert step_in(tmp_path / "best") == 2


def test_where_nothing_is_measured_the_newest_is_the_best(marked, tmp_path):
    store = CheckpointStore(tmp_path, keep=1)
    for step in (1, 2):
        store.save(marked(step), state(step))
    assert step_in(tmp_path / "best") == 2
    assert steps_in(tmp_path) == [2]


def test_a_file_that_is_not_its_own_does_not_keep_a_run_from_going_on(marked, tmp_path):
    CheckpointStore(tmp_path, keep=1).save(marked(1), state(1))
    (tmp_path / "checkpoints" / ".DS_Store").touch()
    assert CheckpointStore(tmp_path, keep=1).recover().step == 1


@pytest.mark.parametrize("broken", ["missing", "cut", "other version"])
def test_a_broken_state_names_the_file_and_what_to_do(marked, tmp_path, broken):
    directory = CheckpointStore(tmp_path, 2).save(marked(1), state(1))
    file = directory / "training.pt"
    if broken == "missing":
        file.unlink()
    elif broken == "cut":
        file.write_bytes(file.read_bytes()[:100])
    else:
        torch.save({"format_version": 99}, file)
    with pytest.raises(CheckpointError, match=r"training\.pt.*resume"):
        read_state(directory)


class _Killed(BaseException):
    """Stands for SIGKILL at one file operation: nothing that catches errors catches it."""


@pytest.fixture
def kill_at(monkeypatch) -> Callable[[int], None]:
    """Make the nth file operation from now on never happen, nor any after it."""
    count = {"left": -1, "dead": False}

    def deadly(function):
        def wrapped(*args, **kwargs):
            count["left"] -= 1
            if count["dead"] or count["left"] == 0:
                count["dead"] = True  # a dead process cleans nothing up either
                raise _Killed
            return function(*args, **kwargs)

        return wrapped

    monkeypatch.setattr(os, "fsync", deadly(lambda descriptor: None))  # a real one protects from power cuts, slowly
    for place, name in [
        (shutil, "rmtree"),
        (pathlib.Path, "rename"),
        (pathlib.Path, "hardlink_to"),
        (pathlib.Path, "write_text"),
        (torch, "save"),
    ]:
        monkeypatch.setattr(place, name, deadly(getattr(place, name)))

    def arm(operation: int) -> None:
        count.update(left=operation, dead=False)

    return arm


def test_whatever_moment_it_is_killed_at_the_run_goes_on_from_a_whole_checkpoint(marked, tmp_path, kill_at):
    for step in (1, 2):
        CheckpointStore(tmp_path / "before", keep=1).save(marked(step), state(step, Best("m", 0.0, 1)))
    operation, finished = 0, False
    while not finished:
        operation += 1
        out = shutil.copytree(tmp_path / "before", tmp_path / str(operation))
        store = CheckpointStore(out, keep=1)
        kill_at(operation)
        try:
            store.save(marked(3), state(3, Best("m", 0.0, 3)))
            finished = True
        except _Killed:
            pass
        kill_at(-1)
        for name in ("best", "last"):
            step_in(out / name)  # can be read at once, before anything is mended
        recovered = CheckpointStore(out, keep=1).recover()
        assert recovered is not None
        newest = recovered.step
        assert newest in (2, 3)
        assert step_in(out / "last") == newest
        assert step_in(out / "best") == (3 if newest == 3 else 1)
        assert steps_in(out) == ([3] if newest == 3 else [1, 2])  # nothing half written or half deleted is left
        assert sorted(path.name for path in out.iterdir()) == ["best", "checkpoints", "last"]
        shutil.rmtree(out)
    assert operation > 20  # the save was in fact cut at many places
