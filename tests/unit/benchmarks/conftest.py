"""Scripts of `benchmarks/`, as modules."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A script by its name; beside it are those that it imports."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module
