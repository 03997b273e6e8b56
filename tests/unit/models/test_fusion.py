"""The blends of feature fusion are the published formulas, and only clips that are longer are touched by them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openclap.models.layers.fusion import Aff, Daf, FrameFusion, FusionKind, Iaff, build_blend, count_views, longer_rows

TOLERANCE = 1e-6  # float32 sums of a few dozen values of the order of 1, in another order


@torch.no_grad()
def lively(module: nn.Module, seed: int = 0) -> nn.Module:
    """Weights and norm statistics that all matter."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            noise = torch.randn(value.shape, generator=generator)
            value.copy_(noise.abs() + 0.5 if "running_var" in name else 0.5 * noise)
    return module.eval()


def pair(rows: int = 3, positions: int = 10, channels: int = 16) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.randn(rows, positions, channels, generator=generator) for _ in range(2))  # type: ignore[return-value]


def branch(x: Tensor, attention: nn.Module) -> Tensor:
    """A branch as published: convolutions of one position over (rows, channels, positions)."""
    x = F.conv1d(x, attention.squeeze.weight[:, :, None], attention.squeeze.bias)
    x = F.relu(plain_norm(x, attention.squeeze_norm))
    return plain_norm(F.conv1d(x, attention.expand.weight[:, :, None], attention.expand.bias), attention.expand_norm)


def plain_norm(x: Tensor, norm: nn.BatchNorm1d) -> Tensor:
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)


@torch.no_grad()
def test_direct_addition_is_the_sum() -> None:
    whole, local = pair()
    assert torch.equal(Daf()(whole, local), whole + local)


@torch.no_grad()
def test_attentional_fusion_is_the_published_formula() -> None:
    aff, (whole, local) = lively(Aff(16)), pair()
    x, res = whole.transpose(1, 2), local.transpose(1, 2)
    weight = torch.sigmoid(
        branch(x + res, aff.local_attention) + branch((x + res).mean(-1, True), aff.global_attention)
    )
    expected = 2 * x * weight + 2 * res * (1 - weight)
    torch.testing.assert_close(aff(whole, local), expected.transpose(1, 2), atol=TOLERANCE, rtol=1e-5)


@torch.no_grad()
def test_iterative_fusion_asks_its_first_global_attention_twice() -> None:
    iaff, (whole, local) = lively(Iaff(16)), pair()
    x, res = whole.transpose(1, 2), local.transpose(1, 2)
    first = x + res
    for attention in (iaff.local_attention, iaff.local_attention_2):
        weight = torch.sigmoid(branch(first, attention) + branch(first.mean(-1, True), iaff.global_attention))
        first = x * weight + res * (1 - weight)
    torch.testing.assert_close(iaff(whole, local), first.transpose(1, 2), atol=TOLERANCE, rtol=1e-5)


@torch.no_grad()
def test_nothing_reads_the_second_global_attention_but_it_is_kept() -> None:
    iaff, inputs = lively(Iaff(16)), pair()
    before = iaff(*inputs)
    for parameter in iaff.global_attention_2.parameters():
        parameter.fill_(torch.nan)
    assert torch.equal(iaff(*inputs), before)
    assert "global_attention_2.squeeze.weight" in iaff.state_dict()
    frozen = {name.split(".")[0] for name, p in iaff.named_parameters() if not p.requires_grad}
    assert frozen == {"global_attention_2"}


@torch.no_grad()
def test_equal_views_give_their_sum_or_themselves() -> None:
    whole, _ = pair()
    torch.testing.assert_close(lively(Aff(16))(whole, whole), 2 * whole)
    torch.testing.assert_close(lively(Iaff(16))(whole, whole), whole)


@torch.no_grad()
def test_the_order_of_positions_does_not_matter() -> None:
    whole, local = pair()
    order = torch.randperm(whole.shape[1], generator=torch.Generator().manual_seed(2))
    aff = lively(Aff(16))
    torch.testing.assert_close(aff(whole[:, order], local[:, order]), aff(whole, local)[:, order])


@pytest.mark.parametrize("kind", ["aff-1d", "iaff-2d"])
def test_one_clip_can_be_trained_on(kind: FusionKind) -> None:
    blend = build_blend(kind, 16).train()
    whole, local = pair(rows=1)
    blend(whole.requires_grad_(), local).sum().backward()
    assert whole.grad is not None
    assert whole.grad.isfinite().all()


def test_the_hidden_layer_is_a_quarter_as_wide() -> None:
    assert Aff(64).local_attention.squeeze.weight.shape == (16, 64)


@pytest.mark.parametrize("frames", [20, 21, 22, 1])
@torch.no_grad()
def test_frames_of_the_local_views_stand_one_after_the_other(frames: int) -> None:
    fusion = lively(FrameFusion("daf-1d", 4))
    fusion.conv.weight.zero_()[:, :, 2].copy_(torch.eye(4))  # takes every third frame, as it is
    fusion.conv.bias.zero_()
    fusion.norm = nn.Identity()
    local = torch.randn(2, 3, frames, 4)
    fused = fusion(torch.zeros(2, 1, frames, 4), local, torch.arange(2))
    joined = torch.cat([local[:, view, ::3] for view in range(3)], dim=1)[:, :frames]
    torch.testing.assert_close(fused[:, 0], joined, atol=TOLERANCE, rtol=0)


@torch.no_grad()
def test_clips_that_are_not_longer_stay_as_they_are() -> None:
    fusion = lively(FrameFusion("aff-1d", 8))
    whole, local = torch.randn(4, 1, 30, 8), torch.randn(2, 3, 30, 8)
    fused = fusion(whole, local, torch.tensor([3, 1]))
    assert torch.equal(fused[[0, 2]], whole[[0, 2]])
    alone = fusion(whole[3:], local[:1], torch.tensor([0]))
    torch.testing.assert_close(fused[3:], alone)
    assert fusion(whole, local[:0], torch.empty(0, dtype=torch.long)) is whole


def test_who_is_longer_is_found_and_nobody_is_without_a_word() -> None:
    assert longer_rows(torch.tensor([False, True, True]), torch.device("cpu")).tolist() == [1, 2]
    assert longer_rows(None, torch.device("cpu")).tolist() == []


def test_a_fused_encoder_takes_four_views() -> None:
    assert [count_views(kind) for kind in ("none", "channel-map", "daf-1d", "iaff-2d")] == [1, 4, 4, 4]
