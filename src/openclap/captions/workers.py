"""Batches of clips at work, some at once, and their results in the order of the clips.

Results go into the journal as soon as they are there, whichever comes first and however the run ends.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from openclap.captions.journal import Entry, Journal
from openclap.captions.stage import Made, Stage
from openclap.data.example import Example
from openclap.errors import CaptionError

_AHEAD = 8
"""How many times `concurrency` batches may be begun: one slow call does not make the others wait soon."""

_MOST_SLOTS = 1 << 14


@dataclass
class Slot:
    """A clip's place in the order: with its result; or waiting for one, if it has a key; or passing through."""

    example: Example
    key: str
    made: Made | None

    @property
    def waits(self) -> bool:
        """Whether its result is not there yet."""
        return bool(self.key) and self.made is None


class Workers:
    """Takes clips in order and gives them back in order, with their results.

    Args:
        stage: makes what is missing, in batches of `stage.batch_size`, in `stage.concurrency` threads; in the calling
            thread where that is 1.
        journal: gets every result.
    """

    def __init__(self, stage: Stage, journal: Journal) -> None:
        self._stage, self._journal = stage, journal
        self._pool = ThreadPoolExecutor(stage.concurrency, "captions") if stage.concurrency > 1 else None
        self._writing = threading.Lock()
        self._slots: deque[Slot] = deque()
        self._batch: list[Slot] = []
        self._flying: set[Future[None]] = set()
        self._failed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What has been begun is awaited and kept, for it may have been paid; what has not is left."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def take(self, slot: Slot) -> Iterator[Slot]:
        """Add a clip; gives those at the head of the order that are ready."""
        self._slots.append(slot)
        if slot.waits:
            self._batch.append(slot)
        # A batch that fills slowly, because most results are there, does not hold up all that came after it.
        if len(self._batch) == self._stage.batch_size or (self._batch and len(self._slots) >= _MOST_SLOTS):
            self._start()
        yield from self._ready()
        while self._flying and (len(self._slots) >= 2 * _MOST_SLOTS or self._are_enough()):
            self._wait()
            yield from self._ready()

    def rest(self) -> Iterator[Slot]:
        """All clips that are left, once no more are taken."""
        if self._batch:
            self._start()
        yield from self._ready()
        while self._flying:
            self._wait()
            yield from self._ready()

    def _ready(self) -> Iterator[Slot]:
        while self._slots and not self._slots[0].waits:
            yield self._slots.popleft()

    def _are_enough(self) -> bool:
        return len(self._flying) >= _AHEAD * self._stage.concurrency

    def _start(self) -> None:
        batch, self._batch = self._batch, []
        if self._pool is None:
            self._work(batch)
        else:
            self._flying.add(self._pool.submit(self._work, batch))

    def _wait(self) -> None:
        """Wait until some batch is done, and raise what went wrong in it."""
        done, self._flying = wait(self._flying, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()

    def _work(self, slots: list[Slot]) -> None:
        if self._failed:  # the run is over: a server that is not there need not be tried by every batch
            return
        try:
            results = self._stage.make([slot.example for slot in slots])
        except BaseException:
            self._failed = True
            raise
        if len(results) != len(slots):
            counts = f"{len(results)} results for {len(slots)} clips"
            raise CaptionError(f"caption stage {self._stage.name!r} gave {counts}, but takes one each: mend the stage")
        entries = [Entry(slot.key, slot.example.id, made) for slot, made in zip(slots, results, strict=True)]
        with self._writing:
            self._journal.add(entries)
        for slot, made in zip(slots, results, strict=True):
            slot.made = made
