"""The order of training: which clips a step holds, as a pure function of the examples, the seed and the step."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Int64

from openclap.data.content import content_numbers
from openclap.data.example import Example
from openclap.errors import DataError


def generator_for(*parts: Hashable) -> torch.Generator:
    """A generator seeded by all the parts (as text): each purpose has its own stream, and none shifts another."""
    return torch.Generator().manual_seed(seed_for(*parts))


def seed_for(*parts: Hashable) -> int:
    """A seed out of all the parts (as text): 63 bits of their SHA-256."""
    text = "\0".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:8]) >> 1


class BatchPlan:
    """Batches of clips that all sound different.

    Clips with the same audio (the same stream and time range, under any name) form a group, and an epoch holds each
    group once: never twice in a batch, where each would be a false negative of the other. The members of a group take
    turns from epoch to epoch. Groups left over after the last full batch sit an epoch out, others in each epoch. With
    fewer groups than `batch_size`, every batch holds all groups, and is an epoch.

    Args:
        examples: what to draw from.
        batch_size: clips a batch.
        seed: decides the order.

    Raises:
        DataError: if there are fewer than two different clips: one has nothing to be contrasted with.
    """

    def __init__(self, examples: Sequence[Example], batch_size: int, seed: int) -> None:
        contents = content_numbers(example.audio for example in examples)
        number: dict[Hashable, int] = {}
        group = np.array(
            [number.setdefault((contents[e.audio], e.start_s, e.duration_s), len(number)) for e in examples], np.int64
        )
        if len(number) < 2:
            raise DataError(
                f"training needs at least 2 different clips, but got {len(number)} (of {len(examples)} rows)"
            )
        self._members = np.argsort(group, kind="stable")
        self._sizes = np.bincount(group)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._seed = seed
        self.batch_size = min(batch_size, len(number))
        self.steps_per_epoch = len(number) // self.batch_size
        self._order = lru_cache(maxsize=2)(self._draw_order)  # workers read ahead into the next epoch

    @property
    def n_groups(self) -> int:
        """How many different clips there are."""
        return len(self._sizes)

    def epoch(self, step: int) -> int:
        """The epoch that a step belongs to."""
        return step // self.steps_per_epoch

    def batch(self, step: int) -> list[int]:
        """Positions among the examples of the clips in a step's batch."""
        epoch, place = divmod(step, self.steps_per_epoch)
        groups = self._order(epoch)[place * self.batch_size : (place + 1) * self.batch_size]
        positions: list[int] = self._members[self._starts[groups] + epoch % self._sizes[groups]].tolist()
        return positions

    def _draw_order(self, epoch: int) -> Int64[np.ndarray, " groups"]:
        return torch.randperm(self.n_groups, generator=generator_for(self._seed, "order", epoch)).numpy()
