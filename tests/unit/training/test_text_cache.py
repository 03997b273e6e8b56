"""The cache of a frozen text encoder's pooled vectors."""

from __future__ import annotations

import pytest
import torch

from openclap.models.clap import Clap, ClapConfig, EncoderConfig
from openclap.training.text_cache import PooledTextCache

ROOM = 1 << 20


@pytest.fixture
def model() -> Clap:
    names = {"audio": EncoderConfig(name="htsat-micro"), "text": EncoderConfig(name="text-micro")}
    model = Clap(ClapConfig(**names, embed_dim=16)).eval()
    model.text_encoder.requires_grad_(False)
    return model


def batch(*rows: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    length = max(map(len, rows))
    ids = torch.tensor([row + [0] * (length - len(row)) for row in rows])
    return ids, torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])


def test_cached_vectors_are_those_of_the_encoder(model):
    cache = PooledTextCache(model.text_encoder, ROOM)
    ids, mask = batch([2, 7, 9, 3], [2, 8, 3], [2, 5, 6, 11, 12, 3])
    expected = model.encode_text(ids, mask)
    for _ in range(2):
        with cache.active():
            found = model.encode_text(ids, mask)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)  # float32 rounding of another padding
    assert len(cache) == 3


def test_a_vector_depends_on_its_caption_and_not_on_the_batch_it_came_in(model):
    first, second = PooledTextCache(model.text_encoder, ROOM), PooledTextCache(model.text_encoder, ROOM)
    with first.active():
        alone = model.text_encoder(*batch([2, 7, 3])).pooled[0]
    with second.active():
        among = model.text_encoder(*batch([2, 5, 6, 11, 12, 3], [2, 7, 3])).pooled[1]
    assert torch.equal(alone, among)  # to the bit: a resumed run begins with an empty cache


def test_the_projection_behind_the_cache_still_learns(model):
    with PooledTextCache(model.text_encoder, ROOM).active():
        model.encode_text(*batch([2, 7, 3], [2, 8, 3])).sum().backward()
    assert all(parameter.grad is not None for parameter in model.text_projection.parameters())


def test_the_encoder_itself_is_asked_again_outside(model):
    cache = PooledTextCache(model.text_encoder, ROOM)
    keys = set(model.state_dict())
    with cache.active():
        assert set(model.state_dict()) == keys
    assert model.text_encoder(*batch([2, 7, 3])).tokens.shape[1] == 3
    assert len(cache) == 0


def test_what_is_kept_stays_when_the_room_is_used_up(model):
    asked = []
    model.text_encoder.backbone.register_forward_hook(lambda module, given, output: asked.append(1))
    cache = PooledTextCache(model.text_encoder, 2 * 4 * model.text_encoder.dim)
    with cache.active():
        for _ in range(2):  # two epochs of five captions, with room for two
            for word in range(5, 10):
                model.text_encoder(*batch([2, word, 3]))
    assert len(cache) == 2
    assert len(asked) == 5 + 3


def test_a_cache_without_room_for_one_vector_still_answers(model):
    cache = PooledTextCache(model.text_encoder, 1)
    with cache.active():
        pooled = model.text_encoder(*batch([2, 7, 3], [2, 8, 3])).pooled
    assert pooled.shape[0] == 2
    assert len(cache) == 0
