"""A module's weights to one safetensors file and back, with nothing left out, left over, misshapen or not finite."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from openclap.errors import CheckpointError, some

_PART_BYTES = 1 << 26


def write_weights(module: nn.Module, path: Path) -> None:
    """Write every parameter and persistent buffer of a module to a safetensors file."""
    write_tensors(module.state_dict(), path)


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors to a safetensors file.

    Raises:
        CheckpointError: if there is no room for it.
    """
    whole = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    try:
        save_file(whole, path, metadata={"format": "pt"})
    except SafetensorError as error:
        raise CheckpointError(f"{path}: cannot be written ({error}); is there room on the disk?") from error
    path.chmod(path.parent.stat().st_mode & 0o666)  # the package makes files that only their owner can read


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU.

    Raises:
        CheckpointError: if the file is missing, truncated or no safetensors file, or a value is NaN or infinite.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file; the directory is no whole checkpoint")
    try:
        tensors = _read_in_parts(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: is truncated or no safetensors file ({error}); get it again") from error
    check_finite(tensors, path)
    return tensors


def _read_in_parts(path: Path) -> dict[str, Tensor]:
    """The tensors in memory of their own: the file is mapped anew for each part, so that it is never there twice."""
    tensors: dict[str, Tensor] = {}
    with safe_open(path, "pt") as file:
        names = list(file.keys())
    while names:
        with safe_open(path, "pt") as file:
            read = 0
            while names and read < _PART_BYTES:
                tensors[names[-1]] = file.get_tensor(names[-1]).clone()
                read += tensors[names.pop()].nbytes
    return tensors


def check_finite(tensors: Mapping[str, Tensor], origin: str | Path) -> None:
    """Make sure that no tensor holds NaN or infinity.

    Raises:
        CheckpointError: if one does; names it.
    """
    bad = [name for name, value in tensors.items() if not _all_finite(value)]
    if bad:
        raise CheckpointError(
            f"{origin}: NaN or infinite values in {some(bad)}; the model was broken when it was saved"
        )


def put_weights(
    module: nn.Module, tensors: Mapping[str, Tensor], origin: str | Path, *, keep_tensors: bool = False
) -> None:
    """Put tensors into a module, every one into its place.

    Args:
        module: gets the values, as its own types and on its own devices.
        tensors: name to value.
        origin: what the tensors came from, for messages.
        keep_tensors: make the tensors themselves the module's weights, where they fit as they are, so that memory holds
            them once. For tensors that nobody else holds.

    Raises:
        CheckpointError: if a name is missing or left over, or a shape differs; the module is then as it was.
    """
    expected = module.state_dict()
    missing = [name for name in expected if name not in tensors]
    left_over = [name for name in tensors if name not in expected]
    if missing or left_over:
        raise CheckpointError(
            f"{origin}: the weights are of another architecture than the config says: "
            f"missing {some(missing)}; left over {some(left_over)}"
        )
    misshapen = [
        f"{name} ({tuple(tensors[name].shape)}, the config needs {tuple(value.shape)})"
        for name, value in expected.items()
        if tensors[name].shape != value.shape
    ]
    if misshapen:
        raise CheckpointError(f"{origin}: the weights are of another size than the config says: {some(misshapen)}")
    # Weights that stand under two names stay one only when their values are copied.
    keep_tensors = keep_tensors and len({value.data_ptr() for value in expected.values()}) == len(expected)
    if keep_tensors:
        tensors = {name: _laid_out_as(value, tensors[name]) for name, value in expected.items()}
    module.load_state_dict(dict(tensors), assign=keep_tensors)


def _laid_out_as(value: Tensor, tensor: Tensor) -> Tensor:
    """The tensor itself, if it has the type, device and order in memory of `value`, which kernels are chosen by."""
    if (tensor.dtype, tensor.device, tensor.stride()) == (value.dtype, value.device, value.stride()):
        return tensor
    return torch.empty_like(value).copy_(tensor)


def weights_digest(module: nn.Module) -> str:
    """SHA-256 hex over the names, types, shapes and bytes of all weights, the same on every device."""
    total = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        total.update(f"{name} {value.dtype} {tuple(value.shape)};".encode())
        total.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return total.hexdigest()


class WithoutRandomFill(TorchFunctionMode):
    """While this is entered, new weights are zeros or what the memory holds: for modules that get all from a file.

    Random numbers for weights that are overwritten at once take longer than the reading, and drawing them would shift
    the random numbers of a run that goes on. Memory that is never written to is never taken from the system either;
    only what a tensor's own method would draw is zero, since `trunc_normal_` draws until it is pleased.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func.__name__ not in {"normal_", "uniform_", "kaiming_uniform_"}:
            return func(*args, **kwargs)
        tensor = args[0] if args else kwargs["tensor"]
        if func in {Tensor.normal_, Tensor.uniform_}:
            tensor.detach().zero_()
        return tensor


def _all_finite(value: Tensor) -> bool:
    # The sum is not finite if any value is not, and needs no memory; large values may overflow it, so ask again.
    return bool(value.sum().isfinite()) or bool(value.isfinite().all())
