"""A small data set on disk, and models of known quality for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from openclap.data.manifest import Manifest, read_manifest

LABELS = ("dog", "rain", "bell")
WIDTH = 64


class Oracle:
    """Hears the truth, up to noise: a clip and each of its texts get the same vector, and so do equal texts."""

    identity = "oracle-1"

    def __init__(self, manifest: Manifest, noise: float = 0.0, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._noise = noise
        self._vectors: dict[str, np.ndarray] = {}
        self._words = {str(example.audio): (*example.captions, *example.labels) for example in manifest}
        self.heard: list[str] = []
        self.read: list[str] = []

    def _vector(self, text: str) -> np.ndarray:
        return self._vectors.setdefault(text, self._rng.standard_normal(WIDTH))

    def embed_audio(self, sources: Sequence[Any]) -> np.ndarray:
        self.heard += [str(source) for source in sources]
        clips = [np.sum([self._vector(text) for text in self._words[str(source)]], axis=0) for source in sources]
        return np.stack(clips) + self._noise * self._rng.standard_normal((len(sources), WIDTH))

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        self.read += list(texts)
        bare = [text.removeprefix("This is a sound of ").removesuffix(".") for text in texts]
        return np.stack([self._vector(text) for text in bare]) * 3.0


class Deaf:
    """Gives every sound one vector, and every text one."""

    def embed_audio(self, sources: Sequence[Any]) -> np.ndarray:
        return np.ones((len(sources), WIDTH), dtype=np.float32)

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        return np.ones((len(texts), WIDTH), dtype=np.float32)


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """24 short clips of 3 labels; two captions each, of which the second is shared by the clips of a label."""
    folder = tmp_path_factory.mktemp("clips")
    lines = ["path,caption_1,caption_2,labels,split,kind"]
    for number in range(24):
        label = LABELS[number % 3]
        samples = 0.3 * np.sin(np.arange(4000) * 0.05 * (number + 1))
        soundfile.write(folder / f"{number:02d}.wav", samples, 16000)
        kind = "single" if number < 12 else "scene"
        lines.append(f"{number:02d}.wav,clip number {number} <b>&</b> more,some {label},{label},test,{kind}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return read_manifest(folder / "manifest.csv")


@pytest.fixture
def oracle(manifest: Manifest) -> Callable[..., Oracle]:
    """Makes oracles."""
    return lambda noise=0.0: Oracle(manifest, noise)


@pytest.fixture
def deaf() -> Deaf:
    """A model that has learnt nothing."""
    return Deaf()


@pytest.fixture(scope="session")
def manifest_folder(manifest: Manifest) -> Path:
    """Where the clips are."""
    return manifest.root
