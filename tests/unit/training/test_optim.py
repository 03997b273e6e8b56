"""Parameter groups, rates and freezing."""

from __future__ import annotations

import pytest
import torch

from openclap.errors import ConfigError
from openclap.models.clap import Clap, ClapConfig, EncoderConfig
from openclap.training.optim import (
    EncoderOptimConfig,
    OptimConfig,
    build_optimizer,
    parameter_groups,
    set_rate,
    set_training_mode,
)

FROZEN = EncoderOptimConfig(frozen=True)


@pytest.fixture
def model() -> Clap:
    names = {"audio": EncoderConfig(name="htsat-micro"), "text": EncoderConfig(name="text-micro")}
    return Clap(ClapConfig(**names, embed_dim=16, init_logit_bias=-10.0))


def names_of(model: Clap, groups: list, *, decays: bool) -> set[str]:
    chosen = {id(p) for g in groups if (g["weight_decay"] > 0) is decays for p in g["params"]}
    return {name for name, parameter in model.named_parameters() if id(parameter) in chosen}


def test_each_parameter_is_in_exactly_one_group(model):
    groups = parameter_groups(model, OptimConfig())
    found = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(found) == sorted(id(parameter) for parameter in model.parameters())


def test_norms_biases_scales_and_position_tables_do_not_decay(model):
    still = names_of(model, parameter_groups(model, OptimConfig()), decays=False)
    assert {"logit_scale", "logit_bias"} <= still
    assert "text_encoder.backbone.embeddings.position_embeddings.weight" in still
    assert {name for name in dict(model.named_parameters()) if name.endswith("bias") or "norm" in name.lower()} <= still
    assert any("relative" in name for name in still)


def test_matrices_kernels_and_word_tables_decay(model):
    decaying = names_of(model, parameter_groups(model, OptimConfig()), decays=True)
    assert "text_encoder.backbone.embeddings.word_embeddings.weight" in decaying
    assert all(dict(model.named_parameters())[name].ndim >= 2 for name in decaying)


@pytest.mark.parametrize(
    "name",
    [
        "audio_encoder.pos_embed",
        "audio_encoder.layers.0.relative_position_bias_table",
        "text_encoder.backbone.wpe.weight",
        "text_encoder.backbone.embeddings.position_embedding.weight",
        "text_encoder.backbone.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
        "text_encoder.positional_embedding",
    ],
)
def test_position_tables_are_known_by_the_names_that_encoders_give_them(name):
    from openclap.training.optim import _decays

    assert not _decays(name, torch.nn.Parameter(torch.zeros(4, 4)))
    assert _decays("text_encoder.composer.weight", torch.nn.Parameter(torch.zeros(4, 4)))


def test_each_encoder_learns_at_its_own_rate_and_the_heads_at_the_peak(model):
    config = OptimConfig(lr=1e-2, text_encoder=EncoderOptimConfig(lr_factor=0.1))
    optimizer = build_optimizer(model, config)
    assert set_rate(optimizer, config, 0.5) == pytest.approx(5e-3)
    rates = {group["name"]: group["lr"] for group in optimizer.param_groups}
    assert rates["text_encoder"] == rates["text_encoder, no decay"] == pytest.approx(5e-4)
    assert rates["audio_encoder"] == rates["projections"] == pytest.approx(5e-3)


def test_a_frozen_encoder_needs_no_gradient_and_stays_in_evaluation_mode(model):
    config = OptimConfig(text_encoder=FROZEN)
    optimizer = build_optimizer(model, config)
    set_training_mode(model, config)
    assert not any(parameter.requires_grad for parameter in model.text_encoder.parameters())
    assert not any(module.training for module in model.text_encoder.modules())
    assert model.training
    assert model.text_projection.training
    assert model.audio_encoder.training
    assert not any(group["name"].startswith("text") for group in optimizer.param_groups)


def test_what_was_frozen_before_learns_again_when_it_is_not_frozen_now(model):
    build_optimizer(model, OptimConfig(text_encoder=FROZEN))
    build_optimizer(model, OptimConfig())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_nothing_to_train_is_refused(model):
    model.requires_grad_(False)
    with pytest.raises(ConfigError, match="nothing to train"):
        parameter_groups(model, OptimConfig())
