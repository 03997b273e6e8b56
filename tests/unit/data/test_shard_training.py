"""A run that reads shards takes the very steps of one that reads the files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from openclap.data.manifest import read_manifest
from openclap.data.shards.encode import ShardConfig
from openclap.data.shards.job import write_shards
from openclap.training.config import RunConfig
from openclap.training.setup import build_trainer

RATE_HZ = 8000
MEL = {"sample_rate_hz": RATE_HZ, "n_fft": 512, "win_length": 512, "hop_length": 80, "f_max_hz": 4000.0}
AUDIO = {"name": "htsat-micro", "options": {"depths": [1, 1, 1], "drop_path": 0.2}}
TEXT = {"name": "text-micro", "options": {"layers": 1, "dim": 16}}


@pytest.fixture
def manifest(tmp_path: Path, noise: Callable[..., Path]) -> Path:
    """Clips shorter and longer than the window, one twice, one a range, one of a split that is not trained on."""
    rows: list[dict[str, Any]] = []
    for n in range(12):
        noise(tmp_path / "in" / f"{n}.wav", seed=0 if n == 5 else n, seconds=1.5 if n % 3 == 0 else 0.3)
        rows.append({"audio": f"{n}.wav", "captions": [f"noise {n}", f"hiss {n}"], "split": "train"})
    rows[3] |= {"start_s": 0.2, "duration_s": 0.9}
    rows[7]["split"] = "test"
    path = tmp_path / "in" / "manifest.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def weights(data: Path, out: Path, workers: int, cache_bytes: int = 0) -> dict[str, torch.Tensor]:
    """The model's tensors after two steps with random crops, of different captions and clips."""
    config = RunConfig.read(
        {
            "name": "shards",
            "seed": 5,
            "data": {
                "train": {"path": str(data), "where": {"split": "train"}},
                "batch_size": 4,
                "workers": workers,
                "cache_bytes": cache_bytes,
            },
            "frontend": {"window_s": 0.5, "mel": MEL},
            "model": {"audio": AUDIO, "text": TEXT, "embed_dim": 16},
            "tokenizer": {"max_length": 16},
            "vocab_size": 200,
            "trainer": {"max_steps": 2, "precision": "fp32", "tensorboard": False, "curves": False},
        }
    )
    trainer = build_trainer(config, out)
    before = {name: tensor.clone() for name, tensor in trainer.bundle.model.state_dict().items()}
    trainer.run()
    after = trainer.bundle.model.state_dict()
    assert not _same(before, after)
    return after


def test_training_from_lossless_shards_is_training_from_the_files_bit_for_bit(manifest: Path, tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    write_shards(read_manifest(manifest), shards, ShardConfig(sample_rate_hz=RATE_HZ, clips_per_shard=5))
    expected = weights(manifest, tmp_path / "a", workers=0)
    assert _same(weights(shards, tmp_path / "b", workers=1, cache_bytes=100_000), expected)


def _same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
