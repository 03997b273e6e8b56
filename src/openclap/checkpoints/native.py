"""The native checkpoint, a bundle: one directory that says everything about the model in it.

    config.json             format version, name, and the configs of model, front-end and tokenizer
    model.safetensors       the weights
    tokenizer.json, tokenizer_config.json      not of a model of sound alone
    provenance.json         what it was made from: data, recipe, versions, licence
    unused.safetensors      only of a model that came from a foreign checkpoint: what else was in it, under its names

Loading needs no flags and no network, and nothing outside the directory can change what the model computes: the config
is written with every option resolved, so later defaults do not matter.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

import openclap
from openclap.atomic import current, written_whole
from openclap.audio.frontend import Frontend, FrontendConfig
from openclap.checkpoints.json_files import read_json, read_versioned, write_json
from openclap.checkpoints.weights import (
    WithoutRandomFill,
    put_weights,
    read_weights,
    weights_digest,
    write_tensors,
    write_weights,
)
from openclap.config import Config
from openclap.errors import CheckpointError, ConfigError
from openclap.models.clap import NO_TEXT, Clap, ClapConfig, EncoderConfig
from openclap.models.encoder import TextEncoder
from openclap.text.tokenizer import Tokenizer, TokenizerConfig

__all__ = ["Bundle", "BundleConfig", "is_bundle", "load_bundle", "save_bundle", "weights_digest"]

FORMAT_VERSION = 1
CONFIG_FILE, WEIGHTS_FILE, PROVENANCE_FILE = "config.json", "model.safetensors", "provenance.json"
UNUSED_FILE = "unused.safetensors"
BUNDLE_FILES = (CONFIG_FILE, WEIGHTS_FILE, PROVENANCE_FILE, UNUSED_FILE, "tokenizer.json", "tokenizer_config.json")


class BundleConfig(Config):
    """What `config.json` holds.

    Attributes:
        format_version: of the directory's layout; a reader refuses a newer one than it knows.
        name: the model's name, for people.
        model: the two towers.
        frontend: sound to features.
        tokenizer: captions to ids; of no matter to a model of sound alone.
    """

    format_version: int = FORMAT_VERSION
    name: str
    model: ClapConfig
    frontend: FrontendConfig
    tokenizer: TokenizerConfig = TokenizerConfig()


class TextParts(NamedTuple):
    """The text encoder's full config, and what makes its ids."""

    encoder: EncoderConfig
    tokenizer: Tokenizer


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model with everything that it needs to be used.

    Attributes:
        model: the two towers.
        frontend: sound to features.
        tokenizer: captions to ids; None of a model of sound alone.
        config: what describes the three.
        provenance: JSON-ready values: data, recipe, versions, licence.
        unused: tensors of the foreign checkpoint that the model came from, which no vector depends on, under their
            names there (AudioSet heads): so that it can leave as it came.
    """

    model: Clap
    frontend: Frontend
    tokenizer: Tokenizer | None
    config: BundleConfig
    provenance: Mapping[str, Any] = field(default_factory=dict)
    unused: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def text(self) -> TextParts:
        """What the text tower is used with, for what cannot do without one.

        Raises:
            ConfigError: if this is a model of sound alone.
        """
        encoder = self.model.resolved_config().text
        if encoder is None or self.tokenizer is None:
            raise ConfigError(f"model {self.config.name!r} {NO_TEXT}")
        return TextParts(encoder, self.tokenizer)


def save_bundle(bundle: Bundle, directory: str | Path) -> Path:
    """Write a bundle; the directory appears whole or not at all, and takes the place of a bundle that was there.

    The versions of openclap, Python, torch and transformers are added to the provenance, unless it names them.

    Returns:
        The directory.

    Raises:
        CheckpointError: if the directory holds something else than a bundle, which is then left alone.
        ConfigError: if the parts of the bundle do not fit each other.
    """
    directory = Path(directory)
    if directory.exists() and not is_bundle(directory) and not _is_empty(directory):
        raise CheckpointError(
            f"{directory} holds something else than a bundle, which would be lost: give another directory"
        )
    check_parts(bundle)
    tokenizer = bundle.tokenizer
    config = bundle.config.model_copy(
        update={
            "format_version": FORMAT_VERSION,
            "model": bundle.model.resolved_config(),
            "frontend": bundle.frontend.config,
            "tokenizer": bundle.config.tokenizer if tokenizer is None else tokenizer.config,
        }
    )
    with written_whole(directory) as fresh:
        write_json(config.plain(), fresh / CONFIG_FILE)
        write_json({"versions": _versions(), **bundle.provenance}, fresh / PROVENANCE_FILE)
        if tokenizer is not None:
            tokenizer.save(fresh)
        write_weights(bundle.model, fresh / WEIGHTS_FILE)
        if bundle.unused:
            write_tensors(bundle.unused, fresh / UNUSED_FILE)
    return directory


def load_bundle(directory: str | Path, device: str | torch.device = "cpu") -> Bundle:
    """The bundle in a directory, in evaluation mode.

    Raises:
        CheckpointError: if a file is missing or broken, was written by a newer version, or does not fit the others.
    """
    directory = current(Path(directory))
    values = read_versioned(directory / CONFIG_FILE, FORMAT_VERSION, "openclap bundle")
    try:
        config = BundleConfig.read(values, origin=str(directory / CONFIG_FILE))
        tokenizer = None if config.model.text is None else Tokenizer.read(directory, config.tokenizer)
    except ConfigError as error:
        raise CheckpointError(f"{directory}: {error}") from error
    provenance = read_json(directory / PROVENANCE_FILE)
    unused = read_weights(directory / UNUSED_FILE) if (directory / UNUSED_FILE).is_file() else {}
    bundle = make_bundle(config, tokenizer, provenance, unused, directory)
    weights_file = directory / WEIGHTS_FILE
    put_weights(bundle.model, read_weights(weights_file), weights_file, keep_tensors=True)
    bundle.model.to(device)
    bundle.frontend.to(device)
    return bundle


def make_bundle(
    config: BundleConfig,
    tokenizer: Tokenizer | None,
    provenance: Mapping[str, Any],
    unused: Mapping[str, Tensor],
    origin: str | Path,
) -> Bundle:
    """A bundle in evaluation mode whose model still waits for its weights (`put_weights`).

    Args:
        config: what describes it.
        tokenizer: captions to ids; None for a model of sound alone.
        provenance: what it was made from.
        unused: tensors that no vector depends on.
        origin: the checkpoint, for messages.

    Raises:
        CheckpointError: if a config cannot be built from, or the parts do not fit each other.
    """
    try:
        with WithoutRandomFill():
            model = Clap(config.model)
        bundle = Bundle(model.eval(), Frontend(config.frontend).eval(), tokenizer, config, provenance, unused)
        check_parts(bundle)
    except ConfigError as error:
        raise CheckpointError(f"{origin}: {error}") from error
    return bundle


def is_bundle(directory: str | Path) -> bool:
    """Whether a directory describes itself as a bundle, of any format version."""
    try:
        return "format_version" in read_json(current(Path(directory)) / CONFIG_FILE)
    except CheckpointError:
        return False


def check_parts(bundle: Bundle) -> None:
    """Make sure that front-end, tokenizer and model fit each other.

    Raises:
        ConfigError: if they do not; names both sides.
    """
    frontend, tokenizer = bundle.frontend, bundle.tokenizer
    heard = frontend.config
    bundle.model.check_frontend(heard.mel.n_mels, heard.frames, heard.views, keeps_length=heard.keeps_length)
    if tokenizer is None or not bundle.model.has_text:
        if bundle.model.has_text or tokenizer is not None:
            raise ConfigError("a text tower and a tokenizer go together: give both, or neither (model.text null)")
        return
    encoder = cast("TextEncoder", bundle.model.text_encoder)
    if tokenizer.vocab_size > encoder.vocab_size:
        raise ConfigError(
            f"the tokenizer has {tokenizer.vocab_size} tokens, but the text encoder knows {encoder.vocab_size}: "
            "set the encoder's vocab_size to the tokenizer's"
        )
    if tokenizer.config.max_length > encoder.max_tokens:
        raise ConfigError(
            f"tokenizer.max_length is {tokenizer.config.max_length}, but the text encoder takes at most "
            f"{encoder.max_tokens} tokens: lower tokenizer.max_length"
        )


def _versions() -> dict[str, str]:
    packages = ("torch", "transformers", "tokenizers", "numpy")
    versions = {"openclap": openclap.__version__, "python": platform.python_version()}
    return versions | {package: version(package) for package in packages}


def _is_empty(directory: Path) -> bool:
    return directory.is_dir() and not any(directory.iterdir())
