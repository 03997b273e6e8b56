"""A tiny model as a bundle, made anew for each test; and small ones of the foreign formats' architectures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from tokenizers import models, pre_tokenizers, processors, trainers
from torch import nn

from openclap.audio.frontend import FRONTEND_PRESETS, Frontend, FrontendConfig
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


@pytest.fixture
def small() -> Callable[..., Bundle]:
    """Makes a small bundle of a foreign format's architecture."""
    return make_small


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A directory with the small bundles' tokenizer."""
    directory = tmp_path / "words"
    directory.mkdir()
    roberta_tokenizer().save(directory)
    return directory


VOCAB = 300
SMALL_TEXT = {"vocab_size": VOCAB, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 1,
              "intermediate_size": 48}  # fmt: skip
ROBERTA = SMALL_TEXT | {"model_type": "roberta", "max_position_embeddings": 82, "type_vocab_size": 1,
                        "layer_norm_eps": 1e-5, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}  # fmt: skip
TEXTS: dict[str, dict[str, Any]] = {
    "roberta": {"hf": ROBERTA, "pooling": "pooler"},
    "bert": {
        "hf": SMALL_TEXT | {"model_type": "bert", "max_position_embeddings": 80, "pad_token_id": 0},
        "pooling": "pooler",
    },
    "clip": {
        "hf": SMALL_TEXT | {"model_type": "clip_text_model", "max_position_embeddings": 77, "hidden_act": "gelu",
                            "pad_token_id": 0, "bos_token_id": VOCAB - 2, "eos_token_id": VOCAB - 1},
        "pooling": "end",
    },
    "bart": {
        "hf": {"model_type": "bart", "vocab_size": VOCAB, "d_model": 64, "encoder_layers": 2, "decoder_layers": 1,
               "encoder_attention_heads": 1, "decoder_attention_heads": 1, "encoder_ffn_dim": 48,
               "decoder_ffn_dim": 48, "max_position_embeddings": 90, "bos_token_id": 0, "pad_token_id": 1,
               "eos_token_id": 2},
        "pooling": "padded-mean",
    },
}  # fmt: skip
AUDIO: dict[str, dict[str, Any]] = {
    "htsat-tiny": {"square_size": 256, "patch_size": 8, "embed_dim": 8, "depths": (2, 1), "heads": (2, 4)},
    "pann-micro": {},
}


def roberta_tokenizer(max_length: int = 77) -> Tokenizer:
    """A byte-level BPE with RoBERTa's frame: <s> is 0, <pad> 1, </s> 2."""
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(["a dog barks", "rain falls on a roof", "a bell rings"], trainer)
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return Tokenizer(backend, TokenizerConfig(max_length=max_length), 1)


def make_small(audio: str = "htsat-tiny", text: str = "roberta", fusion: str = "none", **changes: Any) -> Bundle:
    """A small model of LAION-CLAP's kind, lively: no value is as initialisation leaves it."""
    frontend = FRONTEND_PRESETS["laion" if fusion == "none" else "laion-fusion"]
    settings: dict[str, Any] = {"embed_dim": 12, "mlp_heads": True} | changes
    frontend = settings.pop("frontend", frontend)
    config = ClapConfig(
        audio=EncoderConfig(name=audio, options=AUDIO[audio] | {"fusion": fusion}),
        text=EncoderConfig(name="hf", options=TEXTS[text]),
        **settings,
    )
    model = Clap(config).eval()
    enliven(model)
    words = roberta_tokenizer()
    described = BundleConfig(name="small", model=config, frontend=frontend, tokenizer=words.config)
    return Bundle(model, Frontend(frontend).eval(), words, described)


def enliven(model: nn.Module) -> None:
    """Give every tensor random values in a range that it could have."""
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if not value.is_floating_point():
            value.fill_(5)
        elif "logit_scale" in name:
            value.fill_(2.0 + 0.1 * len(name) % 1)
        elif name.endswith("running_var"):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
        else:
            value.copy_(torch.randn(value.shape, generator=generator) * 0.2)
