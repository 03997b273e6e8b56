"""Filters over examples: `{"split": "train", "fold": [1, 2, 3, 4], "has_caption": true}`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from openclap.data.example import Example
from openclap.errors import ConfigError, ManifestError, did_you_mean

_FIELDS = ("id", "split", "fold", "source", "license", "credit", "labels")
_FLAGS = ("has_caption", "has_labels")


def select_examples(examples: Sequence[Example], where: Mapping[str, Any]) -> list[Example]:
    """The examples that fit every key of `where`, in their order.

    A key is a field of `Example`, a key of its `extra`, or one of the flags `has_caption` and `has_labels` (true or
    false). A value is matched by that value, a list by any of its values, null by what is not stated. `labels` fits a
    clip that has any of the given labels.

    Raises:
        ConfigError: for an unknown key (with the nearest), or a flag that is neither true nor false.
    """
    fits = condition(where, {name for example in examples for name in example.extra})
    return [example for example in examples if fits(example)]


def condition(where: Mapping[str, Any], extra_keys: Collection[str]) -> Callable[[Example], bool]:
    """Whether an example fits every key of `where`, as `select_examples` says.

    Args:
        where: the filters.
        extra_keys: the keys that some example's `extra` has.

    Raises:
        ConfigError: for an unknown key, or a flag that is neither true nor false.
    """
    known = {*_FIELDS, *_FLAGS, *extra_keys}
    for key, value in where.items():
        if key not in known:
            raise ConfigError(f"where has {key!r}, which is no column of the manifest{did_you_mean(key, known)}")
        if key in _FLAGS and not isinstance(value, bool):
            raise ConfigError(f"where.{key} takes true or false, but got {value!r}")
    return lambda example: all(_fits(example, key, value) for key, value in where.items())


def none_left(path: Path, where: Mapping[str, Any], examples: Iterable[Example]) -> ManifestError:
    """What to say where no clip of a manifest fits, which is sooner a wrong filter than meant."""
    stated = next((key for key in ("split", "source", "fold") if key in where), None)
    values, count = set(), 0
    for example in examples:
        count += 1
        if stated is not None:
            values.add(str(getattr(example, stated)))
    hint = f"; {stated} is one of {sorted(values)}" if stated is not None else ""
    return ManifestError(path, f"where {dict(where)} leaves none of its {count} clips{hint}")


def _fits(example: Example, key: str, wanted: Any) -> bool:
    if key == "has_caption":
        return bool(example.captions) is wanted
    if key == "has_labels":
        return bool(example.labels) is wanted
    choices = wanted if isinstance(wanted, list | tuple | set | frozenset) else (wanted,)
    value = getattr(example, key) if key in _FIELDS else example.extra.get(key)
    values = (value or (None,)) if key == "labels" else (value,)
    return any(_same(held, choice) for held in values for choice in choices)


def _same(held: Any, wanted: Any) -> bool:
    """Equality that lets the 3 or true of a YAML file match the "3" or "true" of a CSV cell."""
    return bool(held == wanted) or (held is not None and wanted is not None and _cell(held) == _cell(wanted))


def _cell(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
