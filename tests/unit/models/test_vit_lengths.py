"""Clips of different lengths in one batch: each is encoded, and trained on, as if it were alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from openclap.models.audio.vit import Vit
from openclap.models.layers.drop_path import DropPath
from openclap.models.layers.length_groups import LengthGroups, packed, unpacked
from openclap.models.layers.patches import GroupedFeatures
from openclap.models.zoo import audio_encoders

ROUNDING = {"atol": 1e-5, "rtol": 1e-5}  # float32 sums in another order
# From 1 column of patches to AudioMAE's 64; two of equal length, two of equally many columns, and no order.
FRAMES = torch.tensor([16, 1024, 5, 300, 304, 998, 16, 17, 1024, 160])


def build(**options: object) -> Vit:
    torch.manual_seed(0)
    vit = audio_encoders.get("vit-micro")(**options)
    assert isinstance(vit, Vit)
    for parameter in vit.parameters():  # biases and norms that a mistake would show in
        torch.nn.init.normal_(parameter, std=0.15)
    return vit.eval()


def features(frames: Tensor = FRAMES) -> Tensor:
    return torch.randn(len(frames), 1, int(frames.max()), 128, generator=torch.Generator().manual_seed(1))


def spoilt(x: Tensor, frames: Tensor) -> Tensor:
    """The same with NaN in all that is not the clips'."""
    return x.masked_fill((torch.arange(x.shape[2]) >= frames[:, None])[:, None, :, None], torch.nan)


@torch.no_grad()
@pytest.mark.parametrize("cls_token", [False, True])
@pytest.mark.parametrize("norm", ["tokens", "pooled"])
def test_a_clip_has_the_vector_and_tokens_that_it_has_alone(cls_token: bool, norm: str) -> None:
    vit, x = build(cls_token=cls_token, norm=norm), features()
    output = vit(spoilt(x, FRAMES), None, FRAMES)
    for clip, tokens, pooled, frames in zip(x, output.tokens, output.pooled, FRAMES.tolist(), strict=True):
        alone = vit(clip[None, :, :frames])
        count = alone.tokens.shape[1]
        torch.testing.assert_close(pooled, alone.pooled[0], **ROUNDING)
        torch.testing.assert_close(tokens[:count], alone.tokens[0], **ROUNDING)
        assert not tokens[count:].any()


# Relative to the largest of a tensor; float64 shows that nothing but rounding is different. The last norm's bias adds
# up the same few values for 1,952 tokens one after another, which alone is 3e-5 away from float64's sum.
@pytest.mark.parametrize(("precision", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("cls_token", [False, True])
def test_training_on_all_lengths_at_once_has_the_gradient_of_one_by_one(
    cls_token: bool, precision: torch.dtype, tolerance: float
) -> None:
    weights = torch.randn(len(FRAMES), 32, generator=torch.Generator().manual_seed(2)).to(precision)
    found = []
    for at_once in (True, False):
        vit, x = build(cls_token=cls_token).to(precision), features().to(precision).requires_grad_()
        if at_once:
            pooled = vit(x, None, FRAMES).pooled
        else:
            rows = zip(x, FRAMES.tolist(), strict=True)
            pooled = torch.cat([vit(clip[None, :, :frames]).pooled for clip, frames in rows])
        (pooled * weights).sum().backward()
        assert x.grad is not None
        found.append({name: p.grad for name, p in vit.named_parameters()} | {"features": x.grad})
    for name, expected in found[1].items():
        allowed = 5 * tolerance if name == "norm.bias" else tolerance
        assert (found[0][name] - expected).abs().max() < allowed * expected.abs().max(), name


@torch.no_grad()
@pytest.mark.parametrize("cls_token", [False, True])
def test_kept_tokens_of_any_number_are_encoded_as_alone(cls_token: bool) -> None:
    vit = build(cls_token=cls_token)
    generator = torch.Generator().manual_seed(3)
    groups = []
    for clips, columns, kept in [(2, 64, 102), (1, 1, 1), (3, 1, 8), (1, 19, 30)]:
        tokens = vit.embed(torch.randn(clips, 1, 16 * columns, 128, generator=generator))
        groups.append(tokens[:, torch.randperm(8 * columns, generator=generator)[:kept]])
    for group, encoded in zip(groups, vit.encode_groups(groups), strict=True):
        alone = torch.cat([vit.encode(clip[None]) for clip in group])
        torch.testing.assert_close(encoded, alone, **ROUNDING)
        assert vit.pool(encoded).shape == (len(group), vit.dim)


@torch.no_grad()
def test_no_clip_hears_another() -> None:
    vit, x = build(), features()
    before = vit(x, None, FRAMES).pooled
    x[3] += 1
    changed = (vit(x, None, FRAMES).pooled != before).any(dim=1)
    assert changed.tolist() == [row == 3 for row in range(len(FRAMES))]


@torch.no_grad()
def test_a_batch_of_one_length_takes_the_same_path_with_and_without_saying_so() -> None:
    vit, x = build(), features(torch.tensor([48, 48]))
    assert torch.equal(vit(x, None, torch.tensor([48, 48])).pooled, vit(x).pooled)
    assert torch.equal(vit(x, None, torch.tensor([20, 20])).pooled, vit(x[:, :, :20]).pooled)


def test_only_a_clips_own_tokens_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    vit, counted = build(), []
    perceptron = vit.blocks[0].mlp
    monkeypatch.setattr(perceptron, "forward", lambda tokens: counted.append(tokens.shape) or torch.zeros_like(tokens))
    vit(features(), None, FRAMES)
    patches = 8 * (-(-FRAMES // 16)).sum()
    assert counted == [(patches, vit.dim)]


def test_stochastic_depth_leaves_out_whole_clips() -> None:
    layer, shapes = DropPath(0.5), [(300, 2), (1, 40), (200, 7)]
    torch.manual_seed(0)
    branch = torch.ones(sum(clips * count for clips, count in shapes), 3)
    clips = [clip for group in unpacked(layer.packed(branch, shapes), shapes) for clip in group]
    assert all((clip == clip[0, 0]).all() for clip in clips)
    assert {float(clip[0, 0]) for clip in clips} == {0.0, 2.0}
    dropped = sum(float(clip[0, 0]) == 0 for clip in clips) / len(clips)
    assert dropped == pytest.approx(0.5, abs=0.07)  # three standard deviations of 501 coins
    assert layer.eval().packed(branch, shapes) is branch


@settings(max_examples=50)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=12))
def test_groups_come_back_in_the_batchs_order(lengths: list[int]) -> None:
    groups = LengthGroups.of(torch.tensor(lengths))
    assert groups.lengths == tuple(sorted(set(lengths)))
    values = torch.arange(len(lengths)).float()[:, None]
    parts = groups.split(values)
    for length, part in zip(groups.lengths, parts, strict=True):
        assert [lengths[int(row)] for row in part[:, 0]] == [length] * len(part)
    assert torch.equal(groups.join(parts), values)


def test_tokens_are_packed_and_unpacked() -> None:
    groups = [torch.randn(2, 3, 4), torch.randn(1, 1, 4)]
    tokens, shapes = packed(groups)
    assert tokens.shape == (7, 4)
    for given_, found in zip(groups, unpacked(tokens, shapes), strict=True):
        assert torch.equal(given_, found)


def test_features_are_cut_to_whole_patches_and_end_in_zeros() -> None:
    x, frames = features(torch.tensor([40, 10, 33])), torch.tensor([40, 10, 33])
    cut = GroupedFeatures.of(spoilt(x, frames), frames, 16)
    short, long = cut.features
    assert short.shape == (1, 1, 16, 128)
    assert not short[:, :, 10:].any()
    assert long.shape == (2, 1, 40, 128)  # what is missing of the third column, the patches fill up
    assert torch.equal(long[0], x[0])
    assert not long[1, :, 33:].any()
