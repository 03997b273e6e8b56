"""Reading ahead changes nothing but the time it takes."""

from __future__ import annotations

import threading
import time

import pytest

from openclap.inference.ahead import read_ahead


def _parts(source):
    for part in range(source % 4):
        time.sleep(0.001 * (source % 3))
        yield source, part


@pytest.mark.parametrize("readers", [1, 2, 5])
@pytest.mark.parametrize("depth", [1, 3, 50])
def test_parts_come_in_order_whoever_reads_them(readers, depth):
    found = list(read_ahead(range(30), _parts, readers=readers, depth=depth, held=4))
    assert found == [(source, part) for source in range(30) for part in range(source % 4)]


def test_several_sources_are_read_at_once():
    together = threading.Barrier(3, timeout=10)

    def read(source):
        together.wait()  # passes only if three are being read at the same time
        yield source

    assert list(read_ahead(range(6), read, readers=3, depth=6, held=4)) == list(range(6))


def test_a_long_source_does_not_fill_the_memory():
    made = []

    def read(source):
        for part in range(1000):
            made.append(part)
            yield part

    taken = read_ahead([0, 1], read, readers=2, depth=2, held=4)
    next(taken)
    time.sleep(0.3)
    assert len(made) < 20
    taken.close()


def test_an_error_is_raised_in_its_turn():
    def read(source):
        yield source
        if source == 2:
            raise ValueError("the second is broken")

    taken = read_ahead(range(9), read, readers=3, depth=9, held=4)
    assert [next(taken), next(taken), next(taken)] == [0, 1, 2]
    with pytest.raises(ValueError, match="the second is broken"):
        next(taken)


def test_an_error_of_the_sources_themselves_comes_after_what_was_before():
    def sources():
        yield 1
        yield 2
        raise ValueError("the list is broken")

    taken = read_ahead(sources(), lambda source: [source], readers=2, depth=4, held=4)
    assert [next(taken), next(taken)] == [1, 2]
    with pytest.raises(ValueError, match="the list is broken"):
        next(taken)


def test_leaving_early_ends_the_threads():
    def read(source):
        while True:
            yield source

    taken = read_ahead(range(9), read, readers=3, depth=9, held=4)
    next(taken)
    taken.close()
    deadline = time.monotonic() + 5
    while any(thread.name.startswith("openclap-read") for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "a reader goes on"
        time.sleep(0.01)


def test_no_sources_have_no_parts():
    assert list(read_ahead([], _parts, readers=2, depth=2, held=4)) == []
