"""The objective of FLAP: what is masked, what learns, and what does not."""

from __future__ import annotations

import pytest
import torch

from openclap.errors import ConfigError
from openclap.losses.base import losses
from openclap.models.clap import EncoderConfig
from openclap.models.layers.patches import patchify
from openclap.models.mae_decoder import DecoderConfig
from openclap.models.masking import at_places
from openclap.training.objectives.base import ObjectiveConfig, build_objective

HALF = {"kind": "1d", "ratio": 0.5}
RECONSTRUCTION = {"loss": "mse", "over": "masked"}


def flap(loss: str = "infonce", **options):
    return build_objective(ObjectiveConfig(name="flap", loss=loss, options=options))


def grads(model) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("loss", sorted({*losses.names()} & {"infonce", "siglip"}))
def test_with_nothing_masked_it_is_the_contrastive_objective(make_masked, clips, loss):
    features, batch = clips
    found = []
    for objective in (
        flap(loss, masking={"kind": "none"}),
        build_objective(ObjectiveConfig(name="contrastive", loss=loss)),
    ):
        model = make_masked().train()
        parts = objective(model, features, batch)
        parts["loss"].backward()
        found.append((parts, grads(model)))
    (masked, masked_grads), (plain, plain_grads) = found
    # The same sums, of tokens that were gathered in their own order: equal but for rounding.
    torch.testing.assert_close(masked["loss"], plain["loss"], rtol=0, atol=1e-6)
    assert masked["audio_to_text_accuracy"].equal(plain["audio_to_text_accuracy"])
    assert masked_grads.keys() == plain_grads.keys()
    for name, grad in plain_grads.items():
        torch.testing.assert_close(masked_grads[name], grad, rtol=1e-5, atol=1e-6)


def test_dropped_tokens_get_no_gradient_and_kept_ones_do(make_masked, clips, monkeypatch):
    features, batch = clips
    model = make_masked().train()
    embedded, kept = [], []
    embed, encode = model.audio_encoder.embed, model.audio_encoder.encode

    def watch_embed(values):
        embedded.append(embed(values))
        embedded[0].retain_grad()
        return embedded[0]

    def watch_encode(tokens):
        kept.append(tokens)
        return encode(tokens)

    monkeypatch.setattr(model.audio_encoder, "embed", watch_embed)
    monkeypatch.setattr(model.audio_encoder, "encode", watch_encode)
    flap(masking={"kind": "1d", "ratio": 0.75}, reconstruction=RECONSTRUCTION)(model, features, batch)[
        "loss"
    ].backward()
    assert kept[0].shape[1] == 8  # a quarter of 32
    moved = embedded[0].grad.abs().sum(dim=2) > 0
    assert moved.sum(dim=1).tolist() == [8] * len(features)
    assert embedded[0][moved].view_as(kept[0]).equal(kept[0])


def test_the_decoder_sees_the_encoders_tokens_of_exactly_what_was_kept(make_masked, clips, monkeypatch):
    features, batch = clips
    model = make_masked().train()
    encoded, seen = [], []
    encode = model.audio_encoder.encode
    monkeypatch.setattr(model.audio_encoder, "encode", lambda tokens: encoded.append(encode(tokens)) or encoded[-1])
    model.decoder.register_forward_hook(lambda _, given, __: seen.append(given))
    flap(masking=HALF, reconstruction=RECONSTRUCTION)(model, features, batch)
    assert len(encoded) == 1  # one pass feeds both losses
    tokens, restore_ids, places = seen[0]
    assert places is None  # all are decoded
    assert tokens is encoded[0]
    assert restore_ids.sort(dim=1).values.equal(torch.arange(32).expand(len(features), -1))


def test_a_share_of_what_is_masked_is_decoded_in_training_and_all_of_it_in_validation(make_masked, clips, monkeypatch):
    features, batch = clips
    model = make_masked()
    truth = model.decoder.targets(patchify(features, 16))
    decoded = []

    def tell_the_truth(_tokens, _restore_ids, places=None):
        decoded.append(32 if places is None else places.shape[1])
        return truth if places is None else at_places(truth, places)

    monkeypatch.setattr(model.decoder, "forward", tell_the_truth)
    objective = flap(masking={"kind": "1d", "ratio": 0.75}, reconstruction={"share": 0.25})
    assert float(objective(model.train(), features, batch)["reconstruction"]) == 0  # each is judged by its own target
    assert float(objective(model.eval(), features, batch)["reconstruction"]) == 0
    assert decoded == [8 + 6, 32]  # 8 are kept, and a quarter of 24


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_reconstruction_is_judged_where_it_was_masked_and_nowhere_else(make_masked, clips, monkeypatch, share):
    features, batch = clips
    model = make_masked()
    truth = model.decoder.targets(patchify(features, 16))

    def lie_about_what_is_visible(tokens, restore_ids, places=None):
        visible = (restore_ids < tokens.shape[1])[:, :, None]
        told = torch.where(visible, 1e3, truth)
        return told if places is None else at_places(told, places)

    monkeypatch.setattr(model.decoder, "forward", lie_about_what_is_visible)
    for masking in (HALF, {"kind": "2d", "time_ratio": 0.5, "mel_ratio": 0.25}):
        masked = flap(masking=masking, reconstruction={"over": "masked", "share": share})
        everywhere = flap(masking=masking, reconstruction={"over": "all", "share": share})
        for mode in (True, False):
            assert float(masked(model.train(mode), features, batch)["reconstruction"]) == 0
            assert float(everywhere(model.train(mode), features, batch)["reconstruction"]) > 1e4


@pytest.mark.parametrize("over", ["masked", "all"])
def test_sound_that_is_masked_gets_no_gradient_neither_as_input_nor_as_target(make_masked, clips, over):
    features, batch = clips
    features.requires_grad_()
    objective = flap(masking={"kind": "1d", "ratio": 0.75}, reconstruction={"loss": "mse", "over": over})
    objective(make_masked().train(), features, batch)["loss"].backward()
    moved = patchify(features.grad, 16).abs().sum(dim=2) > 0
    assert moved.sum(dim=1).tolist() == [8] * len(features)  # a quarter of 32


def test_masks_by_energy_hear_the_loudest_patches_of_each_clip(make_masked, clips):
    features, batch = clips
    features.requires_grad_()
    loud = flap(masking={"kind": "energy", "ratio": 0.75, "sharpness": 1e6})
    loud(make_masked().train(), features, batch)["loss"].backward()
    heard = patchify(features.grad, 16).abs().sum(dim=2) > 0
    loudest = patchify(features.detach(), 16).mean(dim=2).topk(8).indices  # a quarter of 32
    assert heard.sum(dim=1).tolist() == [8] * len(features)
    assert heard.gather(1, loudest).all()


def test_both_losses_are_in_the_sum_by_their_weight(make_masked, clips):
    parts = []
    for weight in (1.0, 3.0):
        torch.manual_seed(5)
        objective = flap(masking=HALF, reconstruction=RECONSTRUCTION, weight=weight)
        parts.append(objective(make_masked().train(), *clips))
    for weight, part in zip((1.0, 3.0), parts, strict=True):
        torch.testing.assert_close(part["loss"].detach(), part["contrastive"] + weight * part["reconstruction"])
    assert parts[0]["reconstruction"].equal(parts[1]["reconstruction"])
    assert [name for name, value in parts[0].items() if value.requires_grad] == ["loss"]
    assert all(value.dtype == torch.float32 and value.ndim == 0 for value in parts[0].values())


def test_every_part_of_the_model_learns(make_masked, clips):
    model = make_masked().train()
    flap(masking=HALF, reconstruction=RECONSTRUCTION)(model, *clips)["loss"].backward()
    assert not [name for name, parameter in model.named_parameters() if parameter.grad is None]


def test_without_reconstruction_the_decoder_is_not_touched(make_masked, clips):
    model = make_masked().train()
    flap(masking=HALF)(model, *clips)["loss"].backward()
    assert all(parameter.grad is None for parameter in model.decoder.parameters())


def test_views_share_the_patch_embedding_and_the_text_and_their_losses_are_averaged(make_masked, clips, monkeypatch):
    model = make_masked().train()
    calls = []
    for part, name in ((model.audio_encoder, "embed"), (model, "encode_text"), (model.audio_encoder, "encode")):
        original = getattr(part, name)
        monkeypatch.setattr(part, name, lambda *a, _o=original, _n=name: calls.append(_n) or _o(*a))
    torch.manual_seed(2)
    both = flap(masking=HALF, views=2)(model, *clips)["loss"]
    assert sorted(calls) == ["embed", "encode", "encode", "encode_text"]
    torch.manual_seed(2)
    one = [flap(masking=HALF)(model, *clips)["loss"] for _ in range(2)]
    assert not one[0].equal(one[1])
    torch.testing.assert_close(both, torch.stack(one).mean())


def test_in_evaluation_mode_nothing_is_masked_and_nothing_is_left_to_chance(make_masked, clips):
    model = make_masked().eval()
    objective = flap(masking=HALF, reconstruction=RECONSTRUCTION)
    first, second = objective(model, *clips), objective(model, *clips)
    plain = build_objective(ObjectiveConfig())(model, *clips)
    assert all(first[name].equal(value) for name, value in plain.items())
    assert first.keys() - plain.keys() == {"reconstruction"}
    assert first["reconstruction"].equal(second["reconstruction"])


def test_the_mask_follows_torchs_generator(make_masked, clips):
    model = make_masked().train()
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(flap(masking=HALF)(model, *clips)["loss"])
    assert found[0].equal(found[1])
    assert not found[0].equal(found[2])


@pytest.mark.parametrize("kind", ["1d", "block", "energy"])
def test_every_kind_of_mask_trains(make_masked, clips, kind):
    model = make_masked().train()
    parts = flap(masking={"kind": kind, "ratio": 0.5}, reconstruction={"loss": "multi-resolution"})(model, *clips)
    parts["loss"].backward()
    assert torch.isfinite(parts["loss"])


@pytest.mark.parametrize(("encoder", "options"), [("htsat-micro", {}), ("pann-micro", {})])
def test_an_encoder_that_cannot_leave_tokens_out_is_refused_by_name(make_masked, encoder, options):
    model = make_masked(audio=EncoderConfig(name=encoder, options=options), decoder=None)
    with pytest.raises(ConfigError, match=rf"leaves tokens out, which audio encoder '{encoder}' cannot.*vit-base"):
        flap().check(model)


def test_an_encoder_that_cannot_leave_tokens_out_has_no_decoder(make_masked):
    with pytest.raises(ConfigError, match="a decoder leaves tokens out, which audio encoder 'htsat-micro' cannot"):
        make_masked(audio=EncoderConfig(name="htsat-micro"))


def test_what_it_needs_of_a_model_is_said(make_masked):
    flap(reconstruction=RECONSTRUCTION).check(make_masked())
    with pytest.raises(ConfigError, match=r"no decoder: set model\.decoder"):
        flap(reconstruction=RECONSTRUCTION).check(make_masked(decoder=None))
    windows = make_masked(decoder=DecoderConfig(dim=32, depth=1, heads=2, blocks="windows"))
    flap(reconstruction=RECONSTRUCTION).check(windows)
    with pytest.raises(ConfigError, match="need the whole grid"):
        flap(reconstruction={"share": 0.5}).check(windows)
    with pytest.raises(ConfigError, match=r"'flap' needs a text tower, but model\.text is null"):
        flap().check(make_masked(text=None))
    with pytest.raises(ConfigError, match="0 of 4 mel rows"):
        flap(masking={"kind": "2d", "mel_ratio": 0.8}).check(make_masked())


def test_options_are_checked_when_the_run_is_set_up():
    with pytest.raises(ConfigError, match=r"nothing is: set masking\.kind"):
        flap(masking={"kind": "none"}, reconstruction=RECONSTRUCTION)
    with pytest.raises(ConfigError, match=r"share is 0\.5, but nothing is masked"):
        flap(masking={"kind": "none"}, reconstruction={"over": "all", "share": 0.5})
    with pytest.raises(ConfigError, match="did you mean 'masking'"):
        flap(maskin=HALF)
    with pytest.raises(ConfigError, match="no reconstruction loss named 'l2'"):
        flap(reconstruction={"loss": "l2"})


def test_in_bf16_losses_are_float32_and_near_those_of_float32(make_masked, clips):
    losses_found = []
    for enabled in (False, True):
        model = make_masked().train()
        torch.manual_seed(4)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            parts = flap(masking=HALF, views=2, reconstruction={"loss": "multi-resolution"})(model, *clips)
        parts["loss"].backward()
        assert all(value.dtype == torch.float32 for value in parts.values())
        losses_found.append(parts["loss"].detach())
    torch.testing.assert_close(*losses_found, rtol=0.02, atol=0)  # bf16 has 8 bits
