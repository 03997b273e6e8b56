"""Batches without texts, and sound that is changed by chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from openclap.audio.frontend import Frontend
from openclap.data.example import Example
from openclap.data.loader import DataConfig, PairLoader
from openclap.errors import DataError
from openclap.text.tokenizer import Tokenizer
from openclap.types import PairBatch

AUGMENT = {"roll": True, "gain": True}


def batches(
    examples: list[Example], frontend: Frontend, stop: int, tokenizer: Tokenizer | None = None, **settings
) -> list[PairBatch]:
    values = {"train": {"path": "unused"}, "batch_size": 4, "workers": 0} | settings
    return list(PairLoader(examples, frontend, tokenizer, DataConfig.read(values), 0).iterate(0, stop))


@pytest.fixture
def bare(clips: Callable[[int], list[Example]]) -> list[Example]:
    """Eight clips of which nothing is said."""
    return [replace(example, captions=(), labels=()) for example in clips(8)]


def test_clips_of_which_nothing_is_said_do_where_nobody_reads(bare, frontend, tokenizer):
    first, second = batches(bare, frontend, 2)
    assert first.text is None
    assert first.caption_group.tolist() == [0, 1, 2, 3]
    assert len({*first.ids, *second.ids}) == 8
    assert first.to("cpu").text is None
    with pytest.raises(DataError, match="neither a caption nor a label"):
        batches(bare, frontend, 1, tokenizer)


def test_texts_change_nothing_about_the_sound(clips, frontend, tokenizer):
    examples = clips(8)
    for alone, paired in zip(batches(examples, frontend, 4), batches(examples, frontend, 4, tokenizer), strict=True):
        assert alone.ids == paired.ids
        assert alone.audio.waveforms.equal(paired.audio.waveforms)


def test_changed_sound_is_new_in_each_epoch_and_the_same_in_each_run(bare, frontend):
    found = [batches(bare, frontend, 4, augment=AUGMENT, **more) for more in ({}, {}, {"workers": 2})]
    for again in found[1:]:
        assert all(a.audio.waveforms.equal(b.audio.waveforms) for a, b in zip(found[0], again, strict=True))
    plain = batches(bare, frontend, 4, random_crop=False)
    changed = batches(bare, frontend, 4, random_crop=False, augment=AUGMENT)
    by_id = [
        {name: wave for batch in half for name, wave in zip(batch.ids, batch.audio.waveforms, strict=True)}
        for half in (plain[:2], plain[2:], changed[:2], changed[2:])
    ]
    for name in by_id[0]:
        assert torch.equal(by_id[0][name], by_id[1][name])
        assert not torch.equal(by_id[0][name], by_id[2][name])
        assert not torch.equal(by_id[2][name], by_id[3][name])


def test_a_cache_keeps_the_sound_as_it_was(bare, frontend):
    cached = batches(bare, frontend, 6, augment=AUGMENT, cache_bytes=1_000_000)
    fresh = batches(bare, frontend, 6, augment=AUGMENT)
    assert all(np.array_equal(a.audio.waveforms, b.audio.waveforms) for a, b in zip(cached, fresh, strict=True))
