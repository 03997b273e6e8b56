"""A directory that one process has for itself, so that two do not replace each other's work."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOG = logging.getLogger(__name__)


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Hold a directory that exists, until the block ends.

    The system lets go when this process ends, however it ends. Where it has no such locks, nothing is held.

    Raises:
        BlockingIOError: if another process holds it.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    descriptor = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            _LOG.info("%s lies on a file system without locks", directory)
        yield
    finally:
        os.close(descriptor)
