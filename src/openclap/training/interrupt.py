"""A polite end: SIGTERM (a scheduler's or a container's) lets the step in progress finish, and the run save itself."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Which signal asked the run to end, or None.

    Attributes:
        signal: its number.
    """

    def __init__(self) -> None:
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None


@contextmanager
def stop_on_sigterm() -> Iterator[StopRequest]:
    """A context in which SIGTERM sets the request that it gives, and nothing else.

    Signals reach the main thread only: elsewhere the request is never set, and SIGTERM does what it did before.
    """
    request = StopRequest()

    def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        request.signal = number

    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = signal.signal(signal.SIGTERM, note)
    try:
        yield request
    finally:
        signal.signal(signal.SIGTERM, before)
