"""Text encoders' tensors in foreign checkpoints, and in ours; their Hugging Face configs from the tensors' shapes.

Ours are Hugging Face's modules (`openclap.models.text.hf`), so BERT and RoBERTa keep their names everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from openclap.checkpoints.maps.rules import Fixed, Pair, count, linear, same
from openclap.models.text.backbone import plain_hf_config
from openclap.models.text.hf import HfTextEncoder

OURS = "text_encoder.backbone."
_HEAD_WIDTH = 64  # of every published text encoder of the family; no tensor says it


def hf_config(encoder: HfTextEncoder) -> dict[str, Any]:
    """The Hugging Face config of a text encoder of ours, as plain values."""
    return plain_hf_config(encoder.backbone.config)


def bert_config(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Any]:
    """The Hugging Face config of a BERT or RoBERTa: RoBERTa has one token type, BERT two.

    Raises:
        KeyError: if a tensor that says it is missing.
    """
    words = tensors[f"{prefix}embeddings.word_embeddings.weight"]
    types = tensors[f"{prefix}embeddings.token_type_embeddings.weight"]
    positions = tensors[f"{prefix}embeddings.position_embeddings.weight"]
    is_roberta = len(types) == 1
    ends = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2} if is_roberta else {"pad_token_id": 0}
    return {
        "model_type": "roberta" if is_roberta else "bert",
        "vocab_size": len(words),
        "hidden_size": words.shape[1],
        "num_hidden_layers": count(tensors, f"{prefix}encoder.layer."),
        "num_attention_heads": heads(words.shape[1]),
        "intermediate_size": len(tensors[f"{prefix}encoder.layer.0.intermediate.dense.weight"]),
        "max_position_embeddings": len(positions),
        "type_vocab_size": len(types),
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5 if is_roberta else 1e-12,
        **ends,
    }


def bert_pairs(layers: int, theirs: str, *, pooler: bool = True) -> list[Pair]:
    """Every tensor of a BERT or RoBERTa there and here."""
    both = [
        ("embeddings", ("word_embeddings.weight", "position_embeddings.weight", "token_type_embeddings.weight",
                        "LayerNorm.weight", "LayerNorm.bias")),
        *(("pooler.dense", ("weight", "bias")) for _ in range(pooler)),
    ]  # fmt: skip
    parts = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
             "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm")  # fmt: skip
    pairs = [pair for module, names in both for pair in same(f"{theirs}{module}", f"{OURS}{module}", *names)]
    for layer in range(layers):
        for part in parts:
            pairs += linear(f"{theirs}encoder.layer.{layer}.{part}", f"{OURS}encoder.layer.{layer}.{part}")
    return pairs


def bert_fixed(positions: int, theirs: str) -> list[Fixed]:
    """The buffers that older versions of transformers kept beside the weights."""
    return [
        Fixed(f"{theirs}embeddings.position_ids", lambda: torch.arange(positions)[None]),
        Fixed(f"{theirs}embeddings.token_type_ids", lambda: torch.zeros(1, positions, dtype=torch.long)),
    ]


def clip_config(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """The Hugging Face config of LAION-CLAP's CLIP transformer: plain GELU, end token 49407 of its vocabulary's 49408.

    Raises:
        KeyError: if a tensor that says it is missing.
    """
    words = tensors["token_embedding.weight"]
    return {
        "model_type": "clip_text_model",
        "vocab_size": len(words),
        "hidden_size": words.shape[1],
        "intermediate_size": len(tensors["text_branch.resblocks.0.mlp.c_fc.weight"]),
        "num_hidden_layers": count(tensors, "text_branch.resblocks."),
        "num_attention_heads": heads(words.shape[1]),
        "max_position_embeddings": len(tensors["positional_embedding"]),
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
        "bos_token_id": len(words) - 2,
        "eos_token_id": len(words) - 1,  # theirs pools at the highest id of a text
        "pad_token_id": 0,
    }


def clip_pairs(layers: int) -> list[Pair]:
    """Every tensor of LAION-CLAP's CLIP transformer there and here: query, key and value are one tensor there."""
    pairs = [
        *same("token_embedding.weight", f"{OURS}embeddings.token_embedding.weight"),
        *same("positional_embedding", f"{OURS}embeddings.position_embedding.weight"),
        *linear("ln_final", f"{OURS}final_layer_norm"),
    ]
    names = {"ln_1": "layer_norm1", "attn.out_proj": "self_attn.out_proj", "ln_2": "layer_norm2",
             "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}  # fmt: skip
    for layer in range(layers):
        there, here = f"text_branch.resblocks.{layer}", f"{OURS}encoder.layers.{layer}"
        for kind in ("weight", "bias"):
            parts = tuple(f"{here}.self_attn.{part}_proj.{kind}" for part in "qkv")
            pairs.append(Pair((f"{there}.attn.in_proj_{kind}",), parts))
        for their, our in names.items():
            pairs += linear(f"{there}.{their}", f"{here}.{our}")
    return pairs


def bart_config(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Any]:
    """The Hugging Face config of a BART, of which only the encoder is built.

    Raises:
        KeyError: if a tensor that says it is missing.
    """
    words = tensors[f"{prefix}shared.weight"]
    return {
        "model_type": "bart",
        "vocab_size": len(words),
        "d_model": words.shape[1],
        "encoder_layers": count(tensors, f"{prefix}encoder.layers."),
        "decoder_layers": count(tensors, f"{prefix}decoder.layers."),
        "encoder_attention_heads": heads(words.shape[1]),
        "decoder_attention_heads": heads(words.shape[1]),
        "encoder_ffn_dim": len(tensors[f"{prefix}encoder.layers.0.fc1.weight"]),
        "decoder_ffn_dim": len(tensors[f"{prefix}encoder.layers.0.fc1.weight"]),
        "max_position_embeddings": len(tensors[f"{prefix}encoder.embed_positions.weight"]) - 2,  # BART's offset
        "activation_function": "gelu",
        "scale_embedding": False,
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": 2,
    }


def bart_pairs(layers: int, theirs: str) -> list[Pair]:
    """Every tensor of BART's encoder there and here; its embedding is the one that both halves share."""
    pairs = [
        *same(f"{theirs}shared.weight", f"{OURS}embed_tokens.weight"),
        *same(f"{theirs}encoder.embed_positions.weight", f"{OURS}embed_positions.weight"),
        *linear(f"{theirs}encoder.layernorm_embedding", f"{OURS}layernorm_embedding"),
    ]
    parts = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "self_attn_layer_norm",
             "fc1", "fc2", "final_layer_norm")  # fmt: skip
    for layer in range(layers):
        for part in parts:
            pairs += linear(f"{theirs}encoder.layers.{layer}.{part}", f"{OURS}layers.{layer}.{part}")
    return pairs


def bart_copies(shared: Callable[[], Tensor], theirs: str) -> list[Fixed]:
    """The shared embedding again, under the names of both halves."""
    return [Fixed(f"{theirs}{half}.embed_tokens.weight", shared) for half in ("encoder", "decoder")]


def heads(width: int) -> int:
    """Attention heads of a text encoder of so many dimensions: 64 dimensions each, as published; at least one."""
    return max(1, width // _HEAD_WIDTH)
