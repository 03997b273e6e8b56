"""The published runs of LAION-CLAP and MS-CLAP, as far as papers and code tell them; each says where it differs.

What holds for all of them: `data` names no corpus of the papers (give yours with --data); clips with equal captions
are positives of each other, where the originals take them for negatives; the logit scale stays within [0, ln 100];
the audio encoder starts from random weights, where the originals started from ones trained on AudioSet (`init` starts
from others); one process computes a batch, however many GPUs the originals used.
"""

from __future__ import annotations

from openclap.audio.frontend import FRONTEND_PRESETS
from openclap.checkpoints.pretrained_text import TextInit
from openclap.data.loader import DataConfig, SourceConfig
from openclap.models.clap import ClapConfig, EncoderConfig
from openclap.models.layers.projection import ProjectionConfig
from openclap.recipes.registry import recipes
from openclap.text.tokenizer import TokenizerConfig
from openclap.training.config import RunConfig
from openclap.training.optim import EncoderOptimConfig, OptimConfig
from openclap.training.schedule import ScheduleConfig
from openclap.training.trainer import TrainerConfig


@recipes.register("laion-htsat-roberta")
def laion_htsat_roberta() -> RunConfig:
    """LAION-CLAP's plain model (arXiv 2211.06687, section 4.1): HTSAT-tiny and RoBERTa on clips of 10 s.

    Published: 45 epochs, Adam at 1e-4 without weight decay, 3200 steps of warm-up and a cosine, float32, repeat-pad and
    random crops, 16-bit samples, SpecAugment; batches of 768, 2304 or 4608 by the size of the data, of which this takes
    2304. The paper's betas are 0.99 and 0.9, those of the released scripts, taken here, 0.9 and 0.999.
    """
    return _laion("laion-htsat-roberta", "laion", EncoderConfig(name="htsat-tiny"))


@recipes.register("laion-htsat-roberta-fusion")
def laion_htsat_roberta_fusion() -> RunConfig:
    """LAION-CLAP with feature fusion of long audio (section 3.3): as "laion-htsat-roberta", and four views a long clip.

    Published: attentional fusion in two dimensions (AFF) at the patch embedding, on the other mel filter bank.
    """
    audio = EncoderConfig(name="htsat-tiny", options={"fusion": "aff-2d"})
    return _laion("laion-htsat-roberta-fusion", "laion-fusion", audio)


@recipes.register("laion-pann-roberta")
def laion_pann_roberta() -> RunConfig:
    """LAION-CLAP with a convolutional audio encoder (table 2): as "laion-htsat-roberta", with PANN's CNN14."""
    return _laion("laion-pann-roberta", "laion", EncoderConfig(name="pann-cnn14"))


@recipes.register("msclap-2022")
def msclap_2022() -> RunConfig:
    """MS-CLAP of 2022 (arXiv 2206.04769, section 2): CNN14 and BERT's first token on clips of 5 s.

    Published: 1024 shared dimensions, residual projections with dropout 0.5, captions of 100 tokens, 128,000 pairs; the
    text encoder is frozen in the released configuration. The optimiser, the plateau rule, and 40 epochs are those of
    "msclap-2023"; batch size 128 and the plateau's patience are ours.
    """
    return _msclap(
        "msclap-2022",
        EncoderConfig(name="pann-cnn14", options={"spec_augment": None}),
        TextInit(source="bert-base-uncased", pooling="cls"),
        TokenizerConfig(max_length=100),
        batch_size=128,
    )


@recipes.register("msclap-2023")
def msclap_2023() -> RunConfig:
    """MS-CLAP of 2023 (arXiv 2309.05767, sections 2 and 3): HTSAT and GPT-2's end token on clips of 7 s.

    Published: 1024 shared dimensions, residual projections with dropout 0.5, captions of 77 tokens, 4.6 million pairs
    in batches of 1536, Adam at 1e-3, multiplied by 0.1 where validation stalls, 40 epochs; filters built for 32 kHz
    over 44.1 kHz sound; the text encoder is frozen in the released configuration. Pooling finds the end token
    itself, where the original counts ids that are not 0 (docs/compat.md). The plateau's patience is ours.
    """
    return _msclap(
        "msclap-2023",
        EncoderConfig(name="htsat-tiny"),
        TextInit(source="gpt2", pooling="end"),
        TokenizerConfig(max_length=77, append=" <|endoftext|>"),
        batch_size=1536,
    )


def _laion(name: str, preset: str, audio: EncoderConfig) -> RunConfig:
    return RunConfig(
        name=name,
        data=_data(2304),
        frontend=FRONTEND_PRESETS[preset],
        model=ClapConfig(audio=audio, text=EncoderConfig(name="hf"), embed_dim=512),
        tokenizer=TokenizerConfig(max_length=77),
        text_init=TextInit(source="roberta-base", pooling="pooler"),
        optim=OptimConfig(lr=1e-4, weight_decay=0.0, beta1=0.9, beta2=0.999, max_grad_norm=None),
        schedule=ScheduleConfig(shape="cosine", warmup_steps=3200),
        trainer=TrainerConfig(max_epochs=45, precision="fp32", eval_every=1000),
    )


def _msclap(
    name: str, audio: EncoderConfig, text: TextInit, tokenizer: TokenizerConfig, *, batch_size: int
) -> RunConfig:
    return RunConfig(
        name=name,
        data=_data(batch_size),
        frontend=FRONTEND_PRESETS[name],
        model=ClapConfig(
            audio=audio,
            text=EncoderConfig(name="hf"),
            embed_dim=1024,
            projection=ProjectionConfig(kind="residual", dropout=0.5),
        ),
        tokenizer=tokenizer,
        text_init=text,
        optim=OptimConfig(
            lr=1e-3,
            weight_decay=0.0,
            beta1=0.9,
            beta2=0.999,
            max_grad_norm=None,
            text_encoder=EncoderOptimConfig(frozen=True),
        ),
        schedule=ScheduleConfig(shape="plateau", warmup=0.0, plateau_factor=0.1),
        trainer=TrainerConfig(max_epochs=40, precision="fp32", eval_every=1000),
    )


def _data(batch_size: int) -> DataConfig:
    """Pairs of your own; `openclap train … --data` takes this path's place."""
    manifest = "corpora/pairs/manifest.jsonl"
    return DataConfig(
        train=SourceConfig(path=manifest, where={"split": "train"}),
        validation=SourceConfig(path=manifest, where={"split": "validation"}),
        batch_size=batch_size,
        workers=8,
    )
