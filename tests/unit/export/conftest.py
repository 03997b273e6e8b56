"""A micro model with lively weights, exported once for all tests of the room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jaxtyping
import pytest
import torch

from openclap.audio.frontend import FRONTEND_PRESETS, Frontend
from openclap.checkpoints.native import Bundle, BundleConfig, save_bundle
from openclap.cli.app import run
from openclap.models.clap import Clap, ClapConfig
from openclap.text.tokenizer import Tokenizer

TEXTS = ["a dog barks", "", "wind blows through the trees and people talk " * 9, "rain"]
SMALL = {"vocab_size": 600, "n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 128, "eos_token_id": 3}
GPT2 = {"name": "hf", "options": {"hf": {"model_type": "gpt2", "bos_token_id": 3, **SMALL}, "pooling": "end"}}


def make_bundle(audio: dict, text: dict, preset: str, window_s: float) -> Bundle:
    """Random weights that all matter: a default start leaves biases and norms where many mistakes cannot be seen."""
    frontend = Frontend(FRONTEND_PRESETS[preset].model_copy(update={"window_s": window_s}))
    config = ClapConfig(audio=audio, text=text, embed_dim=32)
    generator = torch.Generator().manual_seed(0)
    model = Clap(config).eval()
    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            noise = torch.randn(tensor.shape, generator=generator)
            if "running_var" in name:
                tensor.copy_(1 + noise.abs())
            elif tensor.ndim == 1 and tensor.is_floating_point():
                tensor.add_(0.1 * noise)
            elif tensor.ndim > 1 and isinstance(tensor, torch.nn.Parameter):
                tensor.copy_(noise * (1.7 / tensor[0].numel()) ** 0.5)
    return Bundle(
        model,
        frontend,
        Tokenizer.train(TEXTS * 3, 600),
        BundleConfig(name="micro", model=config, frontend=frontend.config),
        {"license": "CC0"},
    )


@contextmanager
def without_shape_checks() -> Iterator[None]:
    """For tracing, where a size is a symbol, and no int."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    """LAION's front-end with its 16-bit round trip, at two seconds; HTSAT, BERT."""
    return make_bundle({"name": "htsat-micro"}, {"name": "text-micro"}, "laion", window_s=2.0)


@pytest.fixture(scope="session")
def exported(bundle, tmp_path_factory):
    """The directory that `openclap export` writes of a checkpoint of it."""
    pytest.importorskip("onnx", reason="needs the extra 'export'")
    pytest.importorskip("onnxscript", reason="needs the extra 'export'")
    place = tmp_path_factory.mktemp("exported")
    save_bundle(bundle, place / "checkpoint")
    with without_shape_checks():
        assert run(["export", str(place / "checkpoint"), str(place / "model")]) == 0
    return place / "model"
