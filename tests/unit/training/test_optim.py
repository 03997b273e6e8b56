"""Parameter groups, rates and freezing."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch

from openclap.errors import ConfigError
from openclap.models.clap import Clap, ClapConfig, EncoderConfig
from openclap.training.muon import MuonWithAdamW
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


def test_muon_takes_the_encoders_matrices_and_adamw_all_else(model):
    optimizer = build_optimizer(model, OptimConfig(name="muon", audio_encoder=EncoderOptimConfig(lr_factor=0.5)))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    by_muon = {names[id(p)] for g in optimizer.param_groups if "matrices" in g["name"] for p in g["params"]}
    everyone = [names[id(p)] for g in optimizer.param_groups for p in g["params"]]
    assert sorted(everyone) == sorted(names.values())
    assert "text_encoder.backbone.encoder.layer.0.attention.self.query.weight" in by_muon
    assert not [name for name in by_muon if "embed" in name or "relative" in name or "projection" in name]
    assert all(dict(model.named_parameters())[name].ndim == 2 for name in by_muon)


def test_muons_matrices_have_a_learning_rate_of_their_own(model):
    config = OptimConfig(name="muon", lr=1e-2, muon_lr_factor=5.0, text_encoder=EncoderOptimConfig(lr_factor=0.1))
    optimizer = build_optimizer(model, config)
    set_rate(optimizer, config, 0.5)
    rates = {group["name"]: group["lr"] for group in optimizer.param_groups}
    assert rates["audio_encoder, matrices"] == pytest.approx(2.5e-2)
    assert rates["text_encoder, matrices"] == pytest.approx(2.5e-3)
    assert rates["audio_encoder"] == pytest.approx(5e-3)


def test_muon_moves_a_matrix_in_all_its_directions_and_as_far_as_adamw_would():
    torch.manual_seed(0)
    matrix = torch.nn.Parameter(torch.zeros(64, 32))
    groups = [{"params": [matrix], "name": "x, matrices", "weight_decay": 0.0}]
    optimizer = MuonWithAdamW(groups, torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))]), lr=1e-3, momentum=0.95)
    matrix.grad = torch.outer(torch.randn(64), torch.randn(32)) + 0.1 * torch.randn(64, 32)  # nearly of rank one
    optimizer.step()
    values = torch.linalg.svdvals(matrix.detach())
    assert values.max() / values.median() < 2  # its gradient's: over 10
    # Of the root mean square that AdamW's steps have, 0.2 (arXiv 2502.16982); the iteration is near, not exact.
    assert matrix.detach().square().mean().sqrt().item() == pytest.approx(0.2e-3, rel=0.25)


def test_a_resumed_muon_takes_the_very_steps_that_it_would_have_taken(model):
    config = OptimConfig(name="muon")

    def steps(optimizer, count):
        for _ in range(count):
            for index, parameter in enumerate(p for p in model.parameters() if p.requires_grad):
                parameter.grad = torch.full_like(parameter, 1e-2) * torch.linspace(-1, 1, parameter.numel()).cos().view(
                    parameter.shape
                ).add(index)
            optimizer.step()

    optimizer = build_optimizer(model, config)
    steps(optimizer, 2)
    weights, state = deepcopy(model.state_dict()), deepcopy(optimizer.state_dict())
    steps(optimizer, 1)
    expected = deepcopy(model.state_dict())
    model.load_state_dict(weights)
    resumed = build_optimizer(model, config)
    resumed.load_state_dict(state)
    steps(resumed, 1)
    assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())


def test_muon_without_matrices_to_learn_says_so(model):
    with pytest.raises(ConfigError, match="no encoder that learns has matrices"):
        build_optimizer(model, OptimConfig(name="muon", audio_encoder=FROZEN, text_encoder=FROZEN))


def test_a_torch_without_muon_says_which_has_it(model, monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(ConfigError, match=r"came with torch 2\.9"):
        build_optimizer(model, OptimConfig(name="muon"))
