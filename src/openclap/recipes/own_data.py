"""A recipe on other data than its own: as it is, as far as the other manifest says what it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openclap.data.example import Example
from openclap.data.manifest import read_manifest
from openclap.data.where import select_examples

if TYPE_CHECKING:
    from openclap.data.loader import SourceConfig
    from openclap.training.config import RunConfig


def with_data(config: RunConfig, data: Path, validation: Path | None = None) -> tuple[RunConfig, list[str]]:
    """The run on another manifest, and sentences that say what had to change besides.

    A recipe's filters (`split: train`, `fold: 4`) stay where the manifest states what they ask for; one that asks for
    what no clip states is left out. Without clips for validation, the newest checkpoint is the best.

    Args:
        config: the run.
        data: a manifest or folder, as `read_manifest` takes them.
        validation: a manifest or folder for validation, used whole; by default the part of `data` that the recipe's own
            filter gives.

    Raises:
        ManifestError: if `data` cannot be read.
    """
    from openclap.data.loader import SourceConfig

    notes: list[str] = []
    examples = read_manifest(data, columns=config.data.columns, check_files=False).examples
    where, unstated = _stated(config.data.train.where, examples)
    notes += [f"no clip of {data} states its {key}: all of them are for training" for key in unstated]
    train = SourceConfig(path=str(data), where=where)
    if validation is not None:
        held_out: SourceConfig | None = SourceConfig(path=str(validation))
    else:
        held_out = _held_out(config, data, examples)
        if held_out is None:
            notes.append("no clips for validation: give a manifest with --validation to see when to stop")
    changes: dict[str, Any] = {
        "data": config.data.model_copy(update={"train": train, "validation": held_out}),
        "license": None,  # the recipe's spoke of weights made from its own data
    }
    if held_out is None and (config.trainer.best_metric or "").startswith("validation/"):
        changes["trainer"] = config.trainer.model_copy(update={"best_metric": None})
    if held_out is None and config.schedule.shape == "plateau":
        changes["schedule"] = config.schedule.model_copy(update={"shape": "constant"})
        notes.append("schedule.shape is constant, since its plateau could only be seen on clips for validation")
    return config.model_copy(update=changes), notes


def _held_out(config: RunConfig, data: Path, examples: Sequence[Example]) -> SourceConfig | None:
    own = config.data.validation
    if own is None:
        return None
    where, unstated = _stated(own.where, examples)
    if unstated or not where or not select_examples(examples, where):
        return None
    return own.model_copy(update={"path": str(data)})


def _stated(where: dict[str, Any], examples: Sequence[Example]) -> tuple[dict[str, Any], list[str]]:
    """The filters that at least one clip has something to say to, and the keys of the others."""
    flags = ("has_caption", "has_labels")
    unstated = [
        key
        for key in where
        if key not in flags and not any(getattr(e, key, None) or e.extra.get(key) is not None for e in examples)
    ]
    return {key: value for key, value in where.items() if key not in unstated}, unstated
