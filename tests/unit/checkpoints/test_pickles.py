from __future__ import annotations

import argparse
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from openclap.checkpoints.pickles import is_pickle, read_pickle
from openclap.errors import CheckpointError

WEIGHTS = {"a.weight": torch.arange(6.0).view(2, 3), "b": torch.tensor(7)}


def save(content: object, path: Path, *, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("nest", [None, "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "_orig_mod.module."])
def test_weights_are_found_wherever_training_scripts_put_them(
    tmp_path: Path, zipped: bool, nest: str | None, prefix: str
) -> None:
    named = {prefix + name: value for name, value in WEIGHTS.items()}
    content = {nest: named, "epoch": 3} if nest else named
    found = read_pickle(save(content, tmp_path / "x", zipped=zipped))
    assert list(found) == list(WEIGHTS)
    assert all(found[name].equal(value) for name, value in WEIGHTS.items())


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_is_read_whatever_it_is_called(tmp_path: Path, zipped: bool) -> None:
    found = read_pickle(save(WEIGHTS, tmp_path / "pytorch.safetensors", zipped=zipped))
    assert found["a.weight"].equal(WEIGHTS["a.weight"])


def test_nobody_is_told_how_to_read_a_broken_file_unsafely(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\x80\x02garbage")
    with pytest.raises(CheckpointError, match="truncated or no PyTorch file") as refusal:
        read_pickle(tmp_path / "x")
    assert "weights_only" not in str(refusal.value)


def test_a_prefix_of_some_names_stays(tmp_path: Path) -> None:
    found = read_pickle(save({"module.a": torch.ones(1), "b": torch.ones(1)}, tmp_path / "x"))
    assert set(found) == {"module.a", "b"}


@pytest.mark.parametrize("zipped", [True, False])
def test_the_baggage_of_training_scripts_is_passed_over(tmp_path: Path, zipped: bool) -> None:
    module = nn.Linear(2, 2)
    optimizer = torch.optim.Adam(module.parameters(), lr=np.float64(1e-4))
    module(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    baggage = {
        "optimizer": optimizer.state_dict(),
        "best": np.float32(0.5),
        "step": np.int64(7),
        "args": argparse.Namespace(out=Path("runs"), lr=1e-4),
        "losses": {"train": np.float64(0.1)},
    }
    found = read_pickle(save({"state_dict": module.state_dict(), **baggage}, tmp_path / "x", zipped=zipped))
    assert found["weight"].equal(module.weight.detach())


def test_numbers_that_an_older_numpy_wrote_are_passed_over(tmp_path: Path) -> None:
    path = save({"state_dict": WEIGHTS, "lr": np.float64(1e-4)}, tmp_path / "new")
    with zipfile.ZipFile(path) as new, zipfile.ZipFile(tmp_path / "old", "w") as old:
        for name in new.namelist():
            old.writestr(name, new.read(name).replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert set(read_pickle(tmp_path / "old")) == set(WEIGHTS)


def test_a_saved_module_s_parameters_are_plain_tensors(tmp_path: Path) -> None:
    found = read_pickle(save(dict(nn.Linear(2, 2).named_parameters()), tmp_path / "x"))
    assert not any(value.requires_grad for value in found.values())


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("call", "wanted"), [((exec, ("raise SystemExit",)), "exec"), ((np.fromfile, ("/etc/hosts",)), "fromfile")]
)
def test_what_a_file_asks_to_run_is_not_run_but_named(
    tmp_path: Path, call: tuple[object, tuple[str]], wanted: str, zipped: bool
) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return call

    with pytest.raises(CheckpointError, match=rf"asks to run .*{wanted}.*not loaded"):
        read_pickle(save({"state_dict": WEIGHTS, "x": Harm()}, tmp_path / "x", zipped=zipped))


def test_a_stand_in_runs_nothing_that_a_file_hands_it(tmp_path: Path) -> None:
    """A name that is let through finds an object that does nothing, whatever arguments and state come with it."""

    class Claims:
        def __reduce__(self) -> tuple[object, tuple[object, ...], dict[str, object]]:
            return argparse.Namespace, (1, "two", [3]), {"__class__": "x", "open": print}

    class Plain:
        def __reduce__(self) -> tuple[object, tuple[object, ...], dict[str, object]]:
            return argparse.Namespace, (1, "two", [3]), {"__class__": "x", "__dict__": {}}

    with pytest.raises(CheckpointError, match="print"):
        read_pickle(save({"state_dict": WEIGHTS, "x": Claims()}, tmp_path / "x"))
    assert set(read_pickle(save({"state_dict": WEIGHTS, "x": Plain()}, tmp_path / "y"))) == set(WEIGHTS)


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_truncated_file_is_a_named_error(tmp_path: Path, keep: float, zipped: bool) -> None:
    path = save({"state_dict": {"a": torch.randn(500)}}, tmp_path / "x", zipped=zipped)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(CheckpointError, match=re.escape(str(path))):
        read_pickle(path)


def test_quantised_and_sparse_tensors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="sparse or quantised"):
        read_pickle(save({"a": torch.eye(3).to_sparse()}, tmp_path / "x"))


def test_what_is_a_pytorch_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    assert is_pickle(save(WEIGHTS, tmp_path / "a.txt"))
    assert is_pickle(save(WEIGHTS, tmp_path / "b", zipped=False))
    with zipfile.ZipFile(tmp_path / "c.pt", "w") as archive:
        archive.writestr("readme", "no weights")
    (tmp_path / "d.pt").write_bytes(b"")
    (tmp_path / "e.pt").write_text("hello")
    assert not any(is_pickle(tmp_path / name) for name in ("c.pt", "d.pt", "e.pt", "missing"))


def test_a_plain_pickle_of_python_objects_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(pickle.dumps({"a": [1, 2]}, protocol=2))
    with pytest.raises(CheckpointError):
        read_pickle(tmp_path / "x")
