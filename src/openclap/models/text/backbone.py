"""Which Hugging Face model encodes text for a config, and how it is built: the one place that knows `transformers`.

`transformers` is imported by the first call, not by this module.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from openclap.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

# What a Hugging Face config says of its files, its task head or its outputs, and not of the encoder.
_NOT_THE_ENCODER = frozenset(
    {"_name_or_path", "architectures", "chunk_size_feed_forward", "dtype", "id2label", "label2id", "output_attentions",
     "output_hidden_states", "problem_type", "return_dict", "torch_dtype", "transformers_version", "use_cache"}
)  # fmt: skip


def read_hf_config(values: dict[str, Any]) -> PretrainedConfig:
    """A Hugging Face config from plain values; of a two-tower config (CLIP), the text part.

    Raises:
        ConfigError: if `model_type` is missing or unknown, or a value does not fit.
    """
    from transformers import AutoConfig

    options = dict(values)
    model_type = options.pop("model_type", None)
    if model_type is None:
        raise ConfigError("text.options.hf has no model_type: give one, as in {'model_type': 'bert', …}")
    try:
        config = AutoConfig.for_model(model_type, **options)
    except Exception as error:  # unknown types and bad values come in several kinds of exception, all with a message
        raise ConfigError(f"transformers cannot read the {model_type!r} config: {error}") from error
    part = getattr(config, "text_config", None)
    config = config if part is None else part
    config.use_cache = False  # decoders would keep keys and values that nothing reads again
    return config


def plain_hf_config(config: PretrainedConfig) -> dict[str, Any]:
    """Every value of a Hugging Face config that decides the encoder, ready for JSON."""
    return {key: value for key, value in config.to_dict().items() if key not in _NOT_THE_ENCODER}


def backbone_class(config: PretrainedConfig) -> type[PreTrainedModel]:
    """The Hugging Face class that encodes text for a config: without heads, and of T5 without the decoder.

    Raises:
        ConfigError: if `transformers` has no such class.
    """
    from transformers import MODEL_FOR_TEXT_ENCODING_MAPPING, MODEL_MAPPING

    kind = type(config)
    if kind in MODEL_FOR_TEXT_ENCODING_MAPPING:
        found: type[PreTrainedModel] = MODEL_FOR_TEXT_ENCODING_MAPPING[kind]
    elif kind in MODEL_MAPPING and hasattr(config, "vocab_size"):
        found = MODEL_MAPPING[kind]
    else:
        raise ConfigError(f"transformers has no text encoder for model_type {config.model_type!r}")
    return found


def backbone_options(kind: type[PreTrainedModel], *, with_pooler: bool) -> dict[str, Any]:
    """What to pass when a backbone is built or read: fast attention where it exists, and no pooler that is not used.

    Raises:
        ConfigError: if a pooler is asked for and the architecture has none.
    """
    # DistilBERT and the decoders have no pooler; CLIP text always gives one, which has no weights.
    optional = "add_pooling_layer" in inspect.signature(kind.__init__).parameters
    if with_pooler and not optional and not kind.__name__.startswith("CLIPText"):
        raise ConfigError(f"pooling is 'pooler', but {kind.__name__} has none: take 'cls', 'mean', 'last' or 'end'")
    options: dict[str, Any] = {"attn_implementation": "sdpa" if kind._supports_sdpa else "eager"}  # noqa: SLF001
    return options | ({"add_pooling_layer": with_pooler} if optional else {})


def encoder_part(model: PreTrainedModel) -> nn.Module:
    """The part of a Hugging Face model that encodes text: itself, or the encoder of an encoder-decoder."""
    is_pair = model.config.is_encoder_decoder or model.config.model_type in {"t5", "mt5", "umt5"}
    part: nn.Module = model.get_encoder() if is_pair else model
    return part


def build_backbone(config: PretrainedConfig, *, with_pooler: bool) -> nn.Module:
    """A float32 Hugging Face text encoder with random weights."""
    kind = backbone_class(config)
    options = backbone_options(kind, with_pooler=with_pooler)
    return encoder_part(kind._from_config(config, dtype=torch.float32, **options))  # noqa: SLF001


def max_tokens(config: PretrainedConfig) -> int:
    """The most tokens a text may have; relative positions (T5) have no limit: 512, as it was trained."""
    most = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or 512
    if config.model_type in {"roberta", "xlm-roberta", "mpnet", "camembert", "data2vec-text"}:
        return int(most) - 1 - int(config.pad_token_id)  # their positions start after the padding id
    return int(most)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """`transformers` without its reports and progress bars, while something is loaded that is checked afterwards."""
    from transformers.utils import logging

    verbosity, had_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if had_bar:
            logging.enable_progress_bar()
