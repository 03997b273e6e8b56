"""The order of training is fixed by the seed, and no batch holds a sound twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from openclap.data.content import content_numbers
from openclap.data.example import Example
from openclap.data.sampling import BatchPlan, generator_for
from openclap.errors import DataError


def missing(count: int) -> list[Example]:
    """Examples without files: each is a content of its own."""
    return [Example(str(n), Path(f"nowhere/{n}.wav")) for n in range(count)]


@settings(max_examples=40, deadline=None)
@given(count=st.integers(2, 60), batch_size=st.integers(2, 20), seed=st.integers(0, 5))
def test_an_epoch_holds_every_clip_once_but_for_less_than_a_batch(count: int, batch_size: int, seed: int) -> None:
    plan = BatchPlan(missing(count), batch_size, seed)
    for epoch in range(2):
        steps = range(epoch * plan.steps_per_epoch, (epoch + 1) * plan.steps_per_epoch)
        seen = [position for step in steps for position in plan.batch(step)]
        assert len(set(seen)) == len(seen) == plan.steps_per_epoch * plan.batch_size
        assert count - len(seen) < plan.batch_size


def test_a_step_holds_the_same_whatever_was_asked_before() -> None:
    forward = BatchPlan(missing(50), 8, seed=3)
    expected = [forward.batch(step) for step in range(30)]
    backward = BatchPlan(missing(50), 8, seed=3)
    assert [backward.batch(step) for step in reversed(range(30))] == expected[::-1]


def test_epochs_and_seeds_differ() -> None:
    plan, other = BatchPlan(missing(50), 50, seed=0), BatchPlan(missing(50), 50, seed=1)
    assert plan.batch(0) != plan.batch(1)
    assert plan.batch(0) != other.batch(0)


def test_those_left_over_differ_from_epoch_to_epoch() -> None:
    plan = BatchPlan(missing(5), 4, seed=0)
    left = {next(iter(set(range(5)) - set(plan.batch(epoch)))) for epoch in range(40)}
    assert left == set(range(5))  # one of the five missing in 40 draws has a chance of 0.07 %; the seed is fixed


def test_fewer_clips_than_a_batch_makes_every_batch_hold_all() -> None:
    plan = BatchPlan(missing(3), 64, seed=0)
    assert (plan.batch_size, plan.steps_per_epoch) == (3, 1)
    assert sorted(plan.batch(7)) == [0, 1, 2]


@pytest.mark.parametrize("count", [0, 1])
def test_one_clip_has_nothing_to_be_contrasted_with(count: int) -> None:
    with pytest.raises(DataError, match=f"at least 2 different clips, but got {count}"):
        BatchPlan(missing(count), 8, seed=0)


def test_the_same_sound_is_never_twice_in_a_batch_and_its_copies_take_turns(
    tmp_path: Path, noise: Callable[..., Path]
) -> None:
    sounds = [noise(tmp_path / f"{n}.wav", seed=n % 4) for n in range(10)]  # 4 sounds, 2 or 3 copies of each
    plan = BatchPlan([Example(str(n), path) for n, path in enumerate(sounds)], 4, seed=0)
    assert plan.steps_per_epoch == 1
    used: Counter[int] = Counter()
    for step in range(6):
        batch = plan.batch(step)
        assert sorted(position % 4 for position in batch) == [0, 1, 2, 3]
        used.update(batch)
    assert used == {n: 2 if n % 4 < 2 else 3 for n in range(10)}


def test_ranges_of_one_file_are_different_sounds(tmp_path: Path, noise: Callable[..., Path]) -> None:
    path = noise(tmp_path / "x.wav", seed=0)
    examples = [Example(str(start), path, start_s=start, duration_s=0.1) for start in (0.0, 0.1)]
    assert sorted(BatchPlan(examples, 2, seed=0).batch(0)) == [0, 1]


def test_generators_depend_on_every_part_and_on_nothing_else() -> None:
    def first(*parts: object) -> float:
        return float(torch.rand((), generator=generator_for(*parts)))

    before = torch.random.get_rng_state()
    assert first(1, "crop", 0, "a") == first(1, "crop", 0, "a")
    different = [first(1, "crop", 0, "a"), first(2, "crop", 0, "a"), first(1, "crop", 1, "a"), first(1, "crop", 0, "b")]
    assert len(set(different)) == 4
    assert torch.equal(before, torch.random.get_rng_state())


class TestContent:
    def test_equal_bytes_have_equal_numbers(self, tmp_path: Path, noise: Callable[..., Path]) -> None:
        seeds = [0, 1, 0, 2, 1]
        files = [noise(tmp_path / f"{n}.wav", seed=seed) for n, seed in enumerate(seeds)]
        assert list(content_numbers(files).values()) == seeds

    def test_files_that_differ_only_at_the_end_differ(self, tmp_path: Path) -> None:
        files = [tmp_path / "a", tmp_path / "b"]
        for file, end in zip(files, (b"x", b"y"), strict=True):
            file.write_bytes(b"\0" * 100_000 + end)
        assert list(content_numbers(files).values()) == [0, 1]

    def test_an_ogg_encoded_twice_is_one_content(self, tmp_path: Path, noise: Callable[..., Path]) -> None:
        samples, rate_hz = soundfile.read(noise(tmp_path / "x.wav", seed=0, seconds=1.0))
        files = [tmp_path / "a.ogg", tmp_path / "b.ogg", tmp_path / "c.ogg"]
        for file in files[:2]:
            soundfile.write(file, samples, rate_hz)
        stream = bytearray(files[0].read_bytes())
        pages = [place for place in range(len(stream)) if stream[place : place + 4] == b"OggS"]
        for page in pages:
            stream[page + 14 : page + 18] = b"\1\2\3\4"  # another serial number (the checksum is not looked at)
        files[1].write_bytes(stream)
        stream[-1] ^= 1
        files[2].write_bytes(stream)
        assert list(content_numbers(files).values()) == [0, 0, 1]

    def test_files_that_cannot_be_read_are_contents_of_their_own(self, tmp_path: Path) -> None:
        assert list(content_numbers([tmp_path / "a", tmp_path / "b"]).values()) == [0, 1]
