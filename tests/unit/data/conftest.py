"""Small sounds, and the smallest front-end and tokenizer that the loader can be tried with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from openclap.audio.frontend import Frontend, FrontendConfig
from openclap.audio.fusion import FusionConfig
from openclap.audio.mel import MelConfig
from openclap.data.example import Example
from openclap.text.tokenizer import Tokenizer, TokenizerConfig

RATE_HZ = 8000


def write_noise(path: Path, *, seed: int, seconds: float = 0.2, peak: float = 0.5) -> Path:
    """White noise that no other seed gives, as a sound file of the kind that the suffix names."""
    samples = np.random.default_rng(seed).uniform(-peak, peak, round(seconds * RATE_HZ))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE_HZ)
    return path


@pytest.fixture(scope="session")
def noise() -> Callable[..., Path]:
    return write_noise


@pytest.fixture
def clips(tmp_path: Path) -> Callable[[int], list[Example]]:
    """Makes so many clips of different noise, of 0.05 to 0.4 s, each with a caption of its own."""

    def make(count: int) -> list[Example]:
        lengths = [0.05, 0.2, 0.4]
        return [
            Example(
                id=f"{n}.wav",
                audio=write_noise(tmp_path / f"{n}.wav", seed=n, seconds=lengths[n % 3]),
                captions=(f"noise number {n}", f"hiss number {n}"),
                labels=("noise",),
            )
            for n in range(count)
        ]

    return make


@pytest.fixture(scope="session")
def frontend() -> Frontend:
    """A window of 0.1 s at 8 kHz."""
    mel = MelConfig(
        sample_rate_hz=RATE_HZ, n_fft=256, win_length=256, hop_length=128, n_mels=8, f_min_hz=50, f_max_hz=4000
    )
    return Frontend(FrontendConfig(window_s=0.1, mel=mel))


@pytest.fixture(scope="session")
def fused_frontend(frontend: Frontend) -> Frontend:
    """The same with feature fusion."""
    return Frontend(frontend.config.model_copy(update={"fusion": FusionConfig()}))


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(["noise number 1", "hiss number 2", "the sound of noise"], 150, TokenizerConfig())
