"""What each kind of fusion puts into HTSAT's first stage, against LAION-CLAP's computation written out plainly."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openclap.errors import ConfigError
from openclap.models.audio.htsat import Htsat, HtsatConfig

SMALL = {"square_size": 64, "n_mels": 32, "embed_dim": 8, "depths": (2, 1), "heads": (2, 4), "window_size": 4}
LONGER = torch.tensor([False, True, True])
TOLERANCE = 1e-5  # float32; a patch sums 64 products, and batch norms of random weights multiply by up to 3


def fused(kind: str, **options: object) -> Htsat:
    torch.manual_seed(0)
    model = Htsat(HtsatConfig.read({**SMALL, "drop_path": 0, "spec_augment": None, "fusion": kind, **options}))
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if "running_var" in name:
                value.uniform_(0.5, 2)
            elif name.startswith(("mel_norm", "fusion")) and value.is_floating_point():
                value.normal_(std=0.5)
    return model.eval()


def views(frames: int = 120) -> Tensor:
    return torch.randn(3, 4, frames, 32, generator=torch.Generator().manual_seed(1))


def entering(model: Htsat, features: Tensor, is_longer: Tensor | None) -> Tensor:
    """The map that the first stage sees before its norm, as (batch, dim, rows, columns)."""
    seen: list[Tensor] = []
    hook = model.patch_norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(features, is_longer)
    hook.remove()
    side = model.config.sides[0]
    raster = torch.empty_like(seen[0])
    raster[:, model.enter.index] = seen[0]
    return raster.transpose(1, 2).unflatten(2, (side, side))


def normed(model: Htsat, features: Tensor) -> Tensor:
    norm = model.mel_norm
    return F.batch_norm(
        features.transpose(1, 3), norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
    ).transpose(1, 3)


def image(model: Htsat, features: Tensor) -> Tensor:
    """Views folded into squares of (frequency, time)."""
    config = model.config
    if features.shape[2] < config.max_frames:
        features = F.interpolate(features, (config.max_frames, config.n_mels), mode="bicubic", align_corners=True)
    segments = features.transpose(2, 3).unflatten(3, (config.segments, config.square_size))
    return segments.transpose(2, 3).flatten(2, 3)


def kernel(layer: nn.Linear, channels: int, width: int) -> Tensor:
    return layer.weight.view(len(layer.weight), channels, 4, width)


@pytest.mark.parametrize("frames", [120, 128])
@torch.no_grad()
def test_channel_map_reads_the_views_as_channels(frames: int) -> None:
    model, features = fused("channel-map"), views(frames)
    squares = image(model, normed(model, features))
    expected = F.conv2d(squares, kernel(model.patch_embed, 4, 4), model.patch_embed.bias, stride=4)
    torch.testing.assert_close(entering(model, features, LONGER), expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("kind", ["daf-2d", "aff-2d", "iaff-2d"])
@pytest.mark.parametrize("frames", [120, 128])
@torch.no_grad()
def test_2d_fusion_blends_the_first_map_with_wide_patches_of_the_local_views(kind: str, frames: int) -> None:
    model, features = fused(kind), views(frames)
    squares = image(model, normed(model, features))
    whole = F.conv2d(squares[:, :1], kernel(model.patch_embed, 1, 4), model.patch_embed.bias, stride=4)
    wide = [
        F.conv2d(squares[:, view, None], kernel(model.fusion.embed, 1, 12), model.fusion.embed.bias, stride=(4, 12))
        for view in (1, 2, 3)
    ]
    joined = F.pad(torch.cat(wide, dim=3), (0, 1))  # 3 x 5 columns, and one of zeros
    blended = model.fusion.blend(whole.flatten(2).transpose(1, 2), joined.flatten(2).transpose(1, 2))
    expected = torch.where(LONGER[:, None, None, None], blended.transpose(1, 2).view_as(whole), whole)
    torch.testing.assert_close(entering(model, features, LONGER), expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("kind", ["daf-1d", "aff-1d", "iaff-1d"])
@pytest.mark.parametrize("frames", [120, 127, 128])
@torch.no_grad()
def test_1d_fusion_blends_the_frames_with_shrunk_ones_of_the_local_views(kind: str, frames: int) -> None:
    model, features = fused(kind), views(frames)
    fusion, whole = model.fusion, normed(model, features)
    shrunk = [fusion.norm(fusion.conv(whole[:, view].transpose(1, 2))) for view in (1, 2, 3)]
    joined = torch.cat(shrunk, dim=2)[..., :frames].transpose(1, 2)
    blended = torch.where(LONGER[:, None, None], fusion.blend(whole[:, 0], joined), whole[:, 0])
    squares = image(model, blended[:, None])
    expected = F.conv2d(squares, kernel(model.patch_embed, 1, 4), model.patch_embed.bias, stride=4)
    torch.testing.assert_close(entering(model, features, LONGER), expected, atol=TOLERANCE, rtol=0)


@torch.no_grad()
def test_the_batch_norm_counts_all_views_in_training() -> None:
    model, features = fused("aff-2d").train(), views()
    model.mel_norm.momentum = 1.0
    model(features, LONGER)
    torch.testing.assert_close(model.mel_norm.running_mean, features.mean((0, 1, 2)), atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_stripes_of_silence_are_the_same_in_all_views_of_a_clip() -> None:
    model = fused("aff-2d", spec_augment={"time_width": 40}).train()
    silent: list[Tensor] = []
    model.spec_augment.register_forward_hook(lambda _, __, out: silent.append((out == 0).all(dim=3)))
    model(views(), LONGER)
    assert silent[0].any()
    assert torch.equal(silent[0], silent[0][:, :1].expand_as(silent[0]))


def test_one_view_is_refused_by_an_encoder_that_fuses() -> None:
    with pytest.raises(ConfigError, match=r"features have 1 view\(s\).* takes 4 view"):
        fused("aff-2d")(views()[:, :1])


@torch.no_grad()
def test_without_a_word_no_clip_is_longer() -> None:
    model, features = fused("iaff-2d"), views()
    assert torch.equal(model(features).pooled, model(features, torch.zeros(3, dtype=torch.bool)).pooled)
    assert not torch.allclose(model(features).pooled, model(features, LONGER).pooled, atol=1e-3)


def test_a_fused_encoder_starts_from_the_same_weights_as_a_plain_one() -> None:
    torch.manual_seed(0)
    plain = Htsat(HtsatConfig.read(SMALL)).state_dict()
    torch.manual_seed(0)
    both = Htsat(HtsatConfig.read({**SMALL, "fusion": "aff-2d"})).state_dict()
    assert all(torch.equal(both[name], value) for name, value in plain.items())
