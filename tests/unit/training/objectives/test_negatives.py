"""Negative captions in the objectives that read texts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from openclap.training.objectives.base import ObjectiveConfig, build_objective
from openclap.training.text_cache import PooledTextCache
from openclap.types import NegativeTexts, PairBatch, TextBatch

OBJECTIVES = [
    ObjectiveConfig(),
    ObjectiveConfig(loss="siglip"),
    ObjectiveConfig(name="flap", options={"masking": {"kind": "1d", "ratio": 0.5}, "views": 2}),
    ObjectiveConfig(name="flap", loss="siglip", options={"masking": {"kind": "1d", "ratio": 0.5}}),
]
pytestmark = pytest.mark.parametrize("config", OBJECTIVES, ids=lambda config: f"{config.name}-{config.loss}")


def with_negatives(batch: PairBatch) -> PairBatch:
    """Two negatives of clip 1 and one of clip 4, shorter than the captions."""
    ids = torch.randint(5, 50, (3, 5), generator=torch.Generator().manual_seed(2))
    return replace(batch, negatives=NegativeTexts(TextBatch(ids, torch.ones_like(ids)), torch.tensor([1, 1, 4])))


def losses_of(config, model, features, batch) -> dict[str, torch.Tensor]:
    torch.manual_seed(7)  # of the masks
    return build_objective(config)(model, features, batch)


def test_the_loss_grows_and_how_often_the_clip_prefers_its_caption_is_logged(config, make_masked, clips):
    features, batch = clips
    plain = losses_of(config, make_masked().train(), features, batch)
    hard = losses_of(config, make_masked().train(), features, with_negatives(batch))
    assert hard["loss"] > plain["loss"]
    assert "negative_accuracy" not in plain
    assert 0 <= hard["negative_accuracy"] <= 1
    assert [name for name, value in hard.items() if value.requires_grad] == ["loss"]


def test_learning_pushes_negatives_away_from_their_clips(config, make_masked, clips):
    features, batch = clips
    batch = with_negatives(batch)
    model = make_masked().train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(40):
        optimizer.zero_grad()
        losses_of(config, model, features, batch)["loss"].backward()
        optimizer.step()
    assert losses_of(config, model.eval(), features, batch)["negative_accuracy"] == 1


def test_a_caption_that_stands_there_as_a_negative_of_another_clip_is_still_a_positive(config, make_masked, clips):
    features, batch = clips
    assert batch.text is not None
    taken = NegativeTexts(TextBatch(batch.text.input_ids[:1], batch.text.attention_mask[:1]), torch.tensor([3]))
    model = make_masked().train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(40):
        optimizer.zero_grad()
        losses_of(config, model, features, replace(batch, negatives=taken))["loss"].backward()
        optimizer.step()
    with torch.no_grad():
        texts = model.eval().encode_text(batch.text.input_ids, batch.text.attention_mask)
        nearest = (model.encode_audio(features) @ texts.T).argmax(dim=1)
    assert nearest[0] == 0


def test_the_cache_of_a_frozen_text_encoder_serves_negatives(config, make_masked, clips):
    features, batch = clips
    batch = with_negatives(batch)
    model = make_masked().eval()
    expected = losses_of(config, model, features, batch)
    cache = PooledTextCache(model.text_encoder, 1 << 20)
    for _ in range(2):
        with cache.active():
            cached = losses_of(config, model, features, batch)
        assert len(cache) == len(batch) + 3
        torch.testing.assert_close(cached["loss"], expected["loss"], rtol=1e-5, atol=1e-6)
