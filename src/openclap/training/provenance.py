"""Where a checkpoint comes from: what is written into its `provenance.json`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from openclap.config import digest
from openclap.data.manifest import Manifest
from openclap.training.config import RunConfig


def run_provenance(config: RunConfig, train: Manifest, validation: Manifest | None) -> dict[str, Any]:
    """What is known of a run before its first step, as JSON-ready values.

    Each save adds step, training time and metrics, and the versions of the packages.
    """
    return {
        "made_by": "openclap train",
        "name": config.name,
        "license": config.license,
        "data": {
            "train": _describe(train),
            "validation": None if validation is None else _describe(validation),
        },
        "config_digest": config.digest(),
        "config": config.plain(),
        "seed": config.seed,
    }


def data_digest(train: Manifest, validation: Manifest | None) -> str:
    """SHA-256 hex over what the examples say, wherever the files lie."""
    return digest([train.digest, None if validation is None else validation.digest])


def _describe(manifest: Manifest) -> dict[str, Any]:
    """One part of the data; licences are counted, since weights carry what they were trained on."""
    licenses = Counter(example.license or "not stated" for example in manifest.examples)
    return {
        "path": Path(manifest.path).as_posix(),
        "digest": manifest.digest,
        "clips": len(manifest.examples),
        "licenses": dict(licenses.most_common()),
    }
