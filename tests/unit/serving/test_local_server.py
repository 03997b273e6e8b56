"""The server listens on this machine alone."""

from __future__ import annotations

import socket

import pytest

from openclap.errors import ConfigError
from openclap.serving.server import listening


def test_only_this_machine_is_listened_to() -> None:
    with listening() as (listener, port):
        assert listener.getsockname() == ("127.0.0.1", port)
        socket.create_connection(("127.0.0.1", port), timeout=2).close()


def test_a_port_that_was_just_left_can_be_had_again() -> None:
    with listening() as (listener, port):
        caller = socket.create_connection(("127.0.0.1", port), timeout=2)
        answering, _ = listener.accept()
        answering.close()  # this side closes first, and keeps the port busy for a while
        caller.close()
    with listening(port) as (_, again):
        assert again == port


def test_a_port_that_is_taken_is_said() -> None:
    with listening() as (_, port), pytest.raises(ConfigError, match=f"port {port}.*give another"), listening(port):
        pass
