"""The contrastive objective."""

from __future__ import annotations

import math

import pytest
import torch

from openclap.losses.base import losses
from openclap.training.objectives.base import ObjectiveConfig, build_objective, objectives
from openclap.training.objectives.contrastive import ContrastiveObjective


@pytest.fixture
def pairs(make_bundle, numbered):
    """A bundle, and features with their batch."""
    bundle = make_bundle()
    batch = numbered(bundle.tokenizer).batch(0)
    return bundle.model, bundle.frontend(batch.audio), batch


def test_it_is_registered_with_every_loss():
    assert "contrastive" in objectives.names()
    for loss in losses.names():
        assert isinstance(build_objective(ObjectiveConfig(loss=loss)), ContrastiveObjective)


@pytest.mark.parametrize("loss", ["infonce", "siglip"])
def test_both_towers_and_the_scale_get_a_gradient(pairs, loss):
    model, features, batch = pairs
    build_objective(ObjectiveConfig(loss=loss))(model, features, batch)["loss"].backward()
    for part in (model.audio_encoder, model.audio_projection, model.text_encoder, model.text_projection):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())
    assert model.logit_scale.grad is not None


def test_only_the_loss_carries_a_gradient(pairs):
    parts = build_objective(ObjectiveConfig())(*pairs)
    assert [name for name, value in parts.items() if value.requires_grad] == ["loss"]
    assert all(value.dtype == torch.float32 and value.ndim == 0 for value in parts.values())


def test_a_model_that_cannot_tell_its_clips_apart_has_the_loss_of_a_guess(pairs):
    model, features, batch = pairs
    loss = build_objective(ObjectiveConfig())(model.eval(), features[:1].expand_as(features), batch)["loss"]
    # Clips all alike: to a text every clip is as likely, and over texts no guess is better than chance on average.
    assert float(loss.detach()) >= math.log(4) - 1e-5
