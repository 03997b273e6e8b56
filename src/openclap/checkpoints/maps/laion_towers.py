"""The encoders in LAION-CLAP's files: from tensors to a config, and the rules that both directions share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from openclap.checkpoints.maps.htsat import htsat_encoder, htsat_fixed, htsat_heads, htsat_pairs, read_htsat_config
from openclap.checkpoints.maps.pann import pann_encoder, pann_heads, pann_pairs, read_pann_config
from openclap.checkpoints.maps.rules import Fixed, Pair
from openclap.checkpoints.maps.text import (
    bart_config,
    bart_copies,
    bart_pairs,
    bert_config,
    bert_fixed,
    bert_pairs,
    clip_config,
    clip_pairs,
    hf_config,
)
from openclap.errors import CheckpointError
from openclap.models.audio.htsat import Htsat, HtsatConfig
from openclap.models.audio.pann import Pann, PannConfig
from openclap.models.clap import EncoderConfig
from openclap.models.text.backbone import read_hf_config
from openclap.models.text.hf import HfTextEncoder

_AUDIO, _OUR_AUDIO, _TEXT = "audio_branch.", "audio_encoder.", "text_branch."


@dataclass(frozen=True)
class Part:
    """One encoder there and here.

    Attributes:
        encoder: what builds it here.
        pairs: its tensors.
        fixed: what its files hold besides, made anew when written.
        older: what only older files hold besides.
        unread: name and shape of what its files hold, and no vector depends on; zeros where there is none to write.
    """

    encoder: EncoderConfig
    pairs: list[Pair]
    fixed: list[Fixed] = field(default_factory=list)
    older: list[Fixed] = field(default_factory=list)
    unread: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class TextPart(Part):
    """A text encoder there and here.

    Attributes:
        published: hub name of its tokenizer.
        frame: the ids of an empty text by that tokenizer; None where its size varies.
        positions: the most tokens that it takes.
    """

    published: str = ""
    frame: tuple[int, ...] | None = None
    positions: int = 0


def audio_in(tensors: Mapping[str, Tensor]) -> Part:
    """The audio encoder that tensors are of.

    Raises:
        CheckpointError: if they are of neither HTSAT nor a PANN.
        ConfigError: if their sizes do not fit each other.
    """
    if f"{_AUDIO}patch_embed.proj.weight" in tensors:
        return _htsat(read_htsat_config(tensors, _AUDIO))
    if f"{_AUDIO}conv_block1.conv1.weight" in tensors:
        return _pann(read_pann_config(tensors, _AUDIO))
    raise CheckpointError("the audio encoder is neither an HTSAT nor a PANN, which LAION-CLAP has no others than")


def audio_of(encoder: nn.Module) -> Part:
    """The rules for an audio encoder of ours.

    Raises:
        CheckpointError: if LAION-CLAP has no such encoder.
    """
    if isinstance(encoder, Htsat):
        return _htsat(encoder.config)
    if isinstance(encoder, Pann):
        return _pann(encoder.config)
    raise CheckpointError(
        f"the audio encoder {type(encoder).__name__} has no place in LAION-CLAP's format, which has HTSAT and PANNs"
    )


def text_in(tensors: Mapping[str, Tensor]) -> TextPart:
    """The text encoder that tensors are of.

    Raises:
        CheckpointError: if they are of none that LAION-CLAP has.
        KeyError: if a tensor that says its size is missing.
    """
    if f"{_TEXT}embeddings.word_embeddings.weight" in tensors:
        return _bert(bert_config(tensors, _TEXT))
    if "token_embedding.weight" in tensors:
        return _clip(clip_config(tensors))
    if f"{_TEXT}shared.weight" in tensors:
        return _bart(bart_config(tensors, _TEXT), lambda: tensors[f"{_TEXT}shared.weight"])
    raise CheckpointError("the text encoder is neither RoBERTa, BERT, BART nor a CLIP transformer")


def text_of(encoder: nn.Module) -> TextPart:
    """The rules for a text encoder of ours.

    Raises:
        CheckpointError: if LAION-CLAP has no such encoder, or pools it otherwise.
    """
    if not isinstance(encoder, HfTextEncoder):
        raise CheckpointError(f"the text encoder {type(encoder).__name__} has no place in LAION-CLAP's format")
    hf = hf_config(encoder)
    kind = (hf["model_type"], encoder.pooling)
    if kind in {("bert", "pooler"), ("roberta", "pooler")}:
        return _bert(hf)
    if kind == ("clip_text_model", "end"):
        return _clip(hf)
    if kind == ("bart", "padded-mean"):
        return _bart(hf, lambda: encoder.get_parameter("backbone.embed_tokens.weight").detach())
    raise CheckpointError(
        f"the text encoder {kind[0]!r} pooled by {kind[1]!r} has no place in LAION-CLAP's format, which has RoBERTa "
        "and BERT ('pooler'), CLIP's transformer ('end') and BART ('padded-mean')"
    )


def _htsat(config: HtsatConfig) -> Part:
    return Part(
        htsat_encoder(config),
        htsat_pairs(config, _AUDIO, _OUR_AUDIO),
        htsat_fixed(config, _AUDIO),
        unread=htsat_heads(config, _AUDIO),
    )


def _pann(config: PannConfig) -> Part:
    return Part(pann_encoder(config), pann_pairs(config, _AUDIO, _OUR_AUDIO), unread=pann_heads(config, _AUDIO))


def _bert(hf: dict[str, Any]) -> TextPart:
    is_roberta, positions = hf["model_type"] == "roberta", hf["max_position_embeddings"]
    position_ids, token_type_ids = bert_fixed(positions, _TEXT)
    return TextPart(
        _hf(hf, "pooler"),
        bert_pairs(hf["num_hidden_layers"], _TEXT),
        [position_ids],
        [token_type_ids],
        published="FacebookAI/roberta-base" if is_roberta else "google-bert/bert-base-uncased",
        frame=(hf["bos_token_id"], hf["eos_token_id"]) if is_roberta else None,
        positions=positions - 1 - hf["pad_token_id"] if is_roberta else positions,
    )


def _clip(hf: dict[str, Any]) -> TextPart:
    positions = hf["max_position_embeddings"]
    return TextPart(
        _hf(hf, "end"),
        clip_pairs(hf["num_hidden_layers"]),
        bert_fixed(positions, _TEXT)[:1],
        published="openai/clip-vit-base-patch32",
        frame=(hf["bos_token_id"], hf["eos_token_id"]),
        positions=positions,
    )


def _bart(hf: dict[str, Any], shared: Callable[[], Tensor]) -> TextPart:
    positions = hf["max_position_embeddings"]
    return TextPart(
        _hf(hf, "padded-mean"),
        bart_pairs(hf["encoder_layers"], _TEXT),
        [*bert_fixed(positions, _TEXT)[:1], *bart_copies(shared, _TEXT)],
        unread=_decoder(hf),
        published="facebook/bart-base",
        frame=(hf["bos_token_id"], hf["eos_token_id"]),
        positions=positions,
    )


def _hf(hf: dict[str, Any], pooling: str) -> EncoderConfig:
    return EncoderConfig(name="hf", options={"hf": hf, "pooling": pooling})


def _decoder(hf: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Name and shape of each tensor of BART's decoder, but for the embedding that it shares."""
    from transformers import BartModel

    with torch.device("meta"):
        state = BartModel(read_hf_config(hf)).state_dict()
    names = (name for name in state if name.startswith("decoder.") and name != "decoder.embed_tokens.weight")
    return {f"{_TEXT}{name}": tuple(state[name].shape) for name in names}
