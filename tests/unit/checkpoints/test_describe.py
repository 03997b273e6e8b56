from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from openclap.checkpoints.adapter import adapters
from openclap.checkpoints.describe import describe
from openclap.checkpoints.native import Bundle, save_bundle
from openclap.errors import CheckpointError

Small = Callable[..., Bundle]


def parameters(bundle: Bundle) -> dict[str, int]:
    return {name: sum(p.numel() for p in part.parameters()) for name, part in bundle.model.named_children()}


def test_a_bundle_is_described_from_its_config_and_the_header_of_its_weights(bundle: Bundle, tmp_path: Path) -> None:
    saved = save_bundle(bundle, tmp_path / "model")
    found = describe(saved)
    weights = (saved / "model.safetensors").read_bytes()
    assert [(file.name, file.size_bytes) for file in found.files] == [("model.safetensors", len(weights))]
    assert found.files[0].sha256 == hashlib.sha256(weights).hexdigest()
    assert found.format == "openclap, version 1"
    assert found.architecture["audio_encoder"] == "htsat-micro"
    assert found.architecture["window_s"] == 0.5
    assert found.parameters["text_projection"] == parameters(bundle)["text_projection"]
    assert found.logit_scales["logit_scale"] == pytest.approx(float(bundle.model.logit_scale.detach()))
    assert found.has_tokenizer
    assert found.provenance["license"] == "CC0-1.0"


def test_a_bundle_is_described_without_reading_its_tensors(bundle: Bundle, tmp_path: Path) -> None:
    torch.nn.init.constant_(bundle.model.text_projection[0].weight, float("nan"))  # type: ignore[index,arg-type]
    assert describe(save_bundle(bundle, tmp_path / "model")).tensors == len(bundle.model.state_dict())


@pytest.mark.parametrize("name", ["laion", "huggingface"])
def test_foreign_formats_are_named(small: Small, tmp_path: Path, name: str) -> None:
    adapter = adapters.get(name)
    adapter.write(small(), tmp_path / f"model{adapter.extension}")
    found = describe(tmp_path / f"model{adapter.extension}")
    assert found.format == adapter.title
    assert found.logit_scales["logit_scale_a"] == pytest.approx(float(small().model.logit_scale.detach()))
    assert found.has_tokenizer is (name == "huggingface")
    rows = dict(found.rows())
    assert found.files[0].sha256 in rows["weights"]
    assert found.plain()["path"] == str(found.path)


def test_tensors_of_nobodys_model_are_counted_and_called_unknown(tmp_path: Path) -> None:
    save_file({"a.weight": torch.zeros(3, 4), "b": torch.zeros(2)}, tmp_path / "other.safetensors")
    found = describe(tmp_path / "other.safetensors")
    assert found.format.startswith("unknown")
    assert found.parameters == {"a": 12, "b": 2}


def test_a_truncated_file_is_named(bundle: Bundle, tmp_path: Path) -> None:
    weights = save_bundle(bundle, tmp_path / "model") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: is truncated"):
        describe(tmp_path / "model")
