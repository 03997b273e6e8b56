"""A tiny model, and batches made from nothing but their number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import torch

from openclap.audio.frontend import Frontend, FrontendConfig
from openclap.audio.mel import MelConfig
from openclap.checkpoints.native import Bundle, BundleConfig
from openclap.models.clap import Clap, ClapConfig, EncoderConfig
from openclap.text.tokenizer import Tokenizer, TokenizerConfig
from openclap.training.checkpointing import CheckpointStore, TrainingState
from openclap.training.hooks import RunInfo
from openclap.training.objectives.base import ObjectiveConfig, build_objective
from openclap.training.optim import OptimConfig, build_optimizer
from openclap.training.schedule import ScheduleConfig
from openclap.training.step import TrainStep, validate
from openclap.training.trainer import Trainer, TrainerConfig
from openclap.types import AudioBatch, PairBatch

CPU = torch.device("cpu")
CAPTIONS = ["low hum", "a bell rings", "high whistle", "a drum and a bell"]
MEL = MelConfig(sample_rate_hz=8000, n_fft=512, win_length=512, hop_length=80, f_max_hz=4000.0)
FRONTEND = FrontendConfig(window_s=0.5, mel=MEL)


@pytest.fixture
def make_bundle() -> Callable[[], Bundle]:
    """The same tiny bundle at each call, with chance inside: dropout, drop path and SpecAugment."""

    def make() -> Bundle:
        tokenizer = Tokenizer.train(CAPTIONS, 300, TokenizerConfig(max_length=16))
        audio = EncoderConfig(
            name="htsat-micro",
            options={"depths": [1, 1, 1], "drop_path": 0.1, "spec_augment": {"time_width": 8}},
        )
        text = EncoderConfig(name="text-micro", options={"vocab_size": tokenizer.vocab_size, "layers": 1, "dim": 16})
        config = ClapConfig(audio=audio, text=text, embed_dim=16)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = Clap(config)
        described = BundleConfig(name="tiny", model=config, frontend=FRONTEND, tokenizer=tokenizer.config)
        return Bundle(model, Frontend(FRONTEND), tokenizer, described, {"license": "CC0-1.0"})

    return make


@dataclass
class Numbered:
    """Batches whose content depends on their number alone; of tones, one pitch a caption."""

    tokenizer: Tokenizer
    steps_per_epoch: int = 4
    batch_size: int = 4
    bad: list[str] = field(default_factory=list)
    spoilt: frozenset[int] = frozenset()
    asked: list[int] = field(default_factory=list)

    def iterate(self, start_step: int, stop_step: int) -> Iterator[PairBatch]:
        step = start_step
        while step < stop_step:
            self.asked.append(step)
            yield self.batch(step)
            step += 1

    def batch(self, step: int) -> PairBatch:
        generator = torch.Generator().manual_seed(step)
        chosen = torch.randperm(len(CAPTIONS), generator=generator)[: self.batch_size]
        seconds = torch.arange(FRONTEND.window_samples) / FRONTEND.sample_rate_hz
        waves = torch.sin(2 * torch.pi * (200.0 * 2 ** chosen[:, None]) * seconds)
        waves = 0.5 * waves + 0.05 * torch.randn(waves.shape, generator=generator)
        if step in self.spoilt:
            waves[0, 0] = float("nan")
        audio = AudioBatch(waves, torch.zeros(len(waves), dtype=torch.bool))
        text = self.tokenizer([CAPTIONS[i] for i in chosen.tolist()])
        return PairBatch(audio, text, chosen, tuple(f"clip-{step}-{i}" for i in range(len(waves))))


@dataclass
class Directory:
    """A run's directory that asks no questions."""

    out: Path
    store: CheckpointStore
    data_digest: str = "same"

    def begin(self) -> None:
        self.out.mkdir(parents=True, exist_ok=True)

    def resume(self) -> TrainingState | None:
        return self.store.recover()

    def held(self) -> AbstractContextManager[None]:
        return nullcontext()


@pytest.fixture
def numbered() -> type[Numbered]:
    """Batches by number."""
    return Numbered


@pytest.fixture
def make_trainer(make_bundle, tmp_path) -> Callable[..., Trainer]:
    """A trainer of the tiny bundle on numbered batches; takes what `Trainer` does, and `train` for the batches."""

    def make(
        out: str = "run", optim: OptimConfig | None = None, spoilt: frozenset[int] = frozenset(), **given
    ) -> Trainer:
        bundle = make_bundle()
        optim = optim or OptimConfig(lr=3e-3)
        config = given.pop("config", TrainerConfig(max_steps=6, precision="fp32"))
        objective = build_objective(ObjectiveConfig())
        optimizer = build_optimizer(bundle.model, optim)
        parts = (bundle.model, bundle.frontend, objective)
        train = Numbered(bundle.tokenizer, **given.pop("train", {}))
        directory = Directory(tmp_path / out, CheckpointStore(tmp_path / out, config.keep))
        total = config.total_steps(train.steps_per_epoch / config.accumulate)
        info = RunInfo("tiny", directory.out, 0, total, 4, 4.0, 1, 1, "cpu", "fp32")
        return Trainer(
            info,
            config,
            ScheduleConfig(warmup=0.2),
            bundle=bundle,
            optimizer=optimizer,
            step=TrainStep(*parts, optimizer, optim, device=CPU, precision="fp32", seed=3),
            validate=partial(validate, *parts, device=CPU, precision="fp32"),
            train=train,
            validation=given.pop("validation", Numbered(bundle.tokenizer, steps_per_epoch=2)),
            directory=directory,
            **given,
        )

    return make
