"""One space for sound and language: train it, evaluate it, and put it to use.

    import openclap

    model = openclap.load("runs/demo/best")
    vectors = model.embed_audio(["dog.wav", "rain.flac"])   # (2, E) float32, unit length
    model.classify("dog.wav", ["dog", "rain"])

Importing this package is quick: torch and transformers are imported by the first call that needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openclap.errors import OpenclapError as OpenclapError
    from openclap.inference.embedder import Embedder as Embedder
    from openclap.inference.embedder import load as load
    from openclap.models.zoo import list_models as list_models

__version__ = "0.1.0"

_HOMES = {
    "Embedder": "openclap.inference.embedder",
    "OpenclapError": "openclap.errors",
    "list_models": "openclap.models.zoo",
    "load": "openclap.inference.embedder",
}

__all__ = ["Embedder", "OpenclapError", "__version__", "list_models", "load"]


def __getattr__(name: str) -> Any:
    """Import a public name from its home at first use."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'openclap' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
