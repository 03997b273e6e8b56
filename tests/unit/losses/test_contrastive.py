from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from openclap.errors import ConfigError
from openclap.losses.contrastive import info_nce, info_nce_mlp
from openclap.types import ClapOutput, MlpOutput, NegativeOutput


def pairs(batch: int = 6, embed: int = 8, scale: float = 5.0, seed: int = 0) -> ClapOutput:
    generator = torch.Generator().manual_seed(seed)
    audio, text = (F.normalize(torch.randn(batch, embed, generator=generator), dim=-1) for _ in range(2))
    return ClapOutput(audio, text, torch.tensor(scale), torch.tensor(0.0))


def from_logits(logits: Tensor) -> ClapOutput:
    """An output whose logits are exactly these: audio vectors are the rows, text vectors the axes."""
    return ClapOutput(logits, torch.eye(len(logits)), torch.tensor(1.0), torch.tensor(0.0))


def logit_gradient(logits: Tensor, groups: Tensor | None) -> Tensor:
    leaf = logits.clone().requires_grad_()
    info_nce(from_logits(leaf), groups).backward()
    assert leaf.grad is not None
    return leaf.grad


def test_a_two_by_two_case_computed_by_hand() -> None:
    loss = info_nce(from_logits(torch.tensor([[2.0, 0.0], [1.0, 3.0]])))
    a_to_t = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-2))) / 2  # row 0: 2 against 0; row 1: 3 against 1
    t_to_a = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-3))) / 2  # column 0: 2 against 1; column 1: 3, 0
    assert loss.item() == pytest.approx((a_to_t + t_to_a) / 2, abs=1e-6)  # float32 rounding


def test_with_different_captions_it_is_cross_entropy_both_ways() -> None:
    output = pairs()
    logits = output.logit_scale * output.audio_embeds @ output.text_embeds.T
    expected = (F.cross_entropy(logits, torch.arange(6)) + F.cross_entropy(logits.T, torch.arange(6))) / 2
    assert info_nce(output).item() == pytest.approx(expected.item(), abs=1e-6)
    assert info_nce(output, torch.tensor([4, 0, 7, 1, 2, 9])).item() == pytest.approx(expected.item(), abs=1e-6)


def test_the_gradient_is_softmax_minus_target_in_both_directions() -> None:
    logits = torch.randn(5, 5, generator=torch.Generator().manual_seed(1))
    groups = torch.tensor([0, 1, 0, 2, 1])
    target = (groups[:, None] == groups[None, :]).float()
    target /= target.sum(1, keepdim=True)
    a_to_t = (logits.softmax(1) - target) / 5
    t_to_a = (logits.softmax(0) - target.T) / 5
    torch.testing.assert_close(logit_gradient(logits, groups), (a_to_t + t_to_a) / 2, atol=1e-6, rtol=0)


@pytest.mark.parametrize("groups", [None, torch.tensor([0, 1, 1, 2])])
def test_both_towers_and_the_scale_get_the_gradient_that_finite_differences_give(groups: Tensor | None) -> None:
    output = pairs(batch=4, embed=3)
    for position in range(3):
        values = [value.clone() for value in output[:4]]
        values[position].requires_grad_()
        info_nce(ClapOutput(*values), groups).backward()
        given = values[position].grad
        assert given is not None
        direction = torch.randn(given.shape, generator=torch.Generator().manual_seed(position))
        step = 1e-2  # float32: smaller steps drown in rounding, larger ones in curvature
        ahead, behind = ([value.detach().clone() for value in output[:4]] for _ in range(2))
        ahead[position] += step * direction
        behind[position] -= step * direction
        slope = (info_nce(ClapOutput(*ahead), groups) - info_nce(ClapOutput(*behind), groups)) / (2 * step)
        assert slope.item() == pytest.approx((given * direction).sum().item(), rel=0.02, abs=1e-3)


def test_each_direction_alone_moves_both_towers() -> None:
    # A loss that trains one direction only (softmax over texts) leaves columns unnormalised: their sums would not be 0.
    gradient = logit_gradient(torch.randn(6, 6, generator=torch.Generator().manual_seed(2)), None)
    softmax_rows_only = gradient.sum(dim=1)
    softmax_columns_only = gradient.sum(dim=0)
    assert softmax_rows_only.abs().max() > 1e-3
    assert softmax_columns_only.abs().max() > 1e-3
    assert gradient.sum().abs() < 1e-6  # both directions together only move probability around


def test_copies_of_a_caption_are_all_pulled_closer_while_a_negative_holds_anything() -> None:
    # Clips 0, 1 and 2 have the same text, so their columns are equal; clip 3 is the negative.
    column = torch.tensor([[0.2], [0.2], [0.2], [0.1]])
    logits = torch.cat([column, column, column, torch.tensor([[0.5], [0.5], [0.5], [0.9]])], dim=1)
    gradient = logit_gradient(logits, torch.tensor([0, 0, 0, 1]))
    assert (gradient[:3, :3] < 0).all()
    assert (gradient[:3, 3] > 0).all()
    assert (gradient[3, :3] > 0).all()


def test_copies_taken_as_negatives_would_be_pushed_away() -> None:
    logits = torch.zeros(4, 4)
    assert logit_gradient(logits, None)[0, 1] > 0
    assert logit_gradient(logits, torch.tensor([0, 0, 1, 2]))[0, 1] < 0


def test_when_every_caption_is_the_same_equal_logits_are_the_optimum() -> None:
    gradient = logit_gradient(torch.full((4, 4), 3.0), torch.zeros(4, dtype=torch.int64))
    assert gradient.abs().max() < 1e-7


def test_the_order_of_the_pairs_does_not_matter() -> None:
    output, groups = pairs(), torch.tensor([0, 1, 2, 0, 1, 3])
    order = torch.tensor([3, 5, 0, 2, 1, 4])
    shuffled = ClapOutput(output.audio_embeds[order], output.text_embeds[order], output.logit_scale, output.logit_bias)
    assert info_nce(shuffled, groups[order]).item() == pytest.approx(info_nce(output, groups).item(), abs=1e-6)


def test_swapping_the_towers_does_not_matter() -> None:
    output, groups = pairs(), torch.tensor([0, 1, 2, 0, 1, 3])
    swapped = ClapOutput(output.text_embeds, output.audio_embeds, output.logit_scale, output.logit_bias)
    assert info_nce(swapped, groups).item() == pytest.approx(info_nce(output, groups).item(), abs=1e-6)


def with_heads(output: ClapOutput) -> ClapOutput:
    generator = torch.Generator().manual_seed(9)
    audio, text = (torch.randn(output.audio_embeds.shape, generator=generator) for _ in range(2))
    return output._replace(mlp=MlpOutput(audio, text, torch.tensor(3.0)))


def test_the_loss_through_second_heads_is_the_mean_of_its_four_terms() -> None:
    output, diagonal = with_heads(pairs()), torch.arange(6)
    assert output.mlp is not None
    by_text_head = output.logit_scale * output.audio_embeds @ output.mlp.text_embeds.T
    by_audio_head = 3.0 * output.mlp.audio_embeds @ output.text_embeds.T
    terms = [F.cross_entropy(logits, diagonal) for z in (by_text_head, by_audio_head) for logits in (z, z.T)]
    assert info_nce_mlp(output).item() == pytest.approx(torch.stack(terms).mean().item(), abs=1e-6)


def test_in_the_loss_through_second_heads_copies_of_a_caption_are_no_negatives() -> None:
    output = with_heads(pairs(batch=2))
    assert info_nce_mlp(output, torch.tensor([0, 0])) != info_nce_mlp(output)


def test_the_loss_through_second_heads_asks_for_them() -> None:
    with pytest.raises(ConfigError, match=r"set model\.mlp_heads to true"):
        info_nce_mlp(pairs())


def with_negatives(output: ClapOutput, clip: list[int], seed: int = 3) -> ClapOutput:
    vectors = torch.randn(len(clip), output.text_embeds.shape[1], generator=torch.Generator().manual_seed(seed))
    return output._replace(negatives=NegativeOutput(F.normalize(vectors, dim=-1), torch.tensor(clip)))


@pytest.mark.parametrize("groups", [None, torch.tensor([0, 1, 0, 2, 1, 3])])
@pytest.mark.parametrize("scale", [5.0, 100.0])
def test_negatives_are_more_texts_for_their_clip_alone_to_pick_from(groups: Tensor | None, scale: float) -> None:
    output = with_negatives(pairs(scale=scale), clip=[4, 0, 4, 5])
    assert output.negatives is not None
    logits = scale * output.audio_embeds @ output.text_embeds.T
    target = torch.eye(6) if groups is None else (groups[:, None] == groups[None, :]).float()
    target /= target.sum(1, keepdim=True)
    a_to_t = []
    for row in range(6):
        own = output.negatives.text_embeds[output.negatives.clip == row]
        wide = torch.cat([logits[row], scale * own @ output.audio_embeds[row]])
        a_to_t.append(-(target[row] * wide.log_softmax(0)[:6]).sum())
    t_to_a = -(target * logits.T.log_softmax(1)).sum(1)
    expected = (torch.stack(a_to_t).mean() + t_to_a.mean()) / 2
    assert info_nce(output, groups).item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_gradient_of_a_negative_is_its_share_of_the_softmax() -> None:
    logits = torch.randn(3, 3, generator=torch.Generator().manual_seed(4)).requires_grad_()
    wrong = torch.tensor([[0.3, -0.2, 0.9]]).requires_grad_()  # its logit with clip 1 is audio 1 times this
    info_nce(from_logits(logits)._replace(negatives=NegativeOutput(wrong, torch.tensor([1])))).backward()
    row = logits.detach()[1]
    share = torch.cat([row, (wrong.detach() @ row)]).softmax(0)[3]
    assert wrong.grad is not None
    torch.testing.assert_close(wrong.grad[0], share * row / 6, atol=1e-6, rtol=0)  # 3 clips, 2 directions


def test_negatives_that_are_nearer_than_anything_overflow_nothing() -> None:
    output = pairs(scale=100.0)
    wrong = NegativeOutput(output.audio_embeds[:1], torch.tensor([0]))
    assert info_nce(output._replace(negatives=wrong)).isfinite()


def test_in_the_loss_through_second_heads_negatives_go_through_them_too() -> None:
    output = with_heads(with_negatives(pairs(), clip=[2, 3]))
    assert output.negatives is not None
    second = torch.randn(2, 8, generator=torch.Generator().manual_seed(5))
    both = output._replace(negatives=output.negatives._replace(mlp_text_embeds=second))
    assert output.mlp is not None
    by_text_head = output._replace(text_embeds=output.mlp.text_embeds)
    by_audio_head = output._replace(audio_embeds=output.mlp.audio_embeds, logit_scale=output.mlp.logit_scale_text)
    clip = output.negatives.clip
    terms = [
        info_nce(by_text_head._replace(negatives=NegativeOutput(second, clip))),
        info_nce(by_audio_head),  # with the negatives' first vectors
    ]
    assert info_nce_mlp(both).item() == pytest.approx(torch.stack(terms).mean().item(), abs=1e-6)
    with pytest.raises(ConfigError, match="second heads"):
        info_nce_mlp(output)
