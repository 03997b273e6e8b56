"""Small corpora, and a model trained on one for two steps, through the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from openclap.cli.app import run

SMALL_CORPUS = ["n_train=16", "n_validation=4", "n_test=8", "duration_s=3"]
SMALL_RUN = [
    "model.audio.name=htsat-micro",
    "model.text.name=text-micro",
    "model.embed_dim=32",
    "vocab_size=200",
    "data.batch_size=8",
    "trainer.max_steps=2",
    "trainer.max_epochs=null",
    "trainer.max_minutes=null",
    "trainer.tensorboard=false",
    "trainer.precision=fp32",
]


def with_flag(flag: str, settings: list[str]) -> list[str]:
    """`settings`, each after `flag`."""
    return [part for setting in settings for part in (flag, setting)]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    """A prepared corpus of 28 clips."""
    out = tmp_path_factory.mktemp("corpora") / "soundscapes"
    assert run(["data", "prepare", "soundscapes", "--out", str(out), *with_flag("--set", SMALL_CORPUS)]) == 0
    return out


@pytest.fixture(scope="session")
def clips(tmp_path_factory) -> Path:
    """Six clips with captions, of 1 and of 12 s."""
    folder, rng = tmp_path_factory.mktemp("clips"), np.random.default_rng(0)
    for index in range(6):
        seconds = 12 if index % 2 else 1
        soundfile.write(folder / f"{index}.flac", rng.uniform(-0.5, 0.5, 8_000 * seconds).astype(np.float32), 8_000)
        (folder / f"{index}.txt").write_text(f"noise number {index}", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def trained(corpus, tmp_path_factory) -> Path:
    """The directory of a finished run on `corpus`."""
    out = tmp_path_factory.mktemp("runs") / "small"
    assert run(["train", "demo", "--data", str(corpus), "--out", str(out), *with_flag("--set", SMALL_RUN)]) == 0
    return out


@pytest.fixture(scope="session")
def model(trained) -> str:
    """The path of a model, as one types it."""
    return str(trained / "best")
