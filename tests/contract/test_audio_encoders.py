"""Every registered audio encoder keeps the promises of the protocol: it is tested because it is registered."""

from __future__ import annotations

import json
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from openclap.errors import ConfigError
from openclap.models.encoder import AudioEncoder, PatchEncoder
from openclap.models.layers.fusion import FusionKind
from openclap.models.zoo import audio_encoders, list_models

_THIN = {"embed_dim": 8, "heads": (1, 2, 4, 8), "square_size": 128}
_NARROW = {"dim": 16, "heads": 2, "depth": 2}
# Options that make an encoder small enough to be tested in a second: an encoder of over a million weights needs a row.
SMALL: dict[str, dict[str, object]] = {
    "htsat-tiny": _THIN | {"depths": (2, 2, 2, 1)},
    "htsat-base": _THIN | {"depths": (1, 1, 3, 1)},
    "htsat-large": _THIN | {"depths": (1, 1, 1, 1)},
    "htsat-mini": _THIN,
    "pann-cnn14": {"channels": (4, 4, 8, 8, 8, 16)},
    "pann-cnn10": {"channels": (4, 4, 8, 8, 16)},
    "pann-cnn6": {"channels": (4, 4, 8, 16)},
    "vit-tiny": _NARROW,
    "vit-small": _NARROW,
    "vit-base": _NARROW,
    "vit-large": _NARROW,
}
NAMES = audio_encoders.names()
FUSED = ("htsat-micro", "pann-micro")  # one of each architecture that fuses views
FUSIONS = [kind for kind in get_args(FusionKind) if kind != "none"]
CASES = {name: (name, SMALL.get(name, {})) for name in NAMES}
CASES |= {f"{name} {kind}": (name, {"fusion": kind}) for name in FUSED for kind in FUSIONS}


def build(case: str) -> nn.Module:
    torch.manual_seed(0)
    name, options = CASES[case]
    return audio_encoders.get(name)(**options)


def features(encoder: nn.Module, batch: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    frames, mels = (encoder.max_frames or 100), (encoder.n_mels or 64)
    shape = (batch, encoder.views, frames - 5, mels)
    return torch.randn(shape, generator=generator) * 10 - 30  # dB, as a front-end gives them


def longer(batch: int = 3) -> Tensor:
    """All clips but every third are longer than the window."""
    return torch.arange(batch) % 3 != 1


@pytest.fixture(params=CASES)
def encoder(request: pytest.FixtureRequest) -> nn.Module:
    return build(request.param)


@pytest.fixture(params=[case for case in CASES if case not in NAMES])
def fused(request: pytest.FixtureRequest) -> nn.Module:
    return build(request.param)


def test_it_is_small_enough_to_be_tested(encoder: nn.Module) -> None:
    assert sum(p.numel() for p in encoder.parameters()) < 1e6, "add options for a small size to SMALL in this file"


def test_it_has_what_the_protocol_asks(encoder: nn.Module) -> None:
    assert isinstance(encoder, AudioEncoder)
    assert isinstance(encoder.dim, int)
    assert encoder.views in (1, 4)


@torch.no_grad()
def test_it_gives_tokens_and_one_vector_a_clip(encoder: nn.Module) -> None:
    encoder.eval()
    tokens, pooled = encoder(features(encoder), longer())
    assert tokens.ndim == 3
    assert tokens.shape[::2] == (3, encoder.dim)
    assert pooled.shape == (3, encoder.dim)
    assert pooled.isfinite().all()


@torch.no_grad()
def test_the_same_features_give_the_same_vector_in_use(encoder: nn.Module) -> None:
    encoder.eval()
    x = features(encoder)
    assert torch.equal(encoder(x, longer()).pooled, encoder(x, longer()).pooled)


@torch.no_grad()
def test_a_batch_gives_what_its_clips_give_alone(encoder: nn.Module) -> None:
    encoder.eval()
    x = features(encoder)
    alone = torch.cat(
        [encoder(clip[None], is_longer[None]).pooled for clip, is_longer in zip(x, longer(), strict=True)]
    )
    # Float32 sums in another order.
    torch.testing.assert_close(encoder(x, longer()).pooled, alone, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_an_encoder_of_patches_hears_each_clip_in_its_own_length(encoder: nn.Module) -> None:
    if not isinstance(encoder, PatchEncoder):
        pytest.skip("takes windows of one length; Clap.check_frontend refuses others")
    encoder.eval()
    x, frames = features(encoder, batch=4), torch.tensor([95, 1, 40, 16])
    alone = torch.cat([encoder(clip[None, :, :own]).pooled for clip, own in zip(x, frames.tolist(), strict=True)])
    # Float32 sums in another order.
    torch.testing.assert_close(encoder(x, None, frames).pooled, alone, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_different_clips_give_different_vectors(encoder: nn.Module) -> None:
    pooled = encoder.eval()(features(encoder)).pooled
    assert (pooled[0] - pooled[1]).abs().max() > 1e-4


@torch.no_grad()
def test_a_longer_clip_is_heard_in_all_its_views(fused: nn.Module) -> None:
    fused.eval()
    x = features(fused)
    for view in range(4):
        changed = x.clone()
        changed[0, view] += 10
        moved = (fused(changed, longer()).pooled - fused(x, longer()).pooled).abs().amax(1)
        assert moved[0] > 1e-5, f"view {view}"
        assert moved[1:].max() == 0, "another clip"


@torch.no_grad()
def test_only_a_channel_map_reads_local_views_of_clips_that_are_not_longer(fused: nn.Module) -> None:
    x = features(fused)
    x[1, 1:] = torch.nan
    unread = fused.eval()(x, longer()).pooled.isfinite().all()
    assert unread == (fused.config.fusion != "channel-map")


def test_a_gradient_reaches_every_weight(encoder: nn.Module) -> None:
    encoder.train()
    weights = torch.randn(encoder.dim, generator=torch.Generator().manual_seed(2))
    # Several passes: in training, stochastic depth may leave out a branch of one pass.
    for _ in range(3):
        (encoder(features(encoder, batch=4), longer(4)).pooled @ weights).pow(2).sum().backward()
    learnt = [(name, p) for name, p in encoder.named_parameters() if p.requires_grad]
    silent = [name for name, p in learnt if p.grad is None or not p.grad.abs().sum() > 0]
    assert not silent, "weights that nothing trains"


def test_its_config_builds_it_again(encoder: nn.Module, request: pytest.FixtureRequest) -> None:
    name = CASES[request.node.callspec.params["encoder"]][0]
    options = json.loads(json.dumps(encoder.config.plain()))  # as a checkpoint keeps them
    again = audio_encoders.get(name)(**options)
    assert again.config == encoder.config
    again.load_state_dict(encoder.state_dict())
    x = features(encoder)
    assert torch.equal(again.eval()(x, longer()).pooled, encoder.eval()(x, longer()).pooled)


def test_a_wrong_option_is_refused_with_the_encoders_name() -> None:
    for name in NAMES:
        with pytest.raises(ConfigError, match=name):
            audio_encoders.get(name)(no_such_option=1)


def test_the_list_of_models_has_them_all() -> None:
    assert set(NAMES) <= set(list_models())
    assert list_models("audio") == NAMES
