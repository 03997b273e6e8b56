"""Whatever is given, the bundle in it: finds out what a checkpoint is, and says so where it cannot be read."""

from __future__ import annotations

import json
import pickletools
import zipfile
from pathlib import Path

import torch

from openclap.atomic import current
from openclap.checkpoints.hub import fetch, is_hub_name
from openclap.checkpoints.native import BUNDLE_FILES, CONFIG_FILE, Bundle, is_bundle, load_bundle
from openclap.errors import CheckpointError

_ONLY = "this version of openclap reads its own bundles only (a directory that `openclap train` has written)"


def load(path_or_name: str | Path, device: str | torch.device = "cpu") -> Bundle:
    """The bundle in a directory, or in a Hugging Face hub repository.

    Args:
        path_or_name: a bundle's directory; or a hub name, "owner/model" or "owner/model@revision".
        device: where the model goes.

    Raises:
        CheckpointError: if there is none; says what was found instead.
    """
    path = Path(path_or_name)
    if current(path).is_dir():
        _refuse_foreign_directory(current(path))
        return load_bundle(path, device)
    if path.is_file():
        raise CheckpointError(f"{path}: {_describe_file(path)}; {_ONLY}")
    if not is_hub_name(str(path_or_name)):
        raise CheckpointError(f"there is no directory {str(path_or_name)!r}, and it is no hub name (owner/model)")
    name = str(path_or_name)
    _refuse_foreign_directory(fetch(name, [CONFIG_FILE]))  # before gigabytes of something else come
    return load_bundle(fetch(name, BUNDLE_FILES), device)


def _refuse_foreign_directory(directory: Path) -> None:
    if is_bundle(directory):
        return
    config_file = directory / CONFIG_FILE
    if config_file.is_file():
        try:
            config = json.loads(config_file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CheckpointError(f"{config_file}: is not JSON ({error})") from error
        kind = config.get("model_type") if isinstance(config, dict) else None
        if kind == "clap":
            raise CheckpointError(f"{directory} is recognised as a Hugging Face ClapModel, and not supported: {_ONLY}")
        if kind is not None:
            raise CheckpointError(f"{directory} is a Hugging Face model of type {kind!r}, not a CLAP model; {_ONLY}")
        raise CheckpointError(f"{config_file} has neither format_version nor model_type: this is no model; {_ONLY}")
    pickles = sorted(file.name for pattern in ("*.pt", "*.pth") for file in directory.glob(pattern))
    found = f"it holds {', '.join(pickles[:3])}" if pickles else "it has no config.json"
    nested = next((child.name for child in sorted(directory.iterdir()) if child.is_dir() and is_bundle(child)), None)
    hint = f"; did you mean {directory / nested}?" if nested else ""
    raise CheckpointError(f"{directory} is no bundle: {found}{hint}; {_ONLY}")


def _describe_file(path: Path) -> str:
    """What a file that is no directory probably is, without running the pickle that it may be."""
    if path.suffix == ".safetensors":
        return f"is bare weights, which do not say what they are; if {str(path.parent)!r} is a bundle, give that"
    words = _pickled_words(path)
    if words is None:
        return "is a file, not a checkpoint directory"
    if any(word.startswith(("module.logit_scale_a", "logit_scale_a")) for word in words):
        return "is recognised as a LAION-CLAP checkpoint (.pt), and not supported"
    if any(word.startswith(("caption_encoder.", "clapcap.")) for word in words):
        return "is recognised as an MS-CLAP checkpoint (.pth), and not supported"
    return "is a PyTorch pickle of an unknown model, and not supported"


def _pickled_words(path: Path) -> set[str] | None:
    """The strings inside a PyTorch file, read as data; None if it is no PyTorch file."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
                stream = archive.read(name)
            return {value for _, value, _ in pickletools.genops(stream) if isinstance(value, str)}
        with path.open("rb") as file:  # the format before PyTorch 1.6: several pickles in a row, then the tensors
            if file.read(1) != b"\x80":
                return None
            file.seek(0)
            return {value for _ in range(4) for _, value, _ in pickletools.genops(file) if isinstance(value, str)}
    except (StopIteration, ValueError, OSError, zipfile.BadZipFile):
        return None
