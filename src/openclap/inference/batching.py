"""Work in batches: sound decoded ahead of the model, and texts of like length together."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar, cast

import torch

from openclap.types import TextBatch

T = TypeVar("T")

# The most windows and texts at once on a CPU: a larger batch buys nothing once the cores are busy, and costs when its
# activations are so large that the C library gives their memory back to the system after each use: with HTSAT-tiny, two
# windows cause no page faults, four cause 7,000 a clip. A text is some ten tokens, and needs company to fill the cores.
CPU_WINDOWS = 2
CPU_TEXTS = 16
_TEXTS_AT_ONCE = 4096  # sorted together: bounds memory, and is enough to find texts of like length


def compute_batch(device: torch.device, batch_size: int, *, most_on_cpu: int) -> int:
    """How many items go through the model at once: `batch_size`, and on a CPU no more than is quickest.

    Raises:
        ValueError: if `batch_size` is not positive.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, but is {batch_size}")
    return min(batch_size, most_on_cpu) if device.type == "cpu" else batch_size


def prefetch(items: Iterable[T], depth: int) -> Iterator[T]:
    """The same items in the same order, made by one background thread that keeps `depth` of them ready.

    What making an item raises is raised here, in its turn. When the caller stops early, by an exception or by leaving
    the loop, the thread finishes the item in its hands and ends.
    """
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="openclap-decode") as pool:
        pending: deque[Future[T | object]] = deque(pool.submit(next, iterator, end) for _ in range(depth))
        try:
            while (item := pending.popleft().result()) is not end:
                pending.append(pool.submit(next, iterator, end))
                yield cast("T", item)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def grouped(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` items in order, the last one with what is left."""
    group: list[T] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def by_length(batch: TextBatch, size: int) -> Iterator[tuple[list[int], TextBatch]]:
    """Small batches of texts of like length, each with its rows' numbers, and no wider than its longest text."""
    lengths = batch.attention_mask.sum(dim=1)
    order = torch.argsort(lengths, descending=True, stable=True)
    for rows in torch.split(order, size):
        width = int(lengths[rows].max())
        yield rows.tolist(), TextBatch(batch.input_ids[rows, :width], batch.attention_mask[rows, :width])


def text_chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """The texts in pieces that may be tokenised and sorted at once."""
    for first in range(0, len(texts), _TEXTS_AT_ONCE):
        yield texts[first : first + _TEXTS_AT_ONCE]
