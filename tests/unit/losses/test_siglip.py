from __future__ import annotations

import math

import pytest
import torch

from openclap.losses.siglip import siglip
from openclap.types import ClapOutput, NegativeOutput


def from_logits(logits: torch.Tensor, bias: float = 0.0) -> ClapOutput:
    return ClapOutput(logits, torch.eye(len(logits)), torch.tensor(1.0), torch.tensor(bias))


def test_a_two_by_two_case_computed_by_hand() -> None:
    loss = siglip(from_logits(torch.tensor([[2.0, 0.0], [1.0, 3.0]]), bias=-1.0))
    parts = [math.log(1 + math.exp(-1)), math.log(1 + math.exp(-1)), math.log(2), math.log(1 + math.exp(-2))]
    assert loss.item() == pytest.approx(sum(parts) / 2, abs=1e-6)  # float32 rounding


def test_a_pair_with_the_same_caption_is_only_ever_pulled_closer() -> None:
    logits = torch.randn(6, 6, generator=torch.Generator().manual_seed(0)).mul(4).requires_grad_()
    groups = torch.tensor([0, 1, 0, 2, 1, 0])
    siglip(from_logits(logits), groups).backward()
    same = groups[:, None] == groups[None, :]
    assert logits.grad is not None
    assert (logits.grad[same] < 0).all()
    assert (logits.grad[~same] > 0).all()


def test_the_gradient_is_the_sigmoid_of_the_wrong_answer() -> None:
    logits = torch.randn(4, 4, generator=torch.Generator().manual_seed(1)).requires_grad_()
    siglip(from_logits(logits)).backward()
    expected = (logits.detach().sigmoid() - torch.eye(4)) / 4
    torch.testing.assert_close(logits.grad, expected, atol=1e-6, rtol=0)


def test_the_bias_that_the_paper_starts_with_makes_the_first_loss_small() -> None:
    vectors = torch.nn.functional.normalize(torch.randn(64, 512, generator=torch.Generator().manual_seed(2)), dim=-1)
    audio, text = vectors, vectors.flip(0)
    with_bias = siglip(ClapOutput(audio, text, torch.tensor(10.0), torch.tensor(-10.0)))
    without = siglip(ClapOutput(audio, text, torch.tensor(10.0), torch.tensor(0.0)))
    assert with_bias < without / 3


def test_a_negative_is_one_more_question_of_its_clip_to_which_the_answer_is_no() -> None:
    logits = torch.randn(4, 4, generator=torch.Generator().manual_seed(3)).requires_grad_()
    wrong = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]]).requires_grad_()
    output = from_logits(logits, bias=-1.0)._replace(negatives=NegativeOutput(wrong, torch.tensor([2, 3])))
    added = siglip(output) - siglip(output._replace(negatives=None))
    asked = torch.stack([logits[2, 0], 2 * logits[3, 1]]).detach() - 1.0
    assert added.item() == pytest.approx((1 + asked.exp()).log().sum().item() / 4, abs=1e-6)
    (gradient,) = torch.autograd.grad(added, wrong)
    torch.testing.assert_close(gradient, asked.sigmoid()[:, None] * logits.detach()[[2, 3]] / 4, atol=1e-6, rtol=0)
