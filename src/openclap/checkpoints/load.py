"""Whatever is given, the bundle in it: finds out by content what a checkpoint is, and says where it cannot be read.

A name is a path, or "owner/model[@revision]" for a hub repository, or "owner/repository/file.pt[@revision]" for one
file of it, or the short name of known weights (`checkpoints/known.py`). A directory with `format_version` in its
config.json is a bundle; anything else goes to the adapter that recognises its tensors' names.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch

from openclap.atomic import current
from openclap.checkpoints.adapter import Source, adapters
from openclap.checkpoints.exported import is_exported
from openclap.checkpoints.hub import fetch, fetch_file, is_hub_name
from openclap.checkpoints.json_files import read_json
from openclap.checkpoints.known import resolve
from openclap.checkpoints.native import BUNDLE_FILES, CONFIG_FILE, Bundle, is_bundle, load_bundle
from openclap.checkpoints.pickles import is_cut_off, is_pickle
from openclap.checkpoints.source import is_safetensors, open_directory, open_file
from openclap.checkpoints.tokenizer_files import TOKENIZER_FILES
from openclap.errors import CheckpointError, ConfigError, first_line, some

_HUB_FILE = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)/(?P<file>[\w.\-/]+?)(?:@(?P<revision>[\w./-]+))?")
_WEIGHTS = (".pt", ".pth", ".bin", ".safetensors")
_PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")  # of older and of newer transformers


def load(
    path_or_name: str | Path, device: str | torch.device = "cpu", *, tokenizer: str | Path | None = None
) -> Bundle:
    """The model in a bundle's directory, a foreign checkpoint, or a Hugging Face hub repository, in evaluation mode.

    Args:
        path_or_name: a directory or file; or a hub name, "owner/model" or "owner/repository/file.pt", either with
            "@revision" after it.
        device: where the model goes.
        tokenizer: for a checkpoint that carries none: a directory with tokenizer.json, or a hub name.

    Raises:
        CheckpointError: if there is nothing, or nothing that openclap reads; says what was found instead.
        ConfigError: if there is no such device here.
    """
    _check_device(device)
    found = locate(path_or_name)
    if isinstance(found, Path):
        if tokenizer is not None:
            raise CheckpointError(
                f"{found} has a tokenizer of its own, which its text encoder was trained with: leave tokenizer out"
            )
        return load_bundle(found, device)
    bundle = adapters.get(recognise(found)).read(found, tokenizer)
    bundle.model.to(device).eval()
    bundle.frontend.to(device).eval()
    return bundle


def locate(path_or_name: str | Path) -> Path | Source:
    """Where a checkpoint is: a bundle's directory, or a foreign one opened; fetched from the hub if need be.

    Raises:
        CheckpointError: if there is none.
    """
    path = current(Path(path_or_name))
    if path.is_dir():
        return path if _is_bundle(path) else open_directory(path)
    if path.exists():
        return _open_file(path)
    known = resolve(str(path_or_name))
    name = str(path_or_name) if known is None else known.place
    if is_hub_name(name) and not name.endswith(_WEIGHTS):  # such a name is a file's that is not there
        return _from_hub(name)
    file = _HUB_FILE.fullmatch(name)
    if file is None or name.startswith("."):
        raise CheckpointError(
            f"there is no file or directory {name!r}, and it is no hub name (owner/model, or owner/repository/file.pt)"
        )
    got = fetch_file(file["repository"], file["file"], file["revision"])
    return _open_file(got.path, got.repository, got.revision)


def recognise(source: Source) -> str:
    """The name of the adapter that reads a foreign checkpoint.

    Raises:
        CheckpointError: if none does; shows some of the tensors' names.
    """
    for name in adapters.names():
        if adapters.get(name).recognises(source):
            return name
    shown = ", ".join(sorted(source.names)[:4])
    known = ", ".join(["openclap's own bundles", *(adapters.get(name).title for name in adapters.names())])
    if source.config is None and (source.path.parent / CONFIG_FILE).is_file() and is_safetensors(source.path):
        raise CheckpointError(
            f"{source.path}: is bare weights, which do not say what they are; give the directory {source.path.parent}, "
            "which has a config.json"
        )
    raise CheckpointError(
        f"{source.path}: holds {len(source.names)} tensors ({shown}, …) of no model that openclap reads; it "
        f"reads {known}"
    )


def _check_device(device: str | torch.device) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # what torch raises for names and for builds without CUDA
        reason = first_line(error)
        raise ConfigError(
            f"device {str(device)!r} cannot be used here ({reason}): give cpu, or cuda where torch sees a GPU"
        ) from error


def _from_hub(name: str) -> Path | Source:
    directory = fetch(name, [CONFIG_FILE])  # says what it is, before gigabytes of something else come
    repository, _, _ = name.partition("@")
    if _is_bundle(directory):
        return fetch(name, BUNDLE_FILES)
    fetch(name, [CONFIG_FILE, *_PROCESSOR_FILES, *TOKENIZER_FILES, "model*.safetensors*"])
    if not any(directory.glob("model*.safetensors*")):
        fetch(name, ["pytorch_model*.bin*"])
    return open_directory(directory, repository, directory.name)


def _open_file(path: Path, repository: str | None = None, revision: str | None = None) -> Source:
    if not path.is_file():
        raise CheckpointError(f"{path}: is neither a file nor a directory, and cannot hold a checkpoint")
    if not (is_pickle(path) or is_safetensors(path)):
        if is_cut_off(path):
            raise CheckpointError(f"{path}: is truncated, a PyTorch file without its end; get it again")
        raise CheckpointError(
            f"{path}: is no checkpoint: neither a bundle's directory, nor a PyTorch or safetensors file that is whole"
        )
    return open_file(path, repository, revision)


def _is_bundle(directory: Path) -> bool:
    """Whether a directory is a bundle, and not a Hugging Face model.

    Raises:
        CheckpointError: if it is neither; says what it holds.
    """
    if is_bundle(directory):
        return True
    if is_exported(directory):
        raise CheckpointError(
            f"{directory} is an exported model, for ONNX runtimes: give openclap the model that it was made from"
        )
    if not (directory / CONFIG_FILE).is_file():
        raise CheckpointError(f"{directory} is no bundle: {_held(directory)}")
    kind = read_json(directory / CONFIG_FILE).get("model_type")
    if kind is None:
        raise CheckpointError(f"{directory / CONFIG_FILE} has neither format_version nor model_type: this is no model")
    if kind != "clap":
        raise CheckpointError(
            f"{directory} is a Hugging Face model of type {kind!r}, not a CLAP model (type 'clap'); a text encoder "
            "goes into training as text_init"
        )
    return False


def _held(directory: Path) -> str:
    inside = sorted(directory.iterdir())
    nested = next((child for child in inside if child.is_dir() and is_bundle(child)), None)
    if nested is not None:
        return f"it has no {CONFIG_FILE}; did you mean {nested}?"
    files = [child for child in inside if child.is_file() and (is_pickle(child) or is_safetensors(child))]
    if files:
        return f"it holds {some(file.name for file in files)}: give one of them, as in {files[0]}"
    return f"it has no {CONFIG_FILE}"
