"""The published architectures, whole and without the peers: names, shapes and vectors; see data/make_published.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import published
import pytest
import torch
from comparison import UNIT_BAR, largest

from openclap.checkpoints.adapter import adapters
from openclap.checkpoints.load import load
from openclap.inference.embedder import Embedder

DATA = Path(__file__).with_name("data")
ARCHITECTURES: dict[str, dict[str, Any]] = json.loads((DATA / "published.json").read_text())
VECTORS = np.load(DATA / "published.npz")

# What a version of the peers stored in its files and another does not: either is read, and the older one written.
OPTIONAL = ("embeddings.position_ids", "embeddings.token_type_ids")


@pytest.fixture(params=ARCHITECTURES)
def name(request) -> str:
    """A published checkpoint."""
    return request.param


@pytest.fixture
def checkpoint(name, tmp_path) -> tuple[Path, Path]:
    """The file or directory as the peer's users have it, and the folder of its tokenizer."""
    described = ARCHITECTURES[name]
    state = published.state(published.unfold(described["filled"]))
    for key, (*shape, size, order) in published.unfold(described["fixed"]).items():
        if key.endswith("attn_mask"):  # the one thing in a file that tells an HTSAT's grid
            state[key] = published.shift_mask(shape)
            assert published.fingerprint(state[key]) == pytest.approx([size, order])
    tokenizer = tmp_path / "tokenizer"
    published.write_tokenizer(described["tokenizer"], tokenizer)
    if described["adapter"] == "laion":
        wrapped = {f"module.{key}": value for key, value in state.items()}
        torch.save({"epoch": 1, "state_dict": wrapped, "optimizer": {"lr": np.float64(1e-4)}}, tmp_path / "peer.pt")
        return tmp_path / "peer.pt", tokenizer
    if described["adapter"] == "msclap":
        torch.save({"model": state}, tmp_path / "peer.pth")
        return tmp_path / "peer.pth", tokenizer
    directory = tmp_path / "peer"
    published.write_tokenizer(described["tokenizer"], directory)
    (directory / "config.json").write_text(json.dumps(described["config"]))
    fusion = described["config"]["audio_config"]["enable_fusion"]
    (directory / "preprocessor_config.json").write_text(json.dumps(published.preprocessor(fused=fusion)))
    torch.save(state, directory / "pytorch_model.bin")
    return directory, tokenizer


def test_a_checkpoint_gives_the_peers_vectors_and_is_written_with_the_peers_names(
    name, checkpoint, tmp_path, monkeypatch
):
    path, tokenizer = checkpoint
    bundle = load(path) if path.is_dir() else load(path, tokenizer=tokenizer)
    config = bundle.frontend.config
    embedder = Embedder.from_bundle(bundle)
    clips = published.sounds(config.sample_rate_hz, config.window_samples, fused=config.fusion is not None)
    audio = embedder.embed_audio(list(clips.values()), sample_rate_hz=config.sample_rate_hz)
    assert largest(audio[:, published.KEPT], VECTORS[f"{name}/audio"]) <= UNIT_BAR
    text = embedder.embed_text(list(published.TEXTS))
    assert largest(text[:, published.KEPT], VECTORS[f"{name}/text"]) <= UNIT_BAR

    described = ARCHITECTURES[name]
    written = _written(described["adapter"], bundle, tmp_path, monkeypatch)
    filled, fixed = (published.unfold(described[kind]) for kind in ("filled", "fixed"))
    names = {key for key in written if not key.endswith(OPTIONAL)}
    assert names == {key for key in {**filled, **fixed} if not key.endswith(OPTIONAL)}
    for key in names & filled.keys():
        assert torch.equal(written[key], published.fill(key, filled[key])), key
    for key in names & fixed.keys():
        *shape, size, order = fixed[key]
        assert list(written[key].shape) == shape, key
        # Filters and transforms computed in float64 and rounded to float32 by either side: half a rounding a number.
        np.testing.assert_allclose(
            published.fingerprint(written[key]), [size, order], rtol=1e-6, atol=1e-6, err_msg=key
        )


def _written(adapter: str, bundle: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """The tensors of the file that an adapter writes; caught on their way, since they are some 600 MB."""
    caught: dict[str, Any] = {}

    def catch(content: dict[str, Any], path: Path, **_: Any) -> None:
        Path(path).touch()
        caught.update(content)

    monkeypatch.setattr(torch, "save", catch)
    monkeypatch.setattr("openclap.checkpoints.weights.save_file", catch)
    adapters.get(adapter).write(bundle, folder / "written")
    return caught.get("state_dict", caught.get("model", caught))
