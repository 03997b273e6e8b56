"""A job is done once, whatever interrupts it, and never mixes vectors of two models."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from openclap.errors import ConfigError, IdentityError
from openclap.inference.job import EmbeddedSound, EmbeddingJob

HOW = {"windows": False}


def _sound(key, *values, error=None):
    vectors = np.array(values, np.float32).reshape(len(values), 1).repeat(3, axis=1)
    places = tuple(map(float, range(len(values))))
    return EmbeddedSound(key, vectors, places, tuple(place + 1 for place in places), error)


def _same(left, right):
    np.testing.assert_array_equal(left.vectors, right.vectors)
    return (left.key, left.start_s, left.end_s, left.error) == (right.key, right.start_s, right.end_s, right.error)


SOUNDS = [_sound("a", 1.0), _sound("b", 2.0, 3.0), _sound("c", error="is no sound"), _sound("caf\udce9", 4.0)]


def test_what_is_added_comes_back_in_any_order_from_a_new_process(tmp_path):
    job = EmbeddingJob.open(tmp_path / "job", "abc", HOW)
    job.add(SOUNDS[:2])
    job.add(SOUNDS[2:])
    again = EmbeddingJob.open(tmp_path / "job", "abc", HOW)
    assert again.done == {"a", "b", "c", "caf\udce9"}
    for order in ([0, 1, 2, 3], [3, 0, 2, 1, 1]):
        found = list(again.collect(SOUNDS[i].key for i in order))
        assert all(_same(one, SOUNDS[i]) for one, i in zip(found, order, strict=True))


def test_a_part_of_sounds_without_rows_is_kept_too(tmp_path):
    job = EmbeddingJob.open(tmp_path / "job", "abc", HOW)
    job.add([SOUNDS[2]])
    (found,) = EmbeddingJob.open(tmp_path / "job", "abc", HOW).collect(["c"])
    assert found.error == "is no sound"
    assert len(found.vectors) == 0


@pytest.mark.parametrize(("identity", "how"), [("xyz", HOW), ("abc", {"windows": True})])
def test_a_job_of_another_model_or_another_way_is_refused_and_left_alone(identity, how, tmp_path):
    EmbeddingJob.open(tmp_path / "job", "abc", HOW).add(SOUNDS)
    with pytest.raises(IdentityError, match="--restart"):
        EmbeddingJob.open(tmp_path / "job", identity, how)
    assert len(EmbeddingJob.open(tmp_path / "job", "abc", HOW).done) == 4


def test_a_folder_of_something_else_is_not_touched(tmp_path):
    (tmp_path / "thesis.tex").write_text("chapter one", encoding="utf-8")
    with pytest.raises(ConfigError, match="in the way"):
        EmbeddingJob.open(tmp_path, "abc", HOW)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("share", [0, 0.5, 0.9])
def test_the_sounds_of_a_broken_part_are_done_again(share, tmp_path):
    job = EmbeddingJob.open(tmp_path / "job", "abc", HOW)
    job.add(SOUNDS[:1])
    job.add(SOUNDS[1:])
    part = min((tmp_path / "job").glob("part-*.npz"))
    content = part.read_bytes()
    part.write_bytes(content[: int(share * len(content))])
    assert EmbeddingJob.open(tmp_path / "job", "abc", HOW).done == {"b", "c", "caf\udce9"}


def test_a_job_that_was_killed_while_it_was_deleted_is_still_a_job(tmp_path, monkeypatch):
    job = EmbeddingJob.open(tmp_path / "job", "abc", HOW)
    job.add(SOUNDS[:1])
    job.add(SOUNDS[1:])
    with monkeypatch.context() as killed:
        killed.setattr(shutil, "rmtree", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            job.close()
    assert EmbeddingJob.open(tmp_path / "job", "abc", HOW).done == frozenset()


def test_a_closed_job_leaves_nothing(tmp_path):
    job = EmbeddingJob.open(tmp_path / "job", "abc", HOW)
    job.add(SOUNDS)
    job.close()
    assert list(tmp_path.iterdir()) == []
