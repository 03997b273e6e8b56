"""The two-tower model: unit vectors in float32, a clamped scale, resolved options, and names for what does not fit."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from openclap.errors import ConfigError, UnknownNameError
from openclap.losses.contrastive import info_nce_mlp
from openclap.models.clap import MAX_LOGIT_SCALE, Clap, ClapConfig, EncoderConfig
from openclap.models.layers.projection import ProjectionConfig
from openclap.types import ClapOutput

AUDIO = {"square_size": 32, "n_mels": 16, "embed_dim": 8, "depths": (1, 1), "heads": (1, 2)}
TEXT = {"vocab_size": 50, "dim": 16, "layers": 1}


def config(**changes: object) -> ClapConfig:
    base = {
        "audio": {"name": "htsat-micro", "options": AUDIO},
        "text": {"name": "text-micro", "options": TEXT},
        "embed_dim": 24,
    }
    return ClapConfig.read({**base, **changes})


def pairs(batch: int = 3) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1, 50, (batch, 6), generator=generator)
    features = torch.randn(batch, 1, 60, 16, generator=generator)
    return features, torch.zeros(batch, dtype=torch.bool), ids, torch.ones_like(ids)


def run(model: Clap, batch: int = 3) -> ClapOutput:
    return model(*pairs(batch))


@pytest.mark.parametrize("kind", ["mlp", "linear", "residual"])
@torch.no_grad()
def test_embeddings_have_unit_length(kind: str) -> None:
    output = run(Clap(config(projection={"kind": kind})).eval())
    for embeds in (output.audio_embeds, output.text_embeds):
        assert embeds.shape == (3, 24)
        torch.testing.assert_close(embeds.norm(dim=1), torch.ones(3), atol=1e-6, rtol=0)  # float32 rounding


@torch.no_grad()
def test_embeddings_are_float32_and_unit_length_under_bf16_autocast() -> None:
    model = Clap(config()).eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = run(model)
    assert output.audio_embeds.dtype == output.text_embeds.dtype == output.logit_scale.dtype == torch.float32
    torch.testing.assert_close(output.audio_embeds.norm(dim=1), torch.ones(3), atol=1e-6, rtol=0)


def test_the_scale_starts_at_one_over_a_temperature_of_0_07() -> None:
    assert run(Clap(config())).logit_scale.item() == pytest.approx(1 / 0.07, rel=1e-6)


def test_the_scale_never_leaves_1_to_100() -> None:
    model = Clap(config())
    for wild, tame in ((9.0, 100.0), (-3.0, 1.0)):
        with torch.no_grad():
            model.logit_scale.fill_(wild)
        model.clamp_logit_scale_()
        assert run(model).logit_scale.item() == pytest.approx(tame, rel=1e-5)


def test_a_scale_at_its_limit_still_has_a_gradient() -> None:
    model = Clap(config(init_logit_scale=MAX_LOGIT_SCALE))
    run(model).logit_scale.backward()
    assert model.logit_scale.grad is not None
    assert model.logit_scale.grad.item() == pytest.approx(100, rel=1e-5)


def test_the_bias_is_learnt_only_where_the_config_gives_one() -> None:
    without, with_bias = Clap(config()), Clap(config(init_logit_bias=-10.0))
    assert run(without).logit_bias.item() == 0
    assert "logit_bias" not in without.state_dict()
    assert run(with_bias).logit_bias.item() == -10
    assert isinstance(with_bias.logit_bias, nn.Parameter)


def test_the_resolved_config_builds_the_same_model() -> None:
    model = Clap(config())
    resolved = ClapConfig.read(model.resolved_config().plain())
    assert resolved.audio.options["mlp_ratio"] == 4.0  # a default, now written down
    again = Clap(resolved)
    again.load_state_dict(model.state_dict())
    assert torch.equal(run(again.eval()).audio_embeds, run(model.eval()).audio_embeds)
    assert again.resolved_config() == model.resolved_config()


def test_gradients_reach_both_towers_and_the_scale() -> None:
    model = Clap(config(projection={"kind": "residual", "dropout": 0.0}))
    output = run(model)
    (output.audio_embeds * output.text_embeds * output.logit_scale).sum().backward()
    for part in ("audio_encoder", "audio_projection", "text_encoder", "text_projection"):
        assert all(p.grad is not None for p in getattr(model, part).parameters()), part
    assert model.logit_scale.grad is not None


def test_the_residual_projection_is_msclaps() -> None:
    model = Clap(config(projection=ProjectionConfig(kind="residual").plain())).eval()
    head = model.audio_projection
    x = torch.randn(4, 16)
    first = x @ head.linear1.weight.T
    expected = head.norm(first + torch.nn.functional.gelu(first) @ head.linear2.weight.T)
    torch.testing.assert_close(head(x), expected)
    assert {name for name, _ in head.named_parameters()} == {
        "linear1.weight", "linear2.weight", "norm.weight", "norm.bias"
    }  # fmt: skip


def test_the_mlp_projection_is_laions() -> None:
    head = Clap(config(projection={"kind": "mlp", "hidden": 40})).audio_projection
    assert [type(layer) for layer in head] == [nn.Linear, nn.ReLU, nn.Linear]
    assert head[0].weight.shape == (40, 16)
    assert head[2].weight.shape == (24, 40)


@pytest.mark.parametrize(("tower", "kind"), [("audio", "audio encoder"), ("text", "text encoder")])
def test_an_unknown_encoder_is_named_with_its_nearest(tower: str, kind: str) -> None:
    wrong = {"audio": "htsat-micr", "text": "text-micr"}[tower]
    with pytest.raises(UnknownNameError, match=rf"no {kind} named '{wrong}'; did you mean '{wrong}o'"):
        Clap(config(**{tower: {"name": wrong}}))


def test_a_wrong_encoder_option_is_refused() -> None:
    with pytest.raises(ConfigError, match="embed_dims is not a setting; did you mean 'embed_dim'"):
        Clap(config(audio=EncoderConfig(name="htsat-micro", options={"embed_dims": 8})))


@pytest.mark.parametrize("value", [-0.1, math.log(101)])
def test_a_first_scale_outside_the_clamp_is_refused(value: float) -> None:
    with pytest.raises(ConfigError, match="init_logit_scale"):
        config(init_logit_scale=value)


def test_a_front_end_that_does_not_fit_is_told_from_one_that_does() -> None:
    model = Clap(config())
    model.check_frontend(n_mels=16, frames=64, views=1)
    with pytest.raises(ConfigError, match=r"frontend\.mel\.n_mels is 64, but audio encoder 'htsat-micro' needs 16"):
        model.check_frontend(n_mels=64, frames=64, views=1)
    with pytest.raises(ConfigError, match="65 frames of a window, but audio encoder 'htsat-micro' takes at most 64"):
        model.check_frontend(n_mels=16, frames=65, views=1)
    with pytest.raises(ConfigError, match=r"makes 4 view\(s\) of a clip, but .* 'htsat-micro' takes 1: take frontend"):
        model.check_frontend(n_mels=16, frames=64, views=4)


def test_a_model_of_four_views_asks_the_front_end_for_them() -> None:
    model = Clap(config(audio={"name": "htsat-micro", "options": {**AUDIO, "fusion": "daf-1d"}}))
    model.check_frontend(n_mels=16, frames=64, views=4)
    with pytest.raises(ConfigError, match=r"makes 1 view\(s\) .* takes 4: set frontend\.fusion"):
        model.check_frontend(n_mels=16, frames=64, views=1)


def test_second_heads_are_trained_clamped_and_change_no_vector() -> None:
    torch.manual_seed(0)
    plain = Clap(config()).eval()
    model = Clap(config(mlp_heads=True)).eval()
    model.load_state_dict(plain.state_dict(), strict=False)
    output, without = run(model), run(plain)
    assert without.mlp is None
    assert output.mlp is not None
    assert output.audio_embeds.equal(without.audio_embeds)
    assert output.mlp.audio_embeds.shape == output.mlp.text_embeds.shape == (3, 24)
    info_nce_mlp(output).backward()
    assert all(weight.grad is not None for weight in model.mlp_heads.parameters())
    with torch.no_grad():
        model.mlp_heads.logit_scale.fill_(9.0)
    model.clamp_logit_scale_()
    assert model.mlp_heads.logit_scale.item() == pytest.approx(MAX_LOGIT_SCALE)


def test_the_projections_activation_is_a_setting() -> None:
    torch.manual_seed(0)
    relu = Clap(config()).eval()
    gelu = Clap(config(projection={"activation": "gelu"})).eval()
    gelu.load_state_dict(relu.state_dict())
    assert not run(gelu).audio_embeds.equal(run(relu).audio_embeds)


def test_only_an_encoder_of_patches_takes_clips_in_their_own_length() -> None:
    named = "frontend.length.short is 'keep', but audio encoder 'htsat-micro' takes clips of one length"
    with pytest.raises(ConfigError, match=named):
        Clap(config()).check_frontend(n_mels=16, frames=64, views=1, keeps_length=True)
    vit = {"name": "vit-micro", "options": {"n_mels": 16}}
    Clap(config(audio=vit)).check_frontend(n_mels=16, frames=64, views=1, keeps_length=True)


def test_a_decoder_of_windows_cannot_decode_clips_of_any_length() -> None:
    vit = {"name": "vit-micro", "options": {"n_mels": 64}}
    windows = {"dim": 16, "heads": 2, "depth": 1, "blocks": "windows"}
    model = Clap(config(audio=vit, decoder=windows))
    model.check_frontend(n_mels=64, frames=64, views=1)
    for frames in (64, 65):  # whether windows would fill the longest clip or not
        with pytest.raises(ConfigError, match=r"'keep', but model\.decoder\.blocks 'windows'"):
            model.check_frontend(n_mels=64, frames=frames, views=1, keeps_length=True)
    model = Clap(config(audio=vit, decoder=windows | {"blocks": "global"}))
    model.check_frontend(n_mels=64, frames=64, views=1, keeps_length=True)


@torch.no_grad()
def test_clips_of_several_lengths_have_the_vectors_they_have_alone() -> None:
    torch.manual_seed(0)
    model = Clap(config(audio={"name": "vit-micro", "options": {"n_mels": 16}})).eval()
    features, frames = torch.randn(3, 1, 64, 16), torch.tensor([64, 7, 30])
    vectors = model.encode_audio(features, None, frames)
    for row, length in enumerate(frames.tolist()):
        alone = model.encode_audio(features[row : row + 1, :, :length])
        torch.testing.assert_close(vectors[row : row + 1], alone, atol=1e-5, rtol=1e-5)  # sums in another order
