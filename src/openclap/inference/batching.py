"""Work in batches: sound decoded ahead of the model, texts of like length together, and a lane for each core."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar, cast

import torch

from openclap.types import TextBatch

S = TypeVar("S")
T = TypeVar("T")

# A window or a few texts at a time go through the model in each lane of a CPU (see `in_lanes`): larger batches buy
# nothing once the cores are busy, and cost when activations are so large that the C library gives their memory back to
# the system after each use. A text is some ten tokens, and needs company to fill a core.
CPU_WINDOWS_A_LANE = 4  # handed out together, embedded one after another: lanes wait for each other at the end
CPU_TOKENS = 512
_TEXTS_AT_ONCE = 4096  # sorted together: bounds memory, and is enough to find texts of like length


def compute_batch(device: torch.device, batch_size: int) -> int:
    """How many windows are handed to the model at once: `batch_size`, and on a CPU no more than keep it busy.

    Raises:
        ValueError: if `batch_size` is not positive.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, but is {batch_size}")
    return min(batch_size, CPU_WINDOWS_A_LANE * torch.get_num_threads()) if device.type == "cpu" else batch_size


def in_lanes(
    work: Callable[[S], T], items: Sequence[S], device: torch.device, most_threads: int | None = None
) -> list[T]:
    """What `work` gives of each item, in order; on a CPU of several items at once, each with its share of the threads.

    Threads that each have an item of their own wait for each other once; threads that share an item do so after each
    of its hundreds of operations, and their share of a small one is not worth the waiting.

    Args:
        work: what is done with an item.
        items: what it is done with.
        device: where.
        most_threads: the most threads that an item may have; None is no limit.
    """
    threads = torch.get_num_threads()
    lanes = min(len(items), threads)
    share = min(threads // max(lanes, 1), most_threads or threads)
    if device.type != "cpu" or (lanes < 2 and share == threads):
        return [work(item) for item in items]
    try:
        with ThreadPoolExecutor(lanes, "openclap-lane", torch.set_num_threads, (share,)) as pool:
            return list(pool.map(work, items))
    finally:
        torch.set_num_threads(threads)  # what a lane sets for itself, torch also keeps for threads that come later


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


def by_length(batch: TextBatch, size: int, most_tokens: int | None = None) -> Iterator[tuple[list[int], TextBatch]]:
    """Small batches of texts of like length, each with its rows' numbers, and no wider than its longest text.

    Args:
        batch: all texts.
        size: the most texts of a small batch.
        most_tokens: the most tokens of one, with padding, where it has more than one text; None is no limit.
    """
    lengths, order = batch.attention_mask.sum(dim=1).sort(descending=True, stable=True)
    first = 0
    while first < len(order):
        width = int(lengths[first])
        count = size if most_tokens is None else min(size, max(1, most_tokens // width))
        rows = order[first : first + count]
        yield rows.tolist(), TextBatch(batch.input_ids[rows, :width], batch.attention_mask[rows, :width])
        first += count


def text_chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """The texts in pieces that may be tokenised and sorted at once."""
    for first in range(0, len(texts), _TEXTS_AT_ONCE):
        yield texts[first : first + _TEXTS_AT_ONCE]
