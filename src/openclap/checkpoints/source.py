"""Opens a file or directory as a `Source`: finds where the tensors stand and what their names are, reading none yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from openclap.checkpoints.adapter import Source
from openclap.checkpoints.json_files import read_json
from openclap.checkpoints.pickles import read_pickle
from openclap.checkpoints.weights import check_finite, read_weights
from openclap.errors import CheckpointError, some

_WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


def open_directory(directory: Path, repository: str | None = None, revision: str | None = None) -> Source:
    """The directory of a Hugging Face model as a source: config.json, and weights in one file or in shards.

    Raises:
        CheckpointError: if config.json is no JSON object, or a file is missing, truncated or unsafe.
    """
    files = _weight_files(directory)
    return _source(directory, read_json(directory / "config.json"), files, repository, revision)


def open_file(path: Path, repository: str | None = None, revision: str | None = None) -> Source:
    """One file of weights, of PyTorch's or safetensors' format, as a source.

    Raises:
        CheckpointError: if it is neither, is truncated, or asks to run something.
    """
    return _source(path, None, (path,), repository, revision)


def is_safetensors(path: Path) -> bool:
    """Whether a file is of safetensors' format, by its bytes: the length of a JSON header, then the header."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError:
        return False
    return len(start) == 9 and start[8:] == b"{" and 2 <= int.from_bytes(start[:8], "little") <= path.stat().st_size


def _source(
    path: Path, config: dict[str, Any] | None, files: tuple[Path, ...], repository: str | None, revision: str | None
) -> Source:
    opened = {file: read_pickle(file) for file in files if not is_safetensors(file)}

    @cache
    def weights() -> Mapping[str, Tensor]:
        tensors: dict[str, Tensor] = {}
        for file in files:
            if file in opened:
                check_finite(opened[file], file)
            tensors |= opened[file] if file in opened else read_weights(file)
        return tensors

    count = Counter(name for file in files for name in (opened[file] if file in opened else _names(file)))
    twice = [name for name, times in count.items() if times > 1]
    if twice:
        raise CheckpointError(f"{path}: {some(twice)} is in several of its files, so that there are two models in it")
    names = frozenset(count)
    return Source(path, config, names, weights, files, repository, revision)


def _weight_files(directory: Path) -> tuple[Path, ...]:
    found = next((directory / name for name in _WEIGHT_FILES if (directory / name).is_file()), None)
    if found is None:
        raise CheckpointError(f"{directory}: has config.json, but none of {', '.join(_WEIGHT_FILES)}")
    if found.suffix != ".json":
        return (found,)
    placed = read_json(found).get("weight_map")
    if not isinstance(placed, dict) or not all(isinstance(shard, str) for shard in placed.values()):
        raise CheckpointError(f"{found}: has no weight_map that says which shard holds which tensor")
    shards = sorted(set(placed.values()))
    strange = [shard for shard in shards if Path(shard).name != shard]
    if strange:
        raise CheckpointError(f"{found}: names {strange[0]!r}, which is no file of its own directory")
    missing = [shard for shard in shards if not (directory / shard).is_file()]
    if missing:
        raise CheckpointError(f"{directory}: lacks {some(missing)}, which {found.name} names")
    return tuple(directory / shard for shard in shards)


def _names(path: Path) -> list[str]:
    if not is_safetensors(path):
        raise CheckpointError(f"{path}: is neither a PyTorch nor a safetensors file, or truncated; get it again")
    try:
        with safe_open(path, framework="pt") as file:
            return list(file.keys())
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: is truncated or no safetensors file ({error}); get it again") from error
