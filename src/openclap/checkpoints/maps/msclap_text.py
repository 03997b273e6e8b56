"""The two text models of Microsoft CLAP: their tensors there and here, and how msclap reads captions with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from openclap.checkpoints.maps.rules import Fixed, Pair, count, linear, same
from openclap.checkpoints.maps.text import OURS, bert_config, bert_fixed, bert_pairs, heads
from openclap.errors import CheckpointError
from openclap.models.text.hf import Pooling
from openclap.text.tokenizer import TokenizerConfig


@dataclass(frozen=True)
class TextKind:
    """How msclap uses one kind of text model.

    Attributes:
        model_type: Hugging Face's name of the architecture.
        pooling: which token stands for a caption.
        tokenizer: how captions become ids.
        hub_name: where the tokenizer was published.
        pad_token: the token that is made a special one and fills short rows; None leaves the tokenizer as it is.
        tell_tale: the tensor that this kind has and the other lacks.
        config: the Hugging Face config that has given tensors under a prefix; KeyError where one is missing.
        pairs: every tensor of a Hugging Face config, there under a prefix, and here.
        fixed: the tables that older releases of transformers kept among them.
        unused: name and shape of what no vector depends on.
    """

    model_type: str
    pooling: Pooling
    tokenizer: TokenizerConfig
    hub_name: str
    pad_token: str | None
    tell_tale: str
    config: Callable[[Mapping[str, Tensor], str], dict[str, Any]]
    pairs: Callable[[Mapping[str, Any], str], list[Pair]]
    fixed: Callable[[Mapping[str, Any], str], list[Fixed]]
    unused: Callable[[Mapping[str, Any], str], dict[str, tuple[int, ...]]]


def text_kind(names: Mapping[str, Tensor], prefix: str) -> TextKind:
    """Which text model stands under a prefix.

    Raises:
        CheckpointError: if neither does.
    """
    for kind in TEXT_KINDS:
        if f"{prefix}{kind.tell_tale}" in names:
            return kind
    told = " nor ".join(f"{prefix}{kind.tell_tale}" for kind in TEXT_KINDS)
    raise CheckpointError(f"the text encoder is neither BERT nor GPT-2: there is neither {told}")


def _gpt2_config(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Any]:
    words = tensors[f"{prefix}wte.weight"]
    return {
        "model_type": "gpt2",
        "vocab_size": len(words),
        "n_embd": words.shape[1],
        "n_layer": count(tensors, f"{prefix}h."),
        "n_head": heads(words.shape[1]),
        "n_inner": tensors[f"{prefix}h.0.mlp.c_fc.weight"].shape[1],
        "n_positions": len(tensors[f"{prefix}wpe.weight"]),
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        # GPT-2's only special token is its last.
        "bos_token_id": len(words) - 1,
        "eos_token_id": len(words) - 1,
    }


def _gpt2_pairs(hf: Mapping[str, Any], theirs: str) -> list[Pair]:
    parts = ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")
    pairs = [*same(f"{theirs}wte", f"{OURS}wte", "weight"), *same(f"{theirs}wpe", f"{OURS}wpe", "weight")]
    for layer in range(hf["n_layer"]):
        for part in parts:
            pairs += linear(f"{theirs}h.{layer}.{part}", f"{OURS}h.{layer}.{part}")
    return [*pairs, *linear(f"{theirs}ln_f", f"{OURS}ln_f")]


def _gpt2_fixed(hf: Mapping[str, Any], theirs: str) -> list[Fixed]:
    places, rules = hf["n_positions"], []
    for layer in range(hf["n_layer"]):
        rules.append(Fixed(f"{theirs}h.{layer}.attn.bias", lambda: torch.ones(1, 1, places, places).tril()))
        rules.append(Fixed(f"{theirs}h.{layer}.attn.masked_bias", lambda: torch.tensor(-1e4)))
    return rules


def _pooler(hf: Mapping[str, Any], theirs: str) -> dict[str, tuple[int, ...]]:
    dim = hf["hidden_size"]
    return {f"{theirs}pooler.dense.weight": (dim, dim), f"{theirs}pooler.dense.bias": (dim,)}


TEXT_KINDS = (
    TextKind(
        model_type="bert",
        pooling="cls",
        tokenizer=TokenizerConfig(max_length=100),
        hub_name="bert-base-uncased",
        pad_token=None,
        tell_tale="embeddings.word_embeddings.weight",
        config=bert_config,
        pairs=lambda hf, theirs: bert_pairs(hf["num_hidden_layers"], theirs, pooler=False),
        fixed=lambda hf, theirs: bert_fixed(hf["max_position_embeddings"], theirs),
        unused=_pooler,
    ),
    TextKind(
        model_type="gpt2",
        pooling="nonzero-count",
        tokenizer=TokenizerConfig(max_length=77, append=" <|endoftext|>"),
        hub_name="gpt2",
        pad_token="!",  # noqa: S106 - its id is 0, so that a caption with it is pooled early: published weights were used so
        tell_tale="wte.weight",
        config=_gpt2_config,
        pairs=_gpt2_pairs,
        fixed=_gpt2_fixed,
        unused=lambda _hf, _theirs: {},
    ),
)
