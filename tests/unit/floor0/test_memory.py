"""Freed memory is used again instead of being paged in anew."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from openclap.memory import all_freed_memory_kept

# In a fresh process: thresholds only ever move up, and this one's moved long ago.
PROGRAM = """
import resource, sys
import numpy as np
from contextlib import ExitStack
from openclap.memory import all_freed_memory_kept, keep_freed_memory
mode, megabytes = sys.argv[1], int(sys.argv[2])
stack = ExitStack()
if mode == "keep":
    keep_freed_memory()
if mode in ("keep all", "kept once"):
    stack.enter_context(all_freed_memory_kept())
def use():
    blocks = [np.empty(megabytes << 20, np.uint8) for _ in range(4)]
    for block in blocks:
        block[::4096] = 1
use()
if mode == "kept once":
    stack.close()
    use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(mode: str, megabytes: int) -> int:
    command = [sys.executable, "-c", PROGRAM, mode, str(megabytes)]
    small_pages = {"NUMPY_MADVISE_HUGEPAGE": "0"}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=small_pages)
    return int(run.stdout)


glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have other rules")


@glibc
def test_blocks_that_come_and_go_cause_no_page_faults() -> None:
    assert page_faults("keep", 6) < 100


@glibc
def test_blocks_of_any_size_cause_none_where_all_is_kept() -> None:
    pages = 3 * 4 * (80 << 20) // 4096
    assert page_faults("keep all", 80) < 100
    assert page_faults("keep", 80) > pages // 2


@glibc
def test_afterwards_large_blocks_are_given_back_and_others_kept() -> None:
    assert page_faults("kept once", 80) > 3 * 4 * (80 << 20) // 4096 // 2
    assert page_faults("kept once", 6) < 100


@glibc
@pytest.mark.parametrize(
    ("name", "value"), [("MALLOC_MMAP_MAX_", "65536"), ("GLIBC_TUNABLES", "glibc.malloc.mmap_max=65536")]
)
def test_settings_of_the_environment_stay(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    called = []
    monkeypatch.setattr("openclap.memory.ctypes.CDLL", called.append)
    with all_freed_memory_kept():
        pass
    assert called == []
