from __future__ import annotations

import re
from pathlib import Path

import pytest

from openclap.checkpoints.hub import is_hub_name
from openclap.checkpoints.known import KNOWN, resolve
from openclap.checkpoints.load import load
from openclap.errors import CheckpointError


def test_a_short_name_is_resolved_and_others_are_not() -> None:
    found = resolve("laion-630k-audioset-best")
    assert found is not None
    assert found.place == "lukewys/laion_clap/630k-audioset-best.pt"
    assert resolve("laion/clap-htsat-unfused") is None
    assert resolve("runs/demo/best") is None


@pytest.mark.parametrize("name", KNOWN)
def test_every_entry_can_be_fetched_or_says_where_it_is(name: str) -> None:
    weights = KNOWN[name]
    assert weights.name == name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", name)  # as a user types it; no path, and no hub name with an owner
    if weights.repository is None:
        assert weights.page is not None
        with pytest.raises(CheckpointError, match=re.escape(weights.page)):
            _ = weights.place
    else:
        assert is_hub_name(weights.repository)
        assert weights.place.startswith(weights.repository)


@pytest.mark.parametrize("name", KNOWN)
def test_every_entry_says_what_one_wants_to_know_before_a_download(name: str) -> None:
    weights = KNOWN[name]
    assert 1e8 < weights.about_bytes < 1e10
    assert weights.purpose
    assert weights.towers
    assert weights.licence
    assert "arXiv" in weights.numbers or "README" in weights.numbers or "none of its own" in weights.numbers


def test_loading_a_known_name_asks_the_hub_for_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))  # whatever this machine has fetched
    with pytest.raises(CheckpointError, match=r"'lukewys/laion_clap/630k-best\.pt' is no directory here"):
        load("laion-630k-best")
    with pytest.raises(CheckpointError, match="audiomae-pretrained' is not on the Hugging Face hub"):
        load("audiomae-pretrained")


def test_the_collapsed_checkpoint_is_marked() -> None:
    assert "nearly one vector for every text" in str(KNOWN["hf-larger-clap-music"].problems)
