"""Small BERTs with random weights: one for tests, one for the demo."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from openclap.config import Config
from openclap.models.text.hf import HfTextConfig, HfTextEncoder, Pooling
from openclap.models.zoo import text_encoders


class SmallBertConfig(Config):
    """A small BERT with random weights.

    Attributes:
        vocab_size: token ids; at least as many as the tokenizer has.
        layers: transformer layers.
        dim: width of the tokens.
        heads: attention heads a layer; the width of a head is dim / heads.
        max_tokens: the most tokens a text may have.
        dropout: of attention and of every residual branch, in training only.
        pooling: as in `HfTextConfig`.
    """

    vocab_size: int = Field(default=1024, gt=0)
    layers: int = Field(default=2, gt=0)
    dim: int = Field(default=64, gt=0)
    heads: int = Field(default=2, gt=0)
    max_tokens: int = Field(default=77, gt=0)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    pooling: Pooling = "mean"


class MiniBertConfig(SmallBertConfig):
    """The demo's size of small BERT: learns a few thousand captions on a CPU in minutes."""

    vocab_size: int = Field(default=2048, gt=0)
    layers: int = Field(default=3, gt=0)
    dim: int = Field(default=192, gt=0)
    heads: int = Field(default=3, gt=0)


@text_encoders.register("text-micro")
def build_micro(**options: Any) -> HfTextEncoder:
    """A BERT small enough for tests; options are those of `SmallBertConfig`."""
    return _small_bert(SmallBertConfig.read(options, origin="text encoder 'text-micro'"))


@text_encoders.register("text-mini")
def build_mini(**options: Any) -> HfTextEncoder:
    """A BERT for the demo; options are those of `MiniBertConfig`."""
    return _small_bert(MiniBertConfig.read(options, origin="text encoder 'text-mini'"))


def _small_bert(config: SmallBertConfig) -> HfTextEncoder:
    hf = {
        "model_type": "bert",
        "vocab_size": config.vocab_size,
        "hidden_size": config.dim,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "intermediate_size": 4 * config.dim,
        "max_position_embeddings": config.max_tokens,
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.dropout,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "initializer_range": 0.02,
        "type_vocab_size": 2,
        "pad_token_id": 0,
    }
    return HfTextEncoder(HfTextConfig(hf=hf, pooling=config.pooling), options=config)
