"""A tiny masked model, and a batch for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from openclap.models.clap import Clap, ClapConfig, EncoderConfig
from openclap.models.mae_decoder import DecoderConfig
from openclap.types import AudioBatch, PairBatch, TextBatch

CLIPS, FRAMES, MELS = 6, 128, 64


@pytest.fixture
def make_masked() -> Callable[..., Clap]:
    """The same tiny ViT-CLAP at each call: 8 × 4 patches of 16 × 16, and a decoder; takes fields of `ClapConfig`."""

    def make(**given) -> Clap:
        text = EncoderConfig(name="text-micro", options={"vocab_size": 50, "layers": 1, "dim": 16, "dropout": 0.0})
        fields = {
            "audio": EncoderConfig(name="vit-micro", options={"n_mels": MELS}),
            "text": text,
            "embed_dim": 16,
            "decoder": DecoderConfig(dim=32, depth=1, heads=2, blocks="global"),
        }
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return Clap(ClapConfig(**(fields | given)))

    return make


@pytest.fixture
def clips() -> tuple[torch.Tensor, PairBatch]:
    """Features and a batch that has them; the waveforms are of no matter."""
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(CLIPS, 1, FRAMES, MELS, generator=generator)
    ids = torch.randint(5, 50, (CLIPS, 7), generator=generator)
    audio = AudioBatch(torch.zeros(CLIPS, 8), torch.zeros(CLIPS, dtype=torch.bool))
    text = TextBatch(ids, torch.ones_like(ids))
    return features, PairBatch(audio, text, torch.arange(CLIPS), tuple("abcdef"))
