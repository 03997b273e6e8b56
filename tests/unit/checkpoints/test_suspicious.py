"""What `make fuzz` found that torch would spend minutes or gigabytes on."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path

import pytest
import torch

from openclap.checkpoints.pickles import read_pickle
from openclap.checkpoints.suspicious import refuse_suspicious
from openclap.errors import CheckpointError


@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_writes_passes(tmp_path: Path, zipped: bool) -> None:
    content = {"state_dict": {"a": torch.zeros(3)}, "optimizer": {"lr": 0.1, "betas": (0.9, 0.999)}}
    torch.save(content, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
    refuse_suspicious(tmp_path / "model.pt")
    assert read_pickle(tmp_path / "model.pt").keys() == {"a"}


def test_an_archive_that_unpacks_to_more_than_it_is_is_refused_unpacked_or_not(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10**8))
    assert (tmp_path / "bomb.pt").stat().st_size < 200_000
    with pytest.raises(CheckpointError, match=r"data\.pkl is compressed"):
        read_pickle(tmp_path / "bomb.pt")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_global_with_an_endless_name_is_refused_at_once(tmp_path: Path, zipped: bool) -> None:
    stream = b"\x80\x02c" + b"a" * 50_000 + b"\nb\n."
    if zipped:
        with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
            archive.writestr("archive/data.pkl", stream)
            archive.writestr("archive/version", b"3\n")
    else:
        (tmp_path / "model.pt").write_bytes(stream)
    begin = time.process_time()
    with pytest.raises(CheckpointError, match="name has 50002 characters"):
        read_pickle(tmp_path / "model.pt")
    assert time.process_time() - begin < 5  # torch's own search for advice would take about half a minute
