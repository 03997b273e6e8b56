from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from openclap.errors import ConfigError
from openclap.models.audio.vit import Vit, VitConfig
from openclap.models.layers.vit_block import VitBlock
from openclap.models.zoo import audio_encoders

ROUNDING = {"atol": 1e-5, "rtol": 1e-5}  # float32 sums in another order


def build(**options: object) -> Vit:
    torch.manual_seed(0)
    vit = audio_encoders.get("vit-micro")(**options)
    assert isinstance(vit, Vit)
    for parameter in vit.parameters():  # biases and norms that a mistake would show in
        torch.nn.init.normal_(parameter, std=0.2)
    return vit.eval()


def features(frames: int = 64, batch: int = 2, mels: int = 128) -> Tensor:
    return torch.randn(batch, 1, frames, mels, generator=torch.Generator().manual_seed(1))


def by_hand(block: VitBlock, tokens: Tensor) -> Tensor:
    """One block for one clip, head by head, from the formulas."""
    normed = F.layer_norm(tokens, tokens.shape[-1:], block.norm1.weight, block.norm1.bias, 1e-6)
    query, key, value = F.linear(normed, block.attention.qkv.weight, block.attention.qkv.bias).chunk(3, dim=1)
    heads, width = block.attention.heads, tokens.shape[1] // block.attention.heads
    out = torch.zeros_like(tokens)
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        weights = (query[:, part] @ key[:, part].T / width**0.5).softmax(dim=1)
        out[:, part] = weights @ value[:, part]
    tokens = tokens + F.linear(out, block.attention.proj.weight, block.attention.proj.bias)
    normed = F.layer_norm(tokens, tokens.shape[-1:], block.norm2.weight, block.norm2.bias, 1e-6)
    return tokens + block.mlp[2](F.gelu(block.mlp[0](normed)))


@torch.no_grad()
@pytest.mark.parametrize("cls_token", [False, True])
@pytest.mark.parametrize("norm", ["tokens", "pooled"])
def test_it_computes_what_the_formulas_say(cls_token: bool, norm: str) -> None:
    vit = build(cls_token=cls_token, norm=norm)
    x = features(batch=1)
    kernel = vit.patch_embed.weight.view(vit.dim, 1, 16, 16)
    patches = F.conv2d(x, kernel, vit.patch_embed.bias, stride=16)  # as AudioMAE embeds them
    tokens = patches.flatten(2).transpose(1, 2)[0] + vit.positions(32)
    if vit.cls_token is not None:
        tokens = torch.cat([vit.cls_token[0], tokens])
    for block in vit.blocks:
        assert isinstance(block, VitBlock)
        tokens = by_hand(block, tokens)
    tokens = vit.norm(tokens) if norm == "tokens" else tokens
    tokens = tokens[1:] if cls_token else tokens
    pooled = tokens.mean(dim=0)
    pooled = vit.norm(pooled) if norm == "pooled" else pooled
    output = vit(x)
    torch.testing.assert_close(output.tokens[0], tokens, **ROUNDING)
    torch.testing.assert_close(output.pooled[0], pooled, **ROUNDING)


@torch.no_grad()
@pytest.mark.parametrize("cls_token", [False, True])
def test_its_steps_take_any_subset_of_tokens(cls_token: bool) -> None:
    vit = build(cls_token=cls_token)
    tokens = vit.embed(features())
    order = torch.randperm(tokens.shape[1], generator=torch.Generator().manual_seed(2))
    shuffled = vit.encode(tokens[:, order])
    torch.testing.assert_close(vit.pool(shuffled), vit(features()).pooled, **ROUNDING)  # positions travel along
    some = vit.encode(tokens[:, order[:5]])
    assert some.shape == (2, 5 + vit.leading, vit.dim)
    assert vit.pool(some).shape == (2, vit.dim)


@torch.no_grad()
def test_the_cls_token_is_heard_and_not_counted() -> None:
    vit = build(cls_token=True)
    before = vit(features())
    assert before.tokens.shape == (2, 32, vit.dim)
    assert vit.cls_token is not None
    vit.cls_token.normal_(generator=torch.Generator().manual_seed(3))
    assert not torch.allclose(vit(features()).pooled, before.pooled)


@torch.no_grad()
def test_frames_that_fill_no_patch_count_as_if_zeros_followed() -> None:
    vit = build()
    padded = F.pad(features(frames=40), (0, 0, 0, 8))
    assert torch.equal(vit(features(frames=40)).pooled, vit(padded).pooled)


@torch.no_grad()
@pytest.mark.parametrize("frames", [16, 1024, 3000])
def test_a_clip_may_have_any_length(frames: int) -> None:
    assert build()(features(frames=frames, batch=1)).tokens.shape == (1, -(-frames // 16) * 8, 32)


@torch.no_grad()
def test_where_a_sound_stands_matters() -> None:
    vit = build()
    x = features()
    assert not torch.allclose(vit(x).pooled, vit(x.flip(2)).pooled, atol=1e-3)


def test_other_features_are_refused() -> None:
    with pytest.raises(ConfigError, match="64 mel bins, but this ViT takes 1 view and 128"):
        build()(features(mels=64))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"heads": 3}, "3 heads do not divide"),
        ({"dim": 30, "heads": 1}, "no multiple of 4"),
        ({"n_mels": 100}, "no multiple of patch_size"),
    ],
)
def test_a_geometry_that_does_not_fit_is_refused(options: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        audio_encoders.get("vit-micro")(**options)


@pytest.mark.parametrize(
    ("name", "millions"), [("vit-tiny", 5.4), ("vit-small", 21.4), ("vit-base", 85.3), ("vit-large", 302.6)]
)
def test_the_sizes_are_the_published_ones(name: str, millions: float) -> None:
    with torch.device("meta"):
        vit = audio_encoders.get(name)()
    count = sum(parameter.numel() for parameter in vit.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.06)


def test_stochastic_depth_rises_from_nothing() -> None:
    vit = Vit(VitConfig(dim=32, heads=2, depth=5, drop_path=0.1))
    rates = [block.drop_path.rate for block in vit.blocks]
    assert rates == pytest.approx([0, 0.025, 0.05, 0.075, 0.1])
