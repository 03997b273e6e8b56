"""The tensors of a PyTorch file (.pt, .pth, .bin), read without ever running what a stranger's file says.

`torch.load(weights_only=True)` builds tensors and plain containers and nothing else. Training scripts save more beside
the weights: numbers of numpy, the command line's options, an optimiser. None of it is used here, so the few names that
occur in published files are given stand-ins that do nothing at all; every other name is refused, and the error says it.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from openclap.checkpoints.suspicious import refuse_suspicious
from openclap.errors import CheckpointError, some

_LEGACY_MAGIC = b"\x80"  # a pickle; PyTorch before 1.6 put several in a row
_NESTS = ("state_dict", "model")  # where training scripts put the weights
_WRAPPERS = ("module.", "_orig_mod.")  # what data-parallel training and torch.compile put before every name


class _Ignored:
    """A stand-in for an object of a pickle that no vector depends on: takes whatever it is given, and keeps nothing."""

    def __new__(cls, *_: Any, **__: Any) -> _Ignored:
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


_HARMLESS = (
    "argparse.Namespace",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    *(f"numpy.dtypes.{kind}DType" for kind in ("Float16", "Float32", "Float64", "Int32", "Int64", "Bool", "Str")),
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "pathlib._local.PosixPath",
    "pathlib._local.WindowsPath",
)


def is_pickle(path: Path) -> bool:
    """Whether a file is of PyTorch's format, of today or before version 1.6, by its bytes."""
    try:
        with path.open("rb") as file:
            start = file.read(2)
        if start == b"PK":
            with zipfile.ZipFile(path) as archive:
                return any(name.endswith("data.pkl") for name in archive.namelist())
        return start.startswith(_LEGACY_MAGIC) and len(start) == 2
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):  # the last: of a zip from the future
        return False


def is_cut_off(path: Path) -> bool:
    """Whether a file begins as PyTorch's format of today, and lacks its end, where the table of contents stands."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04" and not zipfile.is_zipfile(file)


def read_pickle(path: Path) -> dict[str, Tensor]:
    """The tensors of a PyTorch file by name, from inside `state_dict` or `model`, without prefixes of wrappers.

    Files of today's format are mapped into memory, so that they take none of their own until they are used.

    Raises:
        CheckpointError: if the file is truncated, asks for anything but tensors and plain values (the error names it),
            or holds no tensors.
    """
    refuse_suspicious(path)
    # A file of numpy's scalars names the class it wants; that name finds the stand-in and never the class.
    stand_ins: list[Any] = [(type(name, (_Ignored,), {}), name) for name in _HARMLESS]
    with torch.serialization.safe_globals(stand_ins):
        try:
            content = _loaded(path)
        except Exception as error:  # a hostile or broken stream raises whatever it likes
            raise CheckpointError(f"{path}: {_why(path, error)}") from error
    return _without_wrappers(_tensors(content, path))


def write_pickle(content: Any, path: Path) -> None:
    """Write a PyTorch file.

    Raises:
        CheckpointError: if there is no room for it.
    """
    try:
        torch.save(content, path)
    except RuntimeError as error:  # what torch makes of a full disk
        first = str(error).partition("\n")[0]
        raise CheckpointError(f"{path}: cannot be written ({first}); is there room on the disk?") from error


def _loaded(path: Path) -> Any:
    if path.suffix != ".safetensors":
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    with path.open("rb") as file:  # torch goes by that ending where it sees it, and not by what the file holds
        return torch.load(file, map_location="cpu", weights_only=True)


def _tensors(content: Any, path: Path) -> dict[str, Tensor]:
    for nest in _NESTS:
        if isinstance(content, Mapping) and isinstance(content.get(nest), Mapping):
            content = content[nest]
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path}: holds a {type(content).__name__}, but must hold tensors by name")
    tensors = {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if not tensors:
        raise CheckpointError(f"{path}: holds no tensors by name, neither at its top nor in {' or '.join(_NESTS)}")
    dense = all(value.layout is torch.strided and not value.is_quantized for value in tensors.values())
    if not dense:
        raise CheckpointError(f"{path}: holds sparse or quantised tensors, which no CLAP model has")
    return {name: value.detach() for name, value in tensors.items()}


def _without_wrappers(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in _WRAPPERS * 2:  # either may stand outside the other
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def _why(path: Path, error: Exception) -> str:
    wanted = _unsafe_globals(path)
    asked = re.search(r"(?:GLOBAL|unrecognized function) ([\w.]+)", str(error))
    if not wanted and asked:
        wanted = [asked[1]]
    if wanted:
        return (
            f"asks to run {some(wanted)}, which weights have no need of, and is not loaded; if you trust who "
            "made it, save its state_dict alone with torch.save, or as safetensors"
        )
    # torch's own words begin with how to read the file unsafely, and come to the reason after that.
    said = re.sub(r"(?s)^.*WeightsUnpickler error:\s*", "", str(error)).strip()
    first = said.splitlines()[0][:200] if said else type(error).__name__
    return f"is truncated or no PyTorch file ({first}); get it again"


def _unsafe_globals(path: Path) -> list[str]:
    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception:  # noqa: BLE001 - the older format, or a broken file: its own error says why
        return []
