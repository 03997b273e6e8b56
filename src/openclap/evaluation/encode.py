"""Embeddings for evaluation, each clip and each text encoded once however many tasks ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float32

from openclap.audio.decode import decode
from openclap.data.example import Example
from openclap.errors import EvaluationError

_CHUNK = 64  # clips decoded and handed over at once: bounds memory for corpora of any size


class Embeds(Protocol):
    """Anything that puts sounds and texts into one space: `openclap.Embedder`, or a wrapper around another model."""

    def embed_audio(self, sources: Sequence[Any], /) -> np.ndarray:
        """A vector a sound: (N, E)."""
        ...

    def embed_text(self, texts: Sequence[str], /) -> np.ndarray:
        """A vector a text: (M, E)."""
        ...


class Encoder:
    """Unit-length embeddings of examples and texts from a model, remembered for the next task.

    Args:
        model: what embeds.
        identity: what names the model in results; its own `identity` by default, where it has one.

    Attributes:
        has_text: whether the model reads texts; what does not say so (`has_text`) does.
    """

    def __init__(self, model: Embeds, identity: str | None = None) -> None:
        self._model = model
        self.identity: str | None = identity or getattr(model, "identity", None)
        self.has_text: bool = getattr(model, "has_text", True)
        self._audio: dict[tuple[str, float, float | None], np.ndarray] = {}
        self._text: dict[str, np.ndarray] = {}

    def audio(self, examples: Sequence[Example]) -> Float32[np.ndarray, "clips embed"]:
        """One unit vector a clip.

        Raises:
            EvaluationError: if the model gives a wrong shape, or values that are not finite.
        """
        missing = {key: example for example in examples if (key := _clip(example)) not in self._audio}
        keys = list(missing)
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            vectors = self._model.embed_audio([_source(missing[key]) for key in chunk])
            self._audio.update(zip(chunk, _unit(vectors, len(chunk), "audio"), strict=True))
        return np.stack([self._audio[_clip(example)] for example in examples])

    def text(self, texts: Sequence[str]) -> Float32[np.ndarray, "texts embed"]:
        """One unit vector a text.

        Raises:
            EvaluationError: if the model gives a wrong shape, or values that are not finite.
        """
        missing = [text for text in dict.fromkeys(texts) if text not in self._text]
        if missing:
            vectors = self._model.embed_text(missing)
            self._text.update(zip(missing, _unit(vectors, len(missing), "text"), strict=True))
        return np.stack([self._text[text] for text in texts])


def similarity(audio_embeds: np.ndarray, text_embeds: np.ndarray) -> np.ndarray:
    """Cosine similarities, (clips, texts), to six decimals.

    An embedding of the same file may differ in the seventh decimal from batch to batch, so finer differences say
    nothing: they are ties.
    """
    return np.asarray(np.round(audio_embeds.astype(np.float64) @ text_embeds.astype(np.float64).T, 6))


def _clip(example: Example) -> tuple[str, float, float | None]:
    return str(example.audio), example.start_s, example.duration_s


def _source(example: Example) -> Any:
    """What the model is handed: the path, or the decoded part of a file where the clip is a part."""
    if example.start_s == 0.0 and example.duration_s is None:
        return example.audio
    return decode(example.audio, start_s=example.start_s, duration_s=example.duration_s)


def _unit(vectors: np.ndarray, expected: int, kind: str) -> Float32[np.ndarray, "n embed"]:
    array = np.asarray(vectors, dtype=np.float32)
    if array.ndim != 2 or len(array) != expected:
        raise EvaluationError(
            f"the model's embed_{kind} gave an array of shape {array.shape} for {expected} inputs, but one row an "
            "input was expected"
        )
    if not np.isfinite(array).all():
        raise EvaluationError(f"the model's embed_{kind} gave values that are not finite")
    return np.asarray(array / np.maximum(np.linalg.norm(array, axis=1, keepdims=True), 1e-12))
