"""Randomness as a function of (seed, step): nothing global is seeded, and resuming at a step needs no saved state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(device: torch.device, seed: int, *place: int) -> Iterator[None]:
    """A context whose draws on the CPU and on `device` depend on `seed` and `place` alone.

    The generators' states are put back at its end, so that a caller's own random numbers are not disturbed.
    """
    number = int(np.random.SeedSequence([seed, *place]).generate_state(1, np.uint64)[0] >> 1)
    on_cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_cuda else []):
        torch.default_generator.manual_seed(number)  # not torch.manual_seed, which would seed every device there is
        if on_cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(number)
        yield
