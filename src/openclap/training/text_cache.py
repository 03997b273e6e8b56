"""What a frozen text encoder says of a caption, computed once.

Captions come back every epoch, and often sooner (labels make the same sentences), and a frozen encoder in evaluation
mode always says the same of them. Only its pooled vectors are kept; the projection behind it goes on learning.

Each caption is encoded alone, unpadded, in float32. So a vector depends on the caption's tokens and on nothing else:
not on the batch it first came in, and therefore not on whether the run was resumed. It equals what the encoder gives
for that row of a padded batch to float32 rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Int
from torch import Tensor, nn

from openclap.types import EncoderOutput


class PooledTextCache:
    """Pooled vectors of a frozen text encoder by token ids; once the room is used up, no more are kept.

    Throwing out the oldest for the newest would throw out what the next epoch asks for first.

    Args:
        encoder: in evaluation mode whenever the cache is active; nothing else may change what it computes.
        max_bytes: room for vectors.
    """

    def __init__(self, encoder: nn.Module, max_bytes: int) -> None:
        self._encoder = encoder
        self._max_bytes = max_bytes
        self._bytes = 0
        self._vectors: dict[bytes, Tensor] = {}

    def __len__(self) -> int:
        return len(self._vectors)

    @contextmanager
    def active(self) -> Iterator[None]:
        """A context in which the encoder itself answers from the cache, so that no objective needs to know of it.

        There it gives no token vectors (`tokens` has length 0): an objective that reads them needs the cache off.
        """
        self._encoder.forward = self._lookup
        try:
            yield
        finally:
            del self._encoder.forward  # the class's own method is in sight again

    def _lookup(
        self, input_ids: Int[Tensor, "batch tokens"], attention_mask: Int[Tensor, "batch tokens"]
    ) -> EncoderOutput:
        lengths = attention_mask.sum(dim=1).tolist()
        rows = input_ids.cpu().numpy()
        vectors = [
            self._vector(row[:length].tobytes(), input_ids[i : i + 1, :length])
            for i, (row, length) in enumerate(zip(rows, lengths, strict=True))
        ]
        pooled = torch.stack(vectors)
        return EncoderOutput(tokens=pooled.new_empty(len(pooled), 0, pooled.shape[1]), pooled=pooled)

    @torch.no_grad()
    def _vector(self, key: bytes, input_ids: Int[Tensor, "1 tokens"]) -> Tensor:
        if key in self._vectors:
            return self._vectors[key]
        with torch.autocast(input_ids.device.type, enabled=False):
            forward = type(self._encoder).forward
            vector: Tensor = forward(self._encoder, input_ids, torch.ones_like(input_ids)).pooled[0]
        if self._bytes + vector.nbytes <= self._max_bytes:
            self._vectors[key] = vector
            self._bytes += vector.nbytes
        return vector
