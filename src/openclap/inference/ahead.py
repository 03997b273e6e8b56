"""Sounds read ahead of the model by several threads, in order and in bounded memory, however long each sound is."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Generic, TypeVar

from openclap.inference.batching import prefetch

S = TypeVar("S")
T = TypeVar("T")

_PATIENCE_S = 0.1  # how soon a waiting reader notices that nobody wants its sound any more


def read_ahead(
    sources: Iterable[S], read: Callable[[S], Iterable[T]], *, readers: int, depth: int, held: int
) -> Iterator[T]:
    """The parts of every source, source by source, read by `readers` threads that work ahead.

    What reading raises is raised here, in its turn. When the caller stops early, by an exception or by leaving the
    loop, each thread finishes the part in its hands and ends.

    Args:
        sources: asked for in the background as well.
        read: a source's parts; called in the threads, for several sources at once.
        readers: threads.
        depth: sources at most that are being read or are read already.
        held: parts of one source that are ready before its reader waits.
    """
    stop = threading.Event()
    waiting: deque[_Shelf[T]] = deque()
    upcoming = prefetch(sources, readers)
    with ThreadPoolExecutor(readers, "openclap-read") as pool:

        def begin(count: int) -> None:
            try:
                for source in islice(upcoming, count):
                    waiting.append(_Shelf(held, stop))
                    pool.submit(_fill, waiting[-1], read, source)
            except Exception as error:  # noqa: BLE001 (asking for a source failed: that is raised after the others)
                waiting.append(_Shelf(held, stop))
                waiting[-1].put(error)

        try:
            begin(min(readers, depth))
            while waiting:
                yield from waiting.popleft()
                begin(min(2, depth - len(waiting)))  # two for one, until the depth is reached: the first waits for none
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)


class _Shelf(Generic[T]):
    """One source's parts on their way from its reader."""

    def __init__(self, held: int, stop: threading.Event) -> None:
        self._parts: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(held)
        self._stop = stop

    def put(self, part: tuple[T] | BaseException | None) -> bool:
        """Put a part there, or an error or None at the end, as soon as there is room; False if nobody wants it."""
        while not self._stop.is_set():
            try:
                self._parts.put(part, timeout=_PATIENCE_S)
            except queue.Full:
                continue
            return True
        return False

    def __iter__(self) -> Iterator[T]:
        while (part := self._parts.get()) is not None:
            if isinstance(part, BaseException):
                raise part
            yield part[0]


def _fill(shelf: _Shelf[T], read: Callable[[S], Iterable[T]], source: S) -> None:
    try:
        for part in read(source):
            if not shelf.put((part,)):
                return
    except BaseException as error:  # noqa: BLE001 (it is raised where the part is wanted)
        shelf.put(error)
    else:
        shelf.put(None)
