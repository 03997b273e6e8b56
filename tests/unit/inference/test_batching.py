from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from openclap.inference.batching import by_length, compute_batch, grouped, prefetch, text_chunks
from openclap.types import TextBatch


def test_items_come_in_order_from_another_thread() -> None:
    threads: set[int] = set()

    def items() -> Iterator[int]:
        for value in range(20):
            threads.add(threading.get_ident())
            yield value

    assert list(prefetch(items(), depth=3)) == list(range(20))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_no_more_than_the_depth_is_made_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for value in range(100):
            made.append(value)
            yield value

    taken = prefetch(items(), depth=3)
    next(taken)
    time.sleep(0.05)
    assert len(made) <= 5
    taken.close()


def test_work_goes_on_while_the_caller_is_busy() -> None:
    made = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        made.set()
        yield 1

    taken = prefetch(items(), depth=2)
    next(taken)
    assert made.wait(timeout=5)
    taken.close()


def test_an_error_comes_in_its_turn() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("broken")

    taken = prefetch(items(), depth=4)
    assert next(taken) == 1
    with pytest.raises(OSError, match="broken"):
        next(taken)


@pytest.mark.parametrize("leave", [KeyboardInterrupt, RuntimeError])
def test_the_thread_ends_when_the_caller_leaves(leave: type[BaseException]) -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 0

    def work() -> None:
        for _ in prefetch(endless(), depth=4):
            raise leave

    with pytest.raises(leave):
        work()
    deadline = time.monotonic() + 5
    while any(thread.name.startswith("openclap-decode") for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "the decoding thread still runs"
        time.sleep(0.01)


def test_nothing_gives_nothing() -> None:
    assert list(prefetch([], depth=4)) == []
    assert list(grouped([], 4)) == []
    assert list(text_chunks([])) == []


def test_groups_are_full_but_for_the_last() -> None:
    assert list(grouped(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]


def test_batches_by_length_hold_every_row_once_with_little_padding() -> None:
    lengths = torch.tensor([3, 9, 1, 9, 4, 2])
    mask = (torch.arange(12)[None, :] < lengths[:, None]).long()
    ids = mask * torch.arange(1, 7)[:, None]
    rows: list[int] = []
    for numbers, batch in by_length(TextBatch(ids, mask), 2):
        rows += numbers
        assert batch.input_ids.shape[1] == int(lengths[numbers].max())
        assert batch.input_ids[:, 0].tolist() == [number + 1 for number in numbers]
        assert batch.attention_mask.sum(1).tolist() == lengths[numbers].tolist()
    assert sorted(rows) == list(range(6))


def test_on_a_cpu_the_batch_is_bounded_and_elsewhere_what_is_asked() -> None:
    assert compute_batch(torch.device("cpu"), 512, most_on_cpu=8) == 8
    assert compute_batch(torch.device("cpu"), 1, most_on_cpu=8) == 1
    assert compute_batch(torch.device("cuda"), 512, most_on_cpu=8) == 512
    with pytest.raises(ValueError, match="batch_size must be at least 1, but is 0"):
        compute_batch(torch.device("cpu"), 0, most_on_cpu=8)
