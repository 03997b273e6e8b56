"""Requests spaced so that a server's limits are kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class RateLimit:
    """Requests and tokens a minute, spaced evenly over all threads: no minute, however cut, has more.

    Args:
        requests_per_min: None for no limit.
        tokens_per_min: None for no limit.
        clock: seconds that only grow.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        requests_per_min: float | None = None,
        tokens_per_min: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._request_s = 60.0 / requests_per_min if requests_per_min else 0.0
        self._token_s = 60.0 / tokens_per_min if tokens_per_min else 0.0
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._requests_free_at = self._tokens_free_at = self._paused_until = clock()

    def wait(self, tokens: int) -> None:
        """Wait until a request of so many tokens may be sent."""
        with self._lock:
            now = self._clock()
            start = max(now, self._requests_free_at, self._tokens_free_at, self._paused_until)
            self._requests_free_at = start + self._request_s
            self._tokens_free_at = start + tokens * self._token_s
        while start > now:
            self._sleep(start - now)
            with self._lock:
                now = self._clock()
                start = max(start, self._paused_until)  # another thread may have been told to wait meanwhile

    def correct(self, expected: int, used: int) -> None:
        """Count what a request really used, in place of what was expected of it."""
        with self._lock:
            self._tokens_free_at += (used - expected) * self._token_s

    def pause(self, seconds: float) -> None:
        """Send nothing for so long: the server has said that it gets too much."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)
