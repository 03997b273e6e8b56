"""Tensor names and shapes of two projects, each rule written once and used in both directions.

A `Pair` says which tensors there are which tensors here. A list of pairs, made for one architecture, names every
tensor of both sides: what is missing, left over or misshapen is found by name before anything is built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from openclap.errors import CheckpointError, some


@dataclass(frozen=True)
class Pair:
    """The same numbers there and here.

    One name on both sides is a renaming. Several names on one side are parts of the other's one tensor, cut along its
    first dimension into equal parts (query, key and value).

    Attributes:
        theirs: names in the foreign checkpoint.
        ours: names in an openclap model.
        kernel: the shape there of what is one dimension here, after the first: (1, 4, 4) for a convolution over patches
            that is a linear map here, -1 for any number. None where shapes agree.
    """

    theirs: tuple[str, ...]
    ours: tuple[str, ...]
    kernel: tuple[int, ...] | None = None

    def here(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Our tensors, made of theirs."""
        return _convert(tensors, self.theirs, self.ours, self._flat)

    def there(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Their tensors, made of ours."""
        shape = self.kernel
        return _convert(tensors, self.ours, self.theirs, lambda t: t if shape is None else t.reshape(len(t), *shape))

    def _flat(self, tensor: Tensor) -> Tensor:
        if self.kernel is None:
            return tensor
        given = tuple(tensor.shape[1:])
        if len(given) != len(self.kernel) or any(n not in (m, -1) for n, m in zip(self.kernel, given, strict=True)):
            raise RuntimeError(f"kernels of {given} where {self.kernel} belong, -1 being any")
        return tensor.flatten(1)


@dataclass(frozen=True)
class Fixed:
    """A tensor there that holds no knowledge: it follows from the architecture, and has no counterpart here.

    When read it may be absent, and must have the value that it has to have; when written it is made anew.

    Attributes:
        theirs: its name.
        value: makes it.
        tolerance: how far an entry may lie from it, where libraries round differently.
    """

    theirs: str
    value: Callable[[], Tensor]
    tolerance: float = 0.0


def same(theirs: str, ours: str, *parts: str) -> list[Pair]:
    """Renamings of a module's tensors: `parts` are their own names, which both sides share; none is one tensor."""
    return [Pair((f"{theirs}.{part}",), (f"{ours}.{part}",)) for part in parts] or [Pair((theirs,), (ours,))]


def linear(theirs: str, ours: str) -> list[Pair]:
    """Renamings of a module with weight and bias."""
    return same(theirs, ours, "weight", "bias")


def batch_norm(theirs: str, ours: str) -> list[Pair]:
    """Renamings of a batch norm."""
    return same(theirs, ours, "weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def to_ours(
    tensors: Mapping[str, Tensor],
    pairs: Sequence[Pair],
    fixed: Sequence[Fixed],
    unused: Iterable[str],
    origin: str | Path,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A foreign checkpoint's tensors under our names, and those that no vector depends on under their own.

    Args:
        tensors: all that the checkpoint holds.
        pairs: the rules; each of their names must be there.
        fixed: what may be there, with the value that it must have.
        unused: names that may be there and are kept as they are.
        origin: where they came from, for messages.

    Raises:
        CheckpointError: if a tensor is missing or left over, or a fixed one has another value.
    """
    fixed_names = {rule.theirs for rule in fixed}
    wanted = {name for pair in pairs for name in pair.theirs}
    kept = {name: tensors[name].clone() for name in sorted(set(unused)) if name in tensors and name not in wanted}
    missing = sorted(wanted - tensors.keys())
    left_over = sorted(tensors.keys() - wanted - fixed_names - kept.keys())
    if missing or left_over:
        raise CheckpointError(
            f"{origin}: is not of the architecture that its tensors speak of: missing {some(missing)}; left over, and "
            f"of no known use, {some(left_over)}"
        )
    for rule in fixed:
        if rule.theirs in tensors:
            _check_fixed(rule, tensors[rule.theirs], origin)
    found: dict[str, Tensor] = {}
    for pair in pairs:
        try:
            found |= pair.here(tensors)
        except (RuntimeError, IndexError) as error:
            shapes = ", ".join(f"{name} {tuple(tensors[name].shape)}" for name in pair.theirs)
            raise CheckpointError(f"{origin}: {shapes} cannot become {', '.join(pair.ours)} ({error})") from error
    return found, kept


def to_theirs(tensors: Mapping[str, Tensor], pairs: Sequence[Pair], fixed: Iterable[Fixed]) -> dict[str, Tensor]:
    """Our tensors under their names, with the fixed ones made anew.

    Raises:
        CheckpointError: if the rules have no place for one of ours, or want one that is not there.
    """
    wanted = {name for pair in pairs for name in pair.ours}
    missing, left_over = sorted(wanted - tensors.keys()), sorted(tensors.keys() - wanted)
    if missing or left_over:
        raise CheckpointError(
            f"the model has no place in that format: it lacks {some(missing)}, and {some(left_over)} has no "
            "counterpart there"
        )
    made = {name: value for pair in pairs for name, value in pair.there(tensors).items()}
    return made | {rule.theirs: rule.value() for rule in fixed}


def count(names: Iterable[str], start: str) -> int:
    """How many numbered items have names that begin with `start`: "layers.0.blocks." with blocks 0 to 5 gives 6."""
    numbers = {name.removeprefix(start).partition(".")[0] for name in names if name.startswith(start)}
    return len({number for number in numbers if number.isdigit()})


def has_value(found: Tensor, value: Tensor, tolerance: float) -> bool:
    """Whether a file's tensor has a value, to within `tolerance` and the rounding of 16-bit numbers in the file."""
    rounding = torch.finfo(found.dtype).eps if found.dtype in (torch.float16, torch.bfloat16) else 0.0
    return found.shape == value.shape and torch.allclose(found.to(value.dtype), value, rtol=rounding, atol=tolerance)


def _convert(
    tensors: Mapping[str, Tensor], given: Sequence[str], wanted: Sequence[str], reshape: Callable[[Tensor], Tensor]
) -> dict[str, Tensor]:
    values = [reshape(tensors[name].detach()) for name in given]
    whole = values[0] if len(values) == 1 else torch.cat(values)
    if len(wanted) == 1:
        return {wanted[0]: whole}
    if len(whole) % len(wanted):
        raise RuntimeError(f"{len(whole)} rows are not {len(wanted)} equal parts")
    return dict(zip(wanted, (part.clone() for part in whole.chunk(len(wanted))), strict=True))


def _check_fixed(rule: Fixed, found: Tensor, origin: str | Path) -> None:
    if not has_value(found, rule.value(), rule.tolerance):
        raise CheckpointError(
            f"{origin}: {rule.theirs} is a table that follows from the architecture, and holds other values: this is "
            "another architecture than its tensors' shapes speak of"
        )
