"""What is not the same in two trees of settings, in words for an error message."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

OF_TRAINING = frozenset({"drop_path", "dropout", "head_dropout", "spec_augment"})
"""Options of audio encoders that no weight and no vector depends on: files do not tell them, runs may change them."""


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any], ignoring: Collection[str] = ()) -> list[str]:
    """A sentence for each setting that is not the same, by its dotted name.

    Args:
        ours: plain values of a config.
        theirs: what the foreign format would make of it; keys that it lacks are not asked for.
        ignoring: dotted names that may differ.
    """
    found = []
    for key, other in theirs.items():
        mine = ours.get(key)
        if key in ignoring:
            continue
        if isinstance(mine, Mapping) and isinstance(other, Mapping):
            below = {name.removeprefix(f"{key}.") for name in ignoring if name.startswith(f"{key}.")}
            found += [f"{key}.{sentence}" for sentence in differences(mine, other, below)]
        elif mine != other:
            found.append(f"{key} is {mine!r}, and there {other!r}")
    return found
