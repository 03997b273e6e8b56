"""The PANNs against the published computation written out plainly; any length of sound, and named refusals."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openclap.errors import ConfigError
from openclap.models.audio.pann import Pann, PannConfig
from openclap.models.layers.spec_augment import SpecAugmentConfig
from openclap.models.zoo import audio_encoders

QUIET = {"dropout": 0.0, "head_dropout": 0.0, "spec_augment": None}
GEOMETRIES = {
    "like CNN14": {"channels": (8, 16, 64, 128), "pools": (2, 2, 2, 1), "n_mels": 16},
    "like CNN10": {"channels": (8, 16), "pools": (2, 2), "n_mels": 16},
    "like CNN6": {"channels": (8, 16, 32), "pools": (2, 2, 2), "convs": 1, "kernel_size": 5, "n_mels": 16},
}
LONGER = torch.tensor([True, False, True])
TOLERANCE = 1e-5  # float32, relative to the largest value, over at most 8 layers of random weights


def small(geometry: str = "like CNN14", **options: object) -> Pann:
    """A net in which every tensor matters: norms have the statistics of noise, so that no layer falls silent."""
    torch.manual_seed(0)
    model = Pann(PannConfig.read({**QUIET, **GEOMETRIES[geometry], **options}))
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    with torch.no_grad():
        for layer in norms:
            layer.momentum = 1.0
            layer.weight.normal_(mean=1, std=0.3)
            layer.bias.normal_(std=0.3)
        model.train()(2 * features(64, model.views) - 1, LONGER)
    return model.eval()


def features(frames: int = 70, views: int = 1) -> Tensor:
    return torch.randn(3, views, frames, 16, generator=torch.Generator().manual_seed(1))


def norm(x: Tensor, layer: nn.modules.batchnorm._BatchNorm) -> Tensor:
    return F.batch_norm(x, layer.running_mean, layer.running_var, layer.weight, layer.bias, eps=layer.eps)


def entry(model: Pann, x: Tensor) -> Tensor:
    return norm(x.transpose(1, 3), model.mel_norm).transpose(1, 3)


def block(model: Pann, number: int, x: Tensor) -> Tensor:
    for layer in model.blocks[number].layers:
        x = F.relu(norm(F.conv2d(x, layer.conv.weight, padding=layer.conv.padding), layer.norm))
    return F.avg_pool2d(x, model.config.pools[number])


def leave(model: Pann, x: Tensor, first: int) -> tuple[Tensor, Tensor]:
    for number in range(first, len(model.blocks)):
        x = block(model, number, x)
    x = x.mean(dim=3)
    return x.transpose(1, 2), F.relu(model.head(x.amax(dim=2) + x.mean(dim=2)))


def assert_same(found: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor]) -> None:
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=TOLERANCE * b.abs().max().item(), rtol=0)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("frames", [64, 71])
@torch.no_grad()
def test_it_computes_what_is_published(geometry: str, frames: int) -> None:
    model, x = small(geometry), features(frames)
    assert_same(model(x), leave(model, entry(model, x), first=0))


@torch.no_grad()
def test_channel_map_reads_the_views_as_channels() -> None:
    model, x = small(fusion="channel-map"), features(views=4)
    assert_same(model(x, LONGER), leave(model, entry(model, x), first=0))


@pytest.mark.parametrize("kind", ["daf-1d", "aff-1d", "iaff-1d"])
@pytest.mark.parametrize("frames", [70, 72])
@torch.no_grad()
def test_1d_fusion_blends_frames(kind: str, frames: int) -> None:
    model, x = small(fusion=kind), features(frames, views=4)
    normed, fusion = entry(model, x), model.fusion
    shrunk = [fusion.norm(fusion.conv(normed[:, view].transpose(1, 2))) for view in (1, 2, 3)]
    joined = torch.cat(shrunk, dim=2)[..., :frames].transpose(1, 2)
    blended = torch.where(LONGER[:, None, None], fusion.blend(normed[:, 0], joined), normed[:, 0])
    assert_same(model(x, LONGER), leave(model, blended[:, None], first=0))


@pytest.mark.parametrize("kind", ["daf-2d", "aff-2d", "iaff-2d"])
@pytest.mark.parametrize("frames", [70, 72, 73])
@torch.no_grad()
def test_2d_fusion_blends_the_first_block_with_maps_of_the_local_views(kind: str, frames: int) -> None:
    model, x = small(fusion=kind), features(frames, views=4)
    normed, fusion = entry(model, x), model.fusion
    whole = block(model, 0, normed[:, :1])
    maps = [F.relu(norm(fusion.conv(normed[:, view, None]), fusion.norm)) for view in (1, 2, 3)]
    joined = torch.cat(maps, dim=2)[:, :, : whole.shape[2]]
    assert joined.shape == whole.shape
    blended = fusion.blend(whole.flatten(2).transpose(1, 2), joined.flatten(2).transpose(1, 2))
    both = torch.where(LONGER[:, None, None, None], blended.transpose(1, 2).reshape(whole.shape), whole)
    assert_same(model(x, LONGER), leave(model, both, first=1))


@torch.no_grad()
def test_sound_of_any_length_is_heard() -> None:
    model = small()
    assert model.max_frames is None
    for frames in (8, 9, 16, 333):
        assert model(features(frames)).tokens.shape == (3, frames // 8, 128)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((1, 1, 7, 16), "7 frames .* at least 8 frames"),
        ((1, 1, 64, 64), r"and 64 mel bins, but .* 16 mel bins"),
        ((1, 4, 64, 16), r"4 view\(s\).* takes 1 view"),
    ],
)
def test_features_that_do_not_fit_are_refused(shape: tuple[int, ...], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        small()(torch.zeros(shape))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"pools": (2, 2)}, "pools has 2 blocks, but channels has 4"),
        ({"pools": (2, 2, 2, 0)}, "must be 1 or more"),
        ({"kernel_size": 4}, "4 is even"),
        ({"n_mels": 4}, "4 mel bins cannot be averaged by 8"),
        ({"fusion": "aff-2d", "n_mels": 17}, "an even n_mels"),
        ({"fusion": "aff-2d", "pools": (4, 2, 2, 1)}, "a first pool of 2"),
        ({"fusion": "aff"}, "fusion"),
        ({"channel": (2, 2)}, "did you mean 'channels'"),
    ],
)
def test_a_geometry_that_cannot_be_is_refused(options: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        small(**options)


@torch.no_grad()
def test_weights_changed_in_use_count_at_once() -> None:
    model, x = small(), features()
    before = model(x).pooled
    model.blocks[0].layers[0].conv.weight.data.neg_()
    assert not torch.allclose(model(x).pooled, before, atol=1e-3)
    assert_same(model(x), leave(model, entry(model, x), first=0))


@torch.no_grad()
def test_randomness_is_for_training_only_and_follows_the_default_generator() -> None:
    model = small(dropout=0.2, head_dropout=0.5, spec_augment=SpecAugmentConfig().plain())
    x = features()
    assert torch.equal(model(x).pooled, model(x).pooled)
    model.train()
    torch.manual_seed(0)
    first = model(x).pooled
    second = model(x).pooled
    torch.manual_seed(0)
    assert torch.equal(model(x).pooled, first)
    assert not torch.equal(first, second)


def test_weights_start_by_xaviers_rule() -> None:
    torch.manual_seed(0)
    model = Pann(PannConfig.read(GEOMETRIES["like CNN14"]))
    weights = {name: p for name, p in model.named_parameters() if p.ndim > 1}
    for name, weight in weights.items():
        area = weight[0, 0].numel()
        bound = math.sqrt(6 / (area * (weight.shape[0] + weight.shape[1])))
        assert 0.9 * bound < weight.abs().max() <= bound, name  # of 72 values or more, some are near the bound
    assert model.head.bias.abs().max() == 0


@torch.no_grad()
def test_bf16_autocast_stays_near_float32() -> None:
    model, x = small(fusion="aff-2d"), features(views=4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model(x, LONGER).pooled.float()
    assert torch.cosine_similarity(half, model(x, LONGER).pooled).min() > 0.995  # 8 bits of mantissa, 8 layers


@pytest.mark.parametrize(
    ("name", "millions", "dim", "frames"),
    [
        ("pann-cnn14", 79.7, 2048, 32),
        ("pann-cnn10", 19.9, 1024, 32),
        ("pann-cnn6", 4.6, 512, 16),
        ("pann-micro", 0.1, 64, 8),
    ],
)
def test_the_sizes_are_the_published_ones_or_small(name: str, millions: float, dim: int, frames: int) -> None:
    with torch.device("meta"):
        model = audio_encoders.get(name)()
    assert abs(sum(p.numel() for p in model.parameters()) / 1e6 - millions) < 0.05
    assert (model.dim, model.config.min_frames, model.n_mels) == (dim, frames, 64)
