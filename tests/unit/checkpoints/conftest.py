"""A tiny model as a bundle, made anew for each test."""

from __future__ import annotations

import pytest
import torch

from openclap.audio.frontend import Frontend, FrontendConfig
from openclap.audio.mel import MelConfig
from openclap.checkpoints.native import Bundle, BundleConfig
from openclap.models.clap import Clap, ClapConfig, EncoderConfig
from openclap.text.tokenizer import Tokenizer, TokenizerConfig

CAPTIONS = ["a dog barks", "rain falls on a roof", "a bell rings twice, then an engine starts"]
FRONTEND = FrontendConfig(
    window_s=0.5, mel=MelConfig(sample_rate_hz=8000, n_fft=512, win_length=512, hop_length=80, f_max_hz=4000.0)
)


@pytest.fixture
def bundle() -> Bundle:
    tokenizer = Tokenizer.train(CAPTIONS, 200, TokenizerConfig(max_length=24))
    config = ClapConfig(
        audio=EncoderConfig(name="htsat-micro", options={"depths": [1, 1, 1]}),
        text=EncoderConfig(name="text-micro", options={"vocab_size": 200, "layers": 1, "dim": 16}),
        embed_dim=16,
    )
    torch.manual_seed(0)
    described = BundleConfig(name="tiny", model=config, frontend=FRONTEND, tokenizer=tokenizer.config)
    return Bundle(Clap(config), Frontend(FRONTEND), tokenizer, described, {"license": "CC0-1.0", "data": {"clips": 3}})
