"""A server for this machine alone: it listens on 127.0.0.1, and ends with Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from openclap.errors import ConfigError
from openclap.optional import require

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_ADDRESS = "127.0.0.1"
_LAST_ANSWERS_S = 2  # an open player would keep the server for as long as it plays


@contextlib.contextmanager
def listening(port: int = 0) -> Iterator[tuple[socket.socket, int]]:
    """A socket on 127.0.0.1 and its port; what connects from now on waits until `serve` answers.

    Args:
        port: the port; 0 takes one that is free.

    Raises:
        ConfigError: if it cannot be had.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        if os.name == "posix":  # a port that another server has just left; on Windows it would take one that is in use
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_ADDRESS, port))
        except (OSError, OverflowError) as error:
            raise ConfigError(
                f"port {port} of {_ADDRESS} cannot be had ({error}): give another, or 0 for any"
            ) from error
        listener.listen(128)
        yield listener, listener.getsockname()[1]


def serve(app: ASGIApp, listener: socket.socket, started: Callable[[], None]) -> None:
    """Answer until Ctrl-C (or SIGTERM); answers under way are given a moment.

    Args:
        app: what answers.
        listener: from `listening`.
        started: called once Ctrl-C is understood; whoever asks from then on is answered.

    Raises:
        MissingExtraError: without the extra `serve`.
    """
    uvicorn = require("uvicorn", extra="serve", purpose="a local page")
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=_LAST_ANSWERS_S
    )
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again once all is closed
        started()
        uvicorn.Server(config).run(sockets=[listener])
