"""What was made of clips, waveforms or features, kept in memory that all workers share.

Values are kept as the float32 that they are: rounding to 16 bits would halve the memory, and make a run with a cache
differ from one without. What is full stays as it is: in training each clip comes once an epoch, so throwing out the
oldest for the newest would throw out just what comes next.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from multiprocessing.context import BaseContext
from multiprocessing.heap import BufferWrapper
from typing import Any

import numpy as np
from jaxtyping import Float32


class ClipCache:
    """At most `cache_bytes` of float32 numbers in rows, one row under its clip's position.

    Memory is taken as it is filled. With a `context` it is shared with the worker processes that the cache is handed
    to, in the way of `multiprocessing.RawArray`: a file without a name, in /dev/shm if that has room or else in the
    folder for temporary files, which the system frees even when every process is killed.

    Args:
        n_clips: positions run from 0 to here.
        cache_bytes: the ceiling.
        context: the multiprocessing context of the workers; None keeps the memory private.
    """

    def __init__(self, n_clips: int, cache_bytes: int, context: BaseContext | None = None) -> None:
        self._n_clips, self._capacity = n_clips, cache_bytes // 4
        self._lock: AbstractContextManager[Any] = nullcontext() if context is None else context.Lock()
        self._shared = None if context is None else BufferWrapper(self._size)
        self._map()
        self._table[:] = 0

    def get(self, position: int) -> Float32[np.ndarray, " values"] | None:
        """What is kept of a clip, read-only, or None if nothing is."""
        with self._lock:
            begin, length = self._table[position]
        if length == 0:
            return None
        values = self._values[begin : begin + length]
        values.flags.writeable = False
        return values

    def put(self, position: int, values: Float32[np.ndarray, " values"]) -> None:
        """Keep this of a clip, if there is room and nothing is kept of it."""
        length = len(values)
        with self._lock:
            begin = int(self._table[-1, 0])
            if length == 0 or self._table[position, 1] or begin + length > self._capacity:
                return
            self._table[-1, 0] = begin + length
            self._values[begin : begin + length] = values
            self._table[position] = begin, length

    @property
    def used_bytes(self) -> int:
        """How much is filled."""
        return int(self._table[-1, 0]) * 4

    @property
    def _size(self) -> int:
        return self._table_bytes + self._capacity * 4

    @property
    def _table_bytes(self) -> int:
        return (self._n_clips + 1) * 16  # begin and length a clip; the last row holds the end of what is filled

    def _map(self) -> None:
        if self._shared is None:
            memory: np.ndarray[Any, Any] = np.zeros(self._size, np.uint8)  # pages come with the first write
        else:
            memory = np.frombuffer(self._shared.create_memoryview(), np.uint8, count=self._size)
        self._table = memory[: self._table_bytes].view(np.int64).reshape(-1, 2)
        self._values = memory[self._table_bytes :].view(np.float32)

    def __getstate__(self) -> dict[str, Any]:
        """What a worker process needs to map the same memory."""
        if self._shared is None:
            raise TypeError("a private cache cannot go to another process: make it with a multiprocessing context")
        return {name: value for name, value in self.__dict__.items() if name not in ("_table", "_values")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._map()
