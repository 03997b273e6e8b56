from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from openclap.inference.batching import (
    CPU_WINDOWS_A_LANE,
    by_length,
    compute_batch,
    grouped,
    in_lanes,
    prefetch,
    text_chunks,
)
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


def test_batches_by_length_keep_to_their_tokens_and_a_long_text_stands_alone() -> None:
    lengths = torch.tensor([3, 9, 1, 9, 4, 2, 30])
    mask = (torch.arange(30)[None, :] < lengths[:, None]).long()
    rows: list[int] = []
    for numbers, batch in by_length(TextBatch(mask, mask), 4, most_tokens=18):
        rows += numbers
        assert batch.input_ids.numel() <= 18 or len(numbers) == 1
        assert len(numbers) <= 4
    assert rows == [6, 1, 3, 4, 0, 5, 2]


def test_on_a_cpu_the_batch_is_bounded_and_elsewhere_what_is_asked() -> None:
    most = CPU_WINDOWS_A_LANE * torch.get_num_threads()
    assert compute_batch(torch.device("cpu"), 10**6) == most
    assert compute_batch(torch.device("cpu"), 1) == 1
    assert compute_batch(torch.device("cuda"), 512) == 512
    with pytest.raises(ValueError, match="batch_size must be at least 1, but is 0"):
        compute_batch(torch.device("cpu"), 0)


@pytest.fixture
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("four_threads")
@pytest.mark.parametrize(("items", "share"), [(2, 2), (3, 1), (9, 1)])
def test_lanes_share_the_threads_and_leave_everything_as_it_was(items: int, share: int) -> None:
    together = threading.Barrier(min(items, 4))

    def work(item: int) -> tuple[int, int]:
        if item < min(items, 4):
            together.wait(timeout=5)  # all lanes are at work at once
        return item, torch.get_num_threads()

    assert in_lanes(work, range(items), torch.device("cpu")) == [(item, share) for item in range(items)]
    assert torch.get_num_threads() == 4
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [4]


@pytest.mark.usefixtures("four_threads")
@pytest.mark.parametrize("items", [1, 2, 9])
def test_an_item_has_no_more_threads_than_it_may(items: int) -> None:
    assert in_lanes(lambda _: torch.get_num_threads(), range(items), torch.device("cpu"), 1) == [1] * items
    assert torch.get_num_threads() == 4


@pytest.mark.usefixtures("four_threads")
def test_one_item_and_accelerators_need_no_lanes() -> None:
    here = threading.get_ident()
    for items, device in (([0], "cpu"), ([0, 1, 2], "cuda")):
        assert in_lanes(lambda _: threading.get_ident(), items, torch.device(device)) == [here] * len(items)


@pytest.mark.usefixtures("four_threads")
def test_what_a_lane_raises_is_raised() -> None:
    def work(item: int) -> int:
        if item == 1:
            raise OSError("broken")
        return item

    with pytest.raises(OSError, match="broken"):
        in_lanes(work, [0, 1, 2], torch.device("cpu"))
    assert torch.get_num_threads() == 4
