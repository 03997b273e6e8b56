"""Memory of the process: keep what was freed for what comes next, where the C library would give it back too soon.

A model's activations are blocks of some megabytes that live for one layer. glibc gives blocks over a threshold back to
the system when they are freed, and every page of the next one is then faulted in and zeroed anew. The threshold moves
up by itself, to the size of the largest such block that was ever freed, but not over 32 MiB; how fast a model runs then
depends on what the process happened to do before.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_LARGEST_THAT_COUNTS = 32 * 2**20 - 2**16  # under glibc's limit of 32 MiB, with room for its alignment
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4  # of glibc's malloc.h
_DEFAULT_MMAP_MAX = 65_536


def keep_freed_memory() -> None:
    """Move glibc's threshold to its limit, by freeing one block of that size: no page of it is ever touched.

    From then on the process may hold up to 64 MiB of freed memory. Where the threshold was set by the environment
    (`MALLOC_MMAP_THRESHOLD_`), and with other C libraries, this does nothing. With HTSAT-tiny on two cores, clips that
    caused 5,300 to 5,900 page faults each cause none, in 0.88 to 0.92 times the time.
    """
    np.empty(_LARGEST_THAT_COUNTS, np.uint8)


@contextmanager
def all_freed_memory_kept() -> Iterator[None]:
    """A context in which the process keeps all memory that it frees; afterwards it is as after `keep_freed_memory`.

    For training: each of its steps needs the same blocks again, many of them larger than glibc's limit. The process
    holds its peak meanwhile, and a little more, since blocks of several sizes share it. A step of an unmasked ViT of
    width 256 (192 clips of 248 tokens, two cores; `benchmarks/train.py`) causes 4.1 million page faults without it and
    none with it, and is 1.6 times as quick.

    Where the environment has settings of its own (`MALLOC_…_`, or `glibc.malloc` in `GLIBC_TUNABLES`), and with other
    C libraries, this does nothing.
    """
    own = any(name.startswith("MALLOC_") and name.endswith("_") for name in os.environ)
    if own or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "") or platform.libc_ver()[0] != "glibc":
        yield
        return
    c_library = ctypes.CDLL(None)
    c_library.mallopt(_M_MMAP_MAX, 0)
    c_library.mallopt(_M_TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        c_library.mallopt(_M_MMAP_MAX, _DEFAULT_MMAP_MAX)
        c_library.mallopt(_M_MMAP_THRESHOLD, _LARGEST_THAT_COUNTS)
        c_library.mallopt(_M_TRIM_THRESHOLD, 2 * _LARGEST_THAT_COUNTS)
        c_library.malloc_trim(0)
