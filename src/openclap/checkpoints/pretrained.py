"""Pretrained towers to start from: a Hugging Face text encoder with its tokenizer, or an audio encoder.

An audio encoder comes from an AudioMAE file, or out of any CLAP model that `openclap.load` reads.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor

from openclap.checkpoints.adapters.audiomae import read_audiomae
from openclap.checkpoints.adapters.msclap import read_msclap_audio
from openclap.checkpoints.hub import fetch, is_hub_name
from openclap.checkpoints.load import load, locate, recognise
from openclap.checkpoints.weights import put_weights
from openclap.config import Config
from openclap.errors import CheckpointError, ConfigError
from openclap.models.clap import Clap, EncoderConfig
from openclap.models.text.backbone import (
    backbone_class,
    backbone_options,
    encoder_part,
    plain_hf_config,
    read_hf_config,
)
from openclap.models.text.hf import Pooling
from openclap.text.tokenizer import Tokenizer, TokenizerConfig

_OF_TRAINING = frozenset({"drop_path", "dropout", "head_dropout", "spec_augment"})
"""Options that no weight or vector depends on, so that they may differ from those of the pretrained encoder."""

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


class AudioInit(Config):
    """Where an audio tower's first weights come from.

    Attributes:
        source: an AudioMAE file (.pth), or MS-CLAP's captioning model; or whatever `openclap.load` reads, of which the
            audio encoder is taken. The front-end does not come along: set the one that the weights were trained with.
    """

    source: str


@dataclass(frozen=True, eq=False)
class PretrainedAudio:
    """An audio encoder as it was published.

    Attributes:
        encoder: its name and all options that its weights determine, for `ClapConfig.audio`.
        state: the weights, by the names that the encoder built from `encoder` gives them.
    """

    encoder: EncoderConfig
    state: Mapping[str, Tensor]


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
        with _quiet_transformers():  # its report and progress bar: what matters of them is checked below
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
            f"{directory}: the weights do not fit config.json: missing or misshapen are {', '.join(lacking[:4])}"
            f"{f' and {len(lacking) - 4} more' if len(lacking) > 4 else ''}"
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


def load_audio(init: AudioInit) -> PretrainedAudio:
    """The pretrained audio encoder that `init` names.

    Raises:
        CheckpointError: if it cannot be found or read.
    """
    found = locate(init.source)
    kind = None if isinstance(found, Path) else recognise(found)
    if not isinstance(found, Path) and kind == "audiomae":
        mae = read_audiomae(found)
        return PretrainedAudio(mae.encoder, mae.encoder_state)
    if not isinstance(found, Path) and kind == "msclap":  # also of a captioning model, which is no whole CLAP
        return PretrainedAudio(*read_msclap_audio(found))
    model = load(init.source).model
    return PretrainedAudio(model.resolved_config().audio, model.audio_encoder.state_dict())


def merge_audio(pretrained: PretrainedAudio, asked: EncoderConfig) -> EncoderConfig:
    """The pretrained encoder, with the options for training that are asked for.

    Raises:
        ConfigError: if another encoder is asked for, or an option that the weights contradict.
    """
    known = pretrained.encoder
    if asked.name != known.name:
        raise ConfigError(f"model.audio.name is {asked.name!r}, but audio_init brings {known.name!r}: set it to that")
    for key, value in asked.options.items():
        if key in known.options and key not in _OF_TRAINING and _plain(value) != _plain(known.options[key]):
            raise ConfigError(
                f"model.audio.options.{key} is {value!r}, but the weights of audio_init were made with "
                f"{known.options[key]!r}: leave it out"
            )
    return EncoderConfig(name=known.name, options={**known.options, **asked.options})


def put_audio(model: Clap, pretrained: PretrainedAudio) -> None:
    """Put pretrained weights into a model's audio encoder, which was built from `pretrained.encoder`.

    Raises:
        CheckpointError: if the audio encoder is another one.
    """
    put_weights(model.audio_encoder, pretrained.state, "the pretrained audio encoder")


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
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{directory} has no config.json; this is no Hugging Face model") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from error
    if not isinstance(values, dict) or "model_type" not in values:
        raise CheckpointError(f"{path}: says no model_type; this is no Hugging Face model")
    return values


def _plain(value: object) -> object:
    """A value as a config file would hold it: a tuple and a list with the same entries are one."""
    return list(value) if isinstance(value, tuple) else value


@contextmanager
def _quiet_transformers() -> Iterator[None]:
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
