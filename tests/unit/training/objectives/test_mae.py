"""The objective of masked autoencoding, on sound alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from openclap.errors import ConfigError
from openclap.models.layers.patches import patchify
from openclap.training.objectives.base import ObjectiveConfig, build_objective
from openclap.types import AudioBatch, PairBatch


def mae(**options):
    return build_objective(ObjectiveConfig(name="mae", options=options))


@pytest.fixture
def sounds(clips):
    """Features and a batch without texts."""
    features, batch = clips
    return features, replace(batch, text=None)


def test_it_needs_no_text_and_trains_encoder_and_decoder(make_masked, sounds):
    model = make_masked(text=None).train()
    parts = mae()(model, *sounds)
    parts["loss"].backward()
    assert list(parts) == ["loss"]
    untouched = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert untouched == ["logit_scale"]


@pytest.mark.parametrize(
    ("options", "heard"),
    [({}, 6), ({"masking": {"kind": "1d", "ratio": 0.5}}, 16), ({"masking": {"kind": "2d", "time_ratio": 0.75}}, 8)],
)
def test_as_many_patches_are_heard_as_the_mask_leaves(make_masked, sounds, options, heard):
    features, batch = sounds
    features.requires_grad_()
    mae(**options)(make_masked(text=None).train(), features, batch)["loss"].backward()
    moved = patchify(features.grad, 16).abs().sum(dim=2) > 0
    assert moved.sum(dim=1).tolist() == [heard] * len(features)  # of 32; a fifth, rounded down, unless told otherwise


def test_of_normalised_targets_an_untrained_decoder_knows_nothing(make_masked, sounds):
    loss = float(mae()(make_masked(text=None).train(), *sounds)["loss"].detach())
    assert 0.9 < loss < 3.0  # 1 by guessing the mean; random weights add their own noise


def _steady_sounds(seed: int) -> torch.Tensor:
    """32 clips of one steady ripple over the mel bins each, at a place of its own."""
    place = torch.rand(32, 1, generator=torch.Generator().manual_seed(seed))
    mel = torch.sin(2 * torch.pi * (2 * torch.linspace(0, 1, 64) + place))
    return mel[:, None, None].repeat(1, 1, 128, 1)


def test_the_error_falls_on_clips_that_it_never_heard(make_masked):
    audio = AudioBatch(torch.zeros(32, 8), torch.zeros(32, dtype=torch.bool))
    batch = PairBatch(audio, None, torch.arange(32), ("",) * 32)
    objective = mae(masking={"kind": "1d", "ratio": 0.5})
    model = make_masked(text=None)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    unheard = _steady_sounds(seed=999)

    @torch.no_grad()
    def error() -> float:
        return float(objective(model.eval(), unheard, batch)["loss"])

    before = error()
    torch.manual_seed(0)
    for step in range(300):
        optimizer.zero_grad()
        objective(model.train(), _steady_sounds(seed=step), batch)["loss"].backward()
        optimizer.step()
    assert before > 0.9  # it knew nothing
    assert error() < 0.3  # half-way down the slope, which ends near 0


def test_validation_masks_the_same_patches_every_time(make_masked, sounds):
    model = make_masked(text=None).eval()
    first, second = mae()(model, *sounds), mae()(model, *sounds)
    assert first["loss"].equal(second["loss"])


def test_raw_targets_are_the_patches_themselves(make_masked, sounds):
    model = make_masked(text=None)
    patches = torch.randn(2, 32, 256) * 3 + 5
    normal = model.decoder.targets(patches)
    assert float(normal.mean(dim=2).abs().max()) < 1e-5  # float32 sums of 256 values near 5
    assert float((normal.var(dim=2) - 1).abs().max()) < 1e-4
    torch.testing.assert_close(model.decoder.pixels(normal, patches), patches, rtol=1e-5, atol=1e-5)
    raw = make_masked(text=None, decoder=model.resolved_config().decoder.model_copy(update={"target": "raw"})).decoder
    assert raw.targets(patches).equal(patches)
    assert raw.pixels(normal, patches).equal(normal)


def test_what_it_needs_of_a_model_is_said(make_masked):
    with pytest.raises(ConfigError, match="no decoder"):
        mae().check(make_masked(text=None, decoder=None))
    with pytest.raises(ConfigError, match=r"sound alone.*set model\.text to null"):
        mae().check(make_masked())
    with pytest.raises(ConfigError, match="nothing is"):
        mae(masking={"kind": "none"})
    with pytest.raises(ConfigError, match="0 of 4 mel rows"):
        mae(masking={"kind": "2d", "mel_ratio": 0.8}).check(make_masked(text=None))
    with pytest.raises(ConfigError, match="no reconstruction loss named 'l2'"):
        mae(reconstruction={"loss": "l2"})


def test_texts_are_missed_where_they_are_read(make_masked, sounds):
    with pytest.raises(ConfigError, match="reads texts, but the batch has none"):
        build_objective(ObjectiveConfig())(make_masked(), *sounds)
