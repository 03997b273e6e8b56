"""A model whose work shows on the screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from openclap.cli.output import Output
    from openclap.inference.embedder import Embedder


class Watched:
    """An embedder that tells how many clips it has embedded; evaluation takes it for the model that it is.

    Args:
        embedder: does the work.
        batch_size: windows in one pass.
        advance: is told after each group of clips how many there were.
    """

    def __init__(self, embedder: Embedder, batch_size: int, advance: Any) -> None:
        self._embedder, self._batch_size, self._advance = embedder, batch_size, advance
        self.identity, self.has_text = embedder.identity, embedder.has_text

    def embed_audio(self, sources: Sequence[Any]) -> np.ndarray:
        """A vector a sound."""
        vectors = self._embedder.embed_audio(sources, batch_size=self._batch_size)
        self._advance(len(sources))
        return vectors

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """A vector a text."""
        return self._embedder.embed_text(texts)


@contextmanager
def watched(embedder: Embedder, out: Output, clips: int, batch_size: int) -> Iterator[Watched]:
    """The embedder, with a progress bar for so many clips."""
    with out.progress("clips") as bar:
        task = bar.add_task("embedding", total=clips)
        yield Watched(embedder, batch_size, lambda count: bar.advance(task, count))
        bar.update(task, total=bar.tasks[0].completed)  # tasks may have left clips out
