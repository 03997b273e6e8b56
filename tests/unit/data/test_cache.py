"""Waveforms kept in memory come back as they were, in this process and in others."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from openclap.data.cache import ClipCache
from openclap.data.reading import worker_context


def waveform(length: int, value: float = 0.1) -> np.ndarray:
    return np.full(length, value, np.float32)


def test_what_is_put_in_comes_out_bit_for_bit() -> None:
    cache = ClipCache(3, 4000)
    samples = np.random.default_rng(0).standard_normal(500).astype(np.float32)
    cache.put(1, samples)
    np.testing.assert_array_equal(cache.get(1), samples)
    assert cache.get(0) is None
    assert cache.used_bytes == 2000


def test_what_comes_out_cannot_be_written_to() -> None:
    cache = ClipCache(1, 400)
    cache.put(0, waveform(10))
    held = cache.get(0)
    assert held is not None
    with pytest.raises(ValueError, match="read-only"):
        held[0] = 1.0


def test_what_does_not_fit_is_left_out_and_what_is_held_stays() -> None:
    cache = ClipCache(4, 1000)
    cache.put(0, waveform(200))
    cache.put(1, waveform(51))
    cache.put(2, waveform(50))
    assert cache.get(0) is not None
    assert cache.get(1) is None
    assert cache.get(2) is not None
    assert cache.used_bytes == 1000


def test_a_second_put_takes_no_more_room() -> None:
    cache = ClipCache(1, 4000)
    cache.put(0, waveform(100))
    cache.put(0, waveform(100))
    assert cache.used_bytes == 400


def test_a_private_cache_refuses_to_travel() -> None:
    with pytest.raises(TypeError, match="make it with a multiprocessing context"):
        pickle.dumps(ClipCache(1, 100))


def _fill(cache: ClipCache) -> None:
    cache.put(1, waveform(100, 0.7))


def test_a_worker_s_waveforms_are_seen_here() -> None:
    context = worker_context()
    cache = ClipCache(2, 1000, context)
    process = context.Process(target=_fill, args=(cache,))  # type: ignore[attr-defined]
    process.start()
    process.join()
    np.testing.assert_array_equal(cache.get(1), waveform(100, 0.7))
