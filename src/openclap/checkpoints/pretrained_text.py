"""A pretrained Hugging Face text encoder with its tokenizer, to start a text tower from."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor

from openclap.checkpoints.hub import fetch, is_hub_name
from openclap.checkpoints.json_files import read_json
from openclap.checkpoints.weights import put_weights
from openclap.config import Config
from openclap.errors import CheckpointError, some
from openclap.models.clap import Clap, EncoderConfig
from openclap.models.text.backbone import (
    backbone_class,
    backbone_options,
    encoder_part,
    plain_hf_config,
    quiet_transformers,
    read_hf_config,
)
from openclap.models.text.hf import Pooling
from openclap.text.tokenizer import Tokenizer, TokenizerConfig

_PACKAGE = "package:"
_FILES = ("*.json", "*.safetensors")


class TextInit(Config):
    """Where a text tower's first weights come from.

    Attributes:
        source: a directory as Hugging Face writes it (config.json, model.safetensors, tokenizer.json), or
            "package:NAME/FOLDER" for one inside an installed Python package, or a hub name ("owner/model", or
            "owner/model@revision"). Pickled weights are not read.
        pooling: how a text's one vector comes from its tokens, as in `HfTextConfig`.
    """

    source: str
    pooling: Pooling = "mean"


@dataclass(frozen=True, eq=False)
class PretrainedText:
    """A text encoder as it was published.

    Attributes:
        encoder: its full config, for `ClapConfig.text`.
        state: the weights, by the names that the encoder built from `encoder` gives them.
        tokenizer: the one it was trained with.
    """

    encoder: EncoderConfig
    state: Mapping[str, Tensor]
    tokenizer: Tokenizer


def load_text(init: TextInit, tokenizer: TokenizerConfig | None = None) -> PretrainedText:
    """The pretrained text encoder that `init` names.

    Args:
        init: where it is, and how it is pooled.
        tokenizer: lengths and padding of the batches.

    Raises:
        CheckpointError: if it cannot be found or read, or lacks a weight that its config calls for.
        ConfigError: if the architecture has no such pooling.
    """
    directory = find_text(init.source)
    hf = read_hf_config(_read_config(directory))
    kind = backbone_class(hf)
    options = backbone_options(kind, with_pooler=init.pooling == "pooler")
    try:
        with quiet_transformers():  # its report and progress bar: what matters of them is checked below
            model, report = kind.from_pretrained(
                directory,
                config=hf,
                dtype=torch.float32,
                local_files_only=True,
                use_safetensors=True,
                ignore_mismatched_sizes=True,  # so that they are reported, and refused below, by name
                output_loading_info=True,
                **options,
            )
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{directory}: the weights cannot be read ({error})") from error
    lacking = sorted(report["missing_keys"]) + sorted(name for name, *_ in report["mismatched_keys"])
    if lacking:
        raise CheckpointError(
            f"{directory}: the weights do not fit config.json: missing or misshapen are {some(lacking)}"
        )
    return PretrainedText(
        encoder=EncoderConfig(name="hf", options={"hf": plain_hf_config(hf), "pooling": init.pooling}),
        state={f"backbone.{name}": value for name, value in encoder_part(model).state_dict().items()},
        tokenizer=Tokenizer.read(directory, tokenizer),
    )


def put_text(model: Clap, pretrained: PretrainedText) -> None:
    """Put pretrained weights into a model's text encoder, which was built from `pretrained.encoder`.

    Raises:
        CheckpointError: if the text encoder is another one.
    """
    put_weights(model.text_encoder, pretrained.state, "the pretrained text encoder")


def find_text(source: str) -> Path:
    """The directory that a `TextInit.source` means, fetched from the hub if need be.

    Raises:
        CheckpointError: if there is none.
    """
    if source.startswith(_PACKAGE):
        return _inside_package(source)
    if Path(source).is_dir():
        return Path(source)
    if is_hub_name(source):
        return fetch(source, _FILES)
    raise CheckpointError(f"there is no directory {source!r}; neither is it a hub name (owner/model) or {_PACKAGE}NAME")


def _inside_package(source: str) -> Path:
    package, _, folder = source.removeprefix(_PACKAGE).partition("/")
    # Found, not imported: a package that carries weights may want other packages that we do not.
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise CheckpointError(
            f"{source}: there is no Python package {package!r}; install it (names in pip may have - where Python has _)"
        )
    for location in spec.submodule_search_locations:
        directory = Path(location) / folder
        if directory.is_dir():
            return directory
    raise CheckpointError(f"{source}: the package {package!r} has no folder {folder!r}")


def _read_config(directory: Path) -> dict[str, object]:
    path = directory / "config.json"
    if not path.is_file():
        raise CheckpointError(f"{directory} has no config.json; this is no Hugging Face model")
    values = read_json(path)
    if "model_type" not in values:
        raise CheckpointError(f"{path}: says no model_type; this is no Hugging Face model")
    return values
