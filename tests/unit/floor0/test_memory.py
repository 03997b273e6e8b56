"""Freed memory is used again instead of being paged in anew."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# In a fresh process: thresholds only ever move up, and this one's moved long ago.
PROGRAM = """
import resource, sys
import numpy as np
from openclap.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def use():
    blocks = [np.empty(6 << 20, np.uint8) for _ in range(4)]
    for block in blocks:
        block[::4096] = 1
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(mode: str) -> int:
    run = subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, text=True, check=True, env={})
    return int(run.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have other rules")
def test_blocks_that_come_and_go_cause_no_page_faults() -> None:
    assert page_faults("keep") < 100
