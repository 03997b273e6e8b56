"""FLAP's runs (arXiv 2311.01615), their pre-training on sound alone, and one that takes minutes on two cores.

Nobody has published FLAP's code, weights or settings. What each recipe says of itself: [p] the paper, [a] its abstract,
[2] second hand, [c] the public code of AudioMAE, whose geometry FLAP builds on, [ours] our own choice. What holds for
all of them: `data` names no corpus of the paper (give yours with --data); the richer captions that the paper had
written by a language model are yours to bring; clips with equal captions are positives of each other [ours]; the audio
encoder starts from random weights, where the paper's started from MAViL's (`audio_init` starts from AudioMAE's, or from
what "mae-vitb" gave).
"""

from __future__ import annotations

from typing import Any

from openclap.audio.augment import AugmentConfig
from openclap.audio.frontend import FRONTEND_PRESETS
from openclap.audio.length import LengthConfig
from openclap.checkpoints.pretrained_text import TextInit
from openclap.data.loader import DataConfig, SourceConfig
from openclap.data.policy import CaptionPolicyConfig
from openclap.models.clap import ClapConfig, EncoderConfig
from openclap.models.mae_decoder import DecoderConfig
from openclap.recipes.registry import recipes
from openclap.recipes.starter import MINILM, starter_data
from openclap.text.tokenizer import TokenizerConfig
from openclap.training.config import RunConfig
from openclap.training.objectives.base import ObjectiveConfig
from openclap.training.optim import EncoderOptimConfig, OptimConfig
from openclap.training.schedule import ScheduleConfig
from openclap.training.trainer import TrainerConfig

PAIRS = "corpora/pairs/manifest.jsonl"
SOUNDS = "corpora/sounds"

_AUGMENT = AugmentConfig(roll=True, gain=True)
_ONE_D = {"kind": "1d", "ratio": 0.75}
_TWO_D = {"kind": "2d", "time_ratio": 0.5, "mel_ratio": 0.5}
_FRONTEND = FRONTEND_PRESETS["audiomae"]
_SHORT_FRONTEND = _FRONTEND.model_copy(
    update={"window_s": 4.975, "length": LengthConfig(), "mel": _FRONTEND.mel.model_copy(update={"frames": None})}
)
"""AudioMAE's features of nearly 5 s: 496 frames are 31 × 8 whole patches, and none is filled up [ours].

AudioMAE's own filling, frames of 0 before normalisation, is louder than AudioSet's mean. Shorter clips are repeated.
"""


@recipes.register("flap-vitb-1d")
def flap_vitb_1d() -> RunConfig:
    """FLAP with ViT-B and 1-D masking: any tokens of a clip are left out in training, and two views find the text.

    [p] ViT-B on 16×16 patches of a log-mel spectrogram, random tokens dropped before the encoder, in training only.
    [a] Several masked views of a clip, each contrasted with its text. [2] RoBERTa; the mean over tokens.
    [c] 16 kHz, 128 mels, 1024 frames, normalised by AudioSet's numbers.
    [ours] 75 % masked, two views, 512 shared dimensions, symmetric InfoNCE over batches of 1024, 77 text tokens, AdamW
    at 2e-4 (RoBERTa at a tenth of it), weight decay 0.05, a tenth of warm-up and a cosine, 45 epochs.
    """
    return _flap("flap-vitb-1d", "vit-base", _ONE_D)


@recipes.register("flap-vitb-2d")
def flap_vitb_2d() -> RunConfig:
    """FLAP with ViT-B and 2-D masking: whole times and whole mel rows are left out.

    As "flap-vitb-1d", but [p] 2-D masks, and [ours] half of the columns and half of the rows, which keeps as much: 128
    of 512 tokens.
    """
    return _flap("flap-vitb-2d", "vit-base", _TWO_D)


@recipes.register("flap-vitb-2d-recon")
def flap_vitb_2d_recon() -> RunConfig:
    """FLAP with ViT-B, 2-D masking and reconstruction of what is masked.

    As "flap-vitb-2d", and [a] the masked tokens are reconstructed, [2] with the mean squared error of the spectrogram.
    [ours] On masked patches only, with AudioMAE's decoder and its per-patch normalised targets [c], at weight 1. The
    decoder can start from that of "mae-vitb", with `audio_init`.
    """
    return _flap("flap-vitb-2d-recon", "vit-base", _TWO_D, reconstruct=True)


@recipes.register("flap-vits-1d")
def flap_vits_1d() -> RunConfig:
    """FLAP with ViT-S and 1-D masking; a quarter of ViT-B's work [ours], all else as "flap-vitb-1d"."""
    return _flap("flap-vits-1d", "vit-small", _ONE_D)


@recipes.register("flap-vits-2d-recon")
def flap_vits_2d_recon() -> RunConfig:
    """FLAP with ViT-S, 2-D masking and reconstruction.

    [ours] ViT-S, and a decoder of 4 global blocks 256 wide, since AudioMAE's would cost more than the encoder; all else
    as "flap-vitb-2d-recon".
    """
    run = _flap("flap-vits-2d-recon", "vit-small", _TWO_D, reconstruct=True)
    decoder = DecoderConfig(dim=256, depth=4, heads=8, blocks="global")
    return run.model_copy(update={"model": run.model.model_copy(update={"decoder": decoder})})


@recipes.register("mae-vitb")
def mae_vitb() -> RunConfig:
    """AudioMAE's pre-training of ViT-B (arXiv 2207.06405): sound alone, from a folder without captions.

    [c] 80 % of the tokens masked at random, decoder of 16 Swin blocks 512 wide (windows of 4×4, every second shifted
    through time), mean squared error of per-patch normalised values on masked patches, AdamW with betas 0.9 and 0.95
    at 2e-4 × batch / 256, weight decay 1e-4, rolled and louder or softer clips.
    [2] Batches of 512, 32 epochs, 3 of them warm-up. [ours] No CLS token, positions in the grid's own order.
    """
    return RunConfig(
        name="mae-vitb",
        data=DataConfig(train=SourceConfig(path=SOUNDS), batch_size=512, workers=8, augment=_AUGMENT),
        frontend=_FRONTEND,
        model=ClapConfig(audio=EncoderConfig(name="vit-base"), text=None, decoder=DecoderConfig()),
        objective=ObjectiveConfig(name="mae", options={"masking": {"kind": "1d", "ratio": 0.8}}),
        optim=OptimConfig(lr=4e-4, weight_decay=1e-4, beta1=0.9, beta2=0.95, max_grad_norm=None),
        schedule=ScheduleConfig(shape="cosine", warmup=3 / 32),
        trainer=TrainerConfig(max_epochs=32),
    )


@recipes.register("mae-tiny")
def mae_tiny() -> RunConfig:
    """Masked autoencoding of sound alone with the audio encoder of "flap-tiny", which can start from it.

    All [ours] but that 80 % of the tokens are masked, as AudioMAE's [c]: of those a random quarter is decoded in each
    step, by one block 128 wide, and batches are of 48, since it is steps that it needs; all else as "flap-tiny".
    Captions are not read, and need not be there.
    """
    tiny = flap_tiny()
    decoder = DecoderConfig(dim=128, depth=1, heads=4, blocks="global")
    options = {"masking": {"kind": "1d", "ratio": 0.8}, "reconstruction": {"share": 0.25}}
    return RunConfig(
        name="mae-tiny",
        data=tiny.data.model_copy(update={"batch_size": 48, "captions": CaptionPolicyConfig()}),
        frontend=tiny.frontend,
        model=ClapConfig(audio=tiny.model.audio, text=None, decoder=decoder),
        objective=ObjectiveConfig(name="mae", options=options),
        optim=tiny.optim.model_copy(update={"text_encoder": EncoderOptimConfig()}),
        schedule=tiny.schedule,
        trainer=tiny.trainer.model_copy(update={"text_cache_bytes": 0}),
    )


@recipes.register("flap-tiny")
def flap_tiny() -> RunConfig:
    """A small FLAP on real sound in ten minutes on two cores, against a frozen pretrained MiniLM text encoder.

    All [ours]: a ViT of width 256 and depth 8 on clips of 5 s, of which 88 % of 248 tokens are masked; batches of 192,
    rolled and louder or softer, with titles and labels as captions, as in "starter"; features made once; Muon for the
    ViT's matrices.
    Ratio, augmentation, optimiser and rates were chosen on a validation part of the training clips.
    """
    return RunConfig(
        name="flap-tiny",
        data=starter_data(batch_size=192).model_copy(update={"augment": _AUGMENT, "reads": "features"}),
        frontend=_SHORT_FRONTEND,
        model=ClapConfig(
            audio=EncoderConfig(name="vit-small", options={"dim": 256, "depth": 8, "heads": 4}),
            text=EncoderConfig(name="hf"),
            embed_dim=256,
        ),
        tokenizer=TokenizerConfig(max_length=48),
        text_init=TextInit(source=MINILM, pooling="mean"),
        objective=ObjectiveConfig(name="flap", options={"masking": {"kind": "1d", "ratio": 0.88}}),
        optim=OptimConfig(
            name="muon",
            lr=1e-3,
            muon_lr_factor=8.0,
            weight_decay=0.05,
            text_encoder=EncoderOptimConfig(frozen=True),
        ),
        schedule=ScheduleConfig(warmup=0.1),
        trainer=TrainerConfig(max_minutes=10, eval_every=100, log_every=10, text_cache_bytes=200_000_000),
    )


def _flap(name: str, encoder: str, masking: dict[str, Any], *, reconstruct: bool = False) -> RunConfig:
    options: dict[str, Any] = {"masking": masking, "views": 2}
    if reconstruct:
        options |= {"reconstruction": {"loss": "mse", "over": "masked"}, "weight": 1.0}
    return RunConfig(
        name=name,
        data=DataConfig(
            train=SourceConfig(path=PAIRS, where={"split": "train"}),
            validation=SourceConfig(path=PAIRS, where={"split": "validation"}),
            batch_size=1024,
            workers=8,
        ),
        frontend=_FRONTEND,
        model=ClapConfig(
            audio=EncoderConfig(name=encoder),
            text=EncoderConfig(name="hf"),
            embed_dim=512,
            decoder=DecoderConfig() if reconstruct else None,
        ),
        tokenizer=TokenizerConfig(max_length=77),
        text_init=TextInit(source="roberta-base", pooling="mean"),
        objective=ObjectiveConfig(name="flap", options=options),
        optim=OptimConfig(lr=2e-4, weight_decay=0.05, text_encoder=EncoderOptimConfig(lr_factor=0.1)),
        schedule=ScheduleConfig(shape="cosine", warmup=0.1),
        trainer=TrainerConfig(max_epochs=45, eval_every=1000),
    )
