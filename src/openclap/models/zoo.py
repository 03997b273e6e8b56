"""The registries of encoders: name to factory. A new encoder is one file that registers itself here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from openclap.models.encoder import AudioEncoder, TextEncoder
from openclap.registry import Registry

audio_encoders: Registry[Callable[..., AudioEncoder]] = Registry("audio encoder", "openclap.models.audio")
text_encoders: Registry[Callable[..., TextEncoder]] = Registry("text encoder", "openclap.models.text")


def list_models(kind: Literal["audio", "text"] | None = None) -> list[str]:
    """The names of the registered encoders, sorted: of one kind, or of both."""
    audio = audio_encoders.names() if kind in (None, "audio") else []
    text = text_encoders.names() if kind in (None, "text") else []
    return sorted(audio + text)
