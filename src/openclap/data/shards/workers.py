"""Shards written one after another in this process, or several at once in others."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from openclap.data.reading import end_with_parent, worker_context
from openclap.data.shards.write import ShardTask, WrittenShard, write_shard
from openclap.errors import DataError

_ASK_S = 0.5  # how often other processes are asked how far they are


def write_all(tasks: Iterator[ShardTask], workers: int, told: Callable[[int], None]) -> Iterator[WrittenShard]:
    """The shards as they are done; with several workers, in any order.

    Args:
        tasks: asked for as they are needed, so that two million clips are not copied at once.
        workers: processes; 1 works in this one.
        told: called with the number of clips that are done.

    Raises:
        DataError: as `write_shard`, or if a worker was killed.
    """
    return _in_turn(tasks, told) if workers <= 1 else _at_once(tasks, workers, told)


def _in_turn(tasks: Iterator[ShardTask], told: Callable[[int], None]) -> Iterator[WrittenShard]:
    counter = itertools.count(1)
    for task in tasks:
        yield write_shard(task, lambda: told(next(counter)))


def _at_once(tasks: Iterator[ShardTask], workers: int, told: Callable[[int], None]) -> Iterator[WrittenShard]:
    """Shards as they are done; no more tasks are handed out than keep the workers busy."""
    context = worker_context()
    count = context.Value("q", 0)
    with ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(count,)) as pool:
        try:
            running: set[Future[WrittenShard]] = set()
            while True:
                while len(running) < 2 * workers and (task := next(tasks, None)) is not None:
                    running.add(pool.submit(_write_in_worker, task))
                if not running:
                    return
                done, running = wait(running, timeout=_ASK_S, return_when=FIRST_COMPLETED)
                told(count.value)
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            reason = "was it out of memory? Run the command again, with fewer: it goes on where it was"
            raise DataError(f"one of {workers} worker processes was ended from outside; {reason}") from error
        finally:
            pool.shutdown(cancel_futures=True)


_count: Any = None  # of a worker process: the clips that all of them have done


def _start_worker(count: Any) -> None:
    global _count  # noqa: PLW0603 - what is shared can be handed over only when the process starts
    _count = count
    end_with_parent(0)


def _write_in_worker(task: ShardTask) -> WrittenShard:
    return write_shard(task, _count_one)


def _count_one() -> None:
    with _count.get_lock():
        _count.value += 1
