"""Shapes in signatures are checked at run time in the tests; torch keeps to the threads that the runner gives it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

_CHECKED = ("openclap.audio", "openclap.text", "openclap.models", "openclap.losses", "openclap.types")
install_import_hook(_CHECKED, "beartype.beartype")

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

_SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def starter_manifest() -> Path:
    """The manifest of real clips beside the checkout."""
    path = _SHARED / "starter" / "manifest.jsonl"
    if not path.exists():
        pytest.skip(f"no real clips: {path} is absent")
    return path


@pytest.fixture(scope="session")
def audiocaps_captions() -> Path:
    """The folder of AudioCaps caption files beside the checkout."""
    path = _SHARED / "captions"
    if not path.exists():
        pytest.skip(f"no captions: {path} is absent")
    return path
