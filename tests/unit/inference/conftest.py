"""A tiny model with a short window, and sounds of any length."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from openclap.audio.frontend import Frontend, FrontendConfig
from openclap.audio.fusion import FusionConfig
from openclap.audio.mel import MelConfig
from openclap.checkpoints.native import Bundle, BundleConfig
from openclap.inference.embedder import Embedder
from openclap.inference.windows import WindowConfig
from openclap.models.clap import Clap, ClapConfig, EncoderConfig
from openclap.text.tokenizer import Tokenizer, TokenizerConfig

CAPTIONS = ["a dog barks", "rain falls on a roof", "a bell rings twice, then an engine starts"]
FRONTEND = FrontendConfig(
    window_s=1.0, mel=MelConfig(sample_rate_hz=16000, n_fft=512, win_length=512, hop_length=160, f_max_hz=8000.0)
)
Sound = Callable[..., np.ndarray]


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return _bundle(FRONTEND)


@pytest.fixture(scope="session")
def fused_bundle() -> Bundle:
    """A model with feature fusion."""
    return _bundle(FRONTEND.model_copy(update={"fusion": FusionConfig()}), fusion="aff-2d")


@pytest.fixture(scope="session")
def embedder(bundle: Bundle) -> Embedder:
    return Embedder.from_bundle(bundle)


@pytest.fixture(scope="session")
def fused_embedder(fused_bundle: Bundle) -> Embedder:
    """Hears 4 s at once, and more in stretches of 4 s."""
    return Embedder.from_bundle(fused_bundle, windows=WindowConfig(stretch_s=4.0))


@pytest.fixture
def sound() -> Sound:
    """Noise that changes its colour and loudness every half second, so that no window is like another."""

    def make(seconds: float, rate_hz: int = 16000, seed: int = 0) -> np.ndarray:
        generator = np.random.default_rng(seed)
        n_samples = round(seconds * rate_hz)
        samples = generator.standard_normal(n_samples)
        for start in range(0, n_samples, rate_hz // 2):
            part = samples[start : start + rate_hz // 2]
            width = int(generator.integers(1, 20))
            part[:] = (
                generator.uniform(0.05, 0.3) * np.convolve(part, np.ones(width) / np.sqrt(width), "same")[: len(part)]
            )
        return np.clip(samples, -1, 1).astype(np.float32)

    return make


@pytest.fixture
def wav(tmp_path: Path, sound: Sound) -> Callable[..., Path]:
    """A float WAV file of such a sound: holds the very same samples."""

    def make(seconds: float, rate_hz: int = 16000, seed: int = 0) -> Path:
        path = tmp_path / f"{seconds}-{rate_hz}-{seed}.wav"
        soundfile.write(path, sound(seconds, rate_hz, seed), rate_hz, subtype="FLOAT")
        return path

    return make


def _bundle(frontend: FrontendConfig, **audio: str) -> Bundle:
    tokenizer = Tokenizer.train(CAPTIONS, 200, TokenizerConfig(max_length=24))
    config = ClapConfig(
        audio=EncoderConfig(name="htsat-micro", options=audio),
        text=EncoderConfig(name="text-micro", options={"vocab_size": 200, "layers": 1, "dim": 32}),
        embed_dim=32,
    )
    torch.manual_seed(0)
    model = Clap(config)
    described = BundleConfig(name="tiny", model=config, frontend=frontend, tokenizer=tokenizer.config)
    return Bundle(model, Frontend(frontend), tokenizer, described, {"license": "CC0-1.0"})
