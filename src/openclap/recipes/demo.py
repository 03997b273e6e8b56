"""The demo's run: generated scenes, both towers from nothing, minutes on two cores."""

from __future__ import annotations

from openclap.data.loader import DataConfig, SourceConfig
from openclap.models.clap import ClapConfig, EncoderConfig
from openclap.recipes.parts import SMALL_FRONTEND
from openclap.recipes.registry import recipes
from openclap.text.tokenizer import TokenizerConfig
from openclap.training.config import RunConfig
from openclap.training.optim import OptimConfig
from openclap.training.schedule import ScheduleConfig
from openclap.training.trainer import TrainerConfig

MANIFEST = "corpora/soundscapes/manifest.jsonl"


@recipes.register("demo")
def demo() -> RunConfig:
    """A small model on the generated corpus soundscapes, from nothing, in minutes on two cores."""
    return RunConfig(
        name="demo",
        data=DataConfig(
            train=SourceConfig(path=MANIFEST, where={"split": "train"}),
            validation=SourceConfig(path=MANIFEST, where={"split": "validation"}),
            batch_size=48,
            workers=0,
            cache_bytes=500_000_000,
        ),
        frontend=SMALL_FRONTEND,
        model=ClapConfig(audio=EncoderConfig(name="htsat-mini"), text=EncoderConfig(name="text-mini"), embed_dim=256),
        tokenizer=TokenizerConfig(max_length=48),
        vocab_size=1024,
        optim=OptimConfig(lr=1e-3, weight_decay=0.05),
        schedule=ScheduleConfig(warmup=0.1),
        # The clock ends it on a slow machine: a demo is to be over before one loses interest.
        trainer=TrainerConfig(max_epochs=20, max_minutes=3, eval_every=100, log_every=10),
        license="CC0-1.0",
    )
