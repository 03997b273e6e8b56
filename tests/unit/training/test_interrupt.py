"""SIGTERM as a request."""

from __future__ import annotations

import os
import signal
import threading

from openclap.training.interrupt import stop_on_sigterm


def test_sigterm_sets_the_request_and_ends_nothing():
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_sigterm() as request:
        assert not request
        os.kill(os.getpid(), signal.SIGTERM)
        assert request
        assert request.signal == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_outside_the_main_thread_signals_are_left_alone():
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def work() -> None:
        with stop_on_sigterm() as request:
            seen.append((bool(request), signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
