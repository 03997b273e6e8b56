"""A few clips drawn with equal chances from a stream of them."""

from __future__ import annotations

import random

from openclap.data.example import Example


class Sample:
    """Clips drawn from a stream (Vitter 1985, algorithm R); always the same ones for the same stream.

    Args:
        size: how many are drawn.
    """

    def __init__(self, size: int) -> None:
        self.examples: list[Example] = []
        self._size, self._offered = size, 0
        self._random = random.Random(0)  # noqa: S311 - draws clips, and no secrets

    def offer(self, example: Example) -> None:
        """Take the next clip of the stream, perhaps."""
        self._offered += 1
        if len(self.examples) < self._size:
            self.examples.append(example)
        elif (place := self._random.randrange(self._offered)) < self._size:
            self.examples[place] = example
