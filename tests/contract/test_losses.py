"""What every registered loss must do."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from openclap.losses.base import losses
from openclap.types import ClapOutput, MlpOutput, NegativeOutput

GROUPS = torch.tensor([0, 1, 0, 2, 3])


def pairs(dtype: torch.dtype = torch.float32) -> ClapOutput:
    generator = torch.Generator().manual_seed(0)
    audio, text = (F.normalize(torch.randn(5, 16, generator=generator), dim=-1).to(dtype) for _ in range(2))
    return ClapOutput(audio, text, torch.tensor(14.0), torch.tensor(-1.0))


@pytest.fixture(params=losses.names())
def loss(request: pytest.FixtureRequest):
    """A loss, on outputs whose second heads give back what they get."""
    chosen = losses.get(request.param)

    def with_heads(output: ClapOutput, groups: torch.Tensor | None = None) -> torch.Tensor:
        heads = MlpOutput(output.audio_embeds, output.text_embeds, output.logit_scale)
        negatives = output.negatives and output.negatives._replace(mlp_text_embeds=output.negatives.text_embeds)
        return chosen(output._replace(mlp=heads, negatives=negatives), groups)

    return with_heads


@pytest.mark.parametrize("groups", [None, GROUPS])
def test_a_loss_is_one_finite_positive_float32_number(loss, groups) -> None:
    value = loss(pairs(), groups)
    assert value.shape == ()
    assert value.dtype == torch.float32
    assert value.isfinite()
    assert value > 0


@pytest.mark.parametrize("groups", [None, GROUPS])
def test_a_loss_moves_both_towers_and_the_scale(loss, groups) -> None:
    values = [value.clone().requires_grad_() for value in pairs()[:3]]
    loss(ClapOutput(*values, torch.tensor(0.0)), groups).backward()
    for value in values:
        assert value.grad is not None
        assert value.grad.isfinite().all()
        assert value.grad.abs().sum() > 0


def test_half_precision_embeddings_and_autocast_change_nothing_but_their_own_rounding(loss) -> None:
    rounded = pairs(torch.bfloat16)
    expected = loss(ClapOutput(rounded.audio_embeds.float(), rounded.text_embeds.float(), *rounded[2:]), GROUPS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(rounded, GROUPS)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(expected.item(), abs=1e-6)


def test_right_pairs_lose_less_than_wrong_pairs(loss) -> None:
    output = pairs()
    right = loss(output._replace(text_embeds=output.audio_embeds))
    wrong = loss(output._replace(text_embeds=output.audio_embeds.roll(1, dims=0)))
    assert right < wrong


def test_the_order_of_the_pairs_does_not_matter(loss) -> None:
    output, order = pairs(), torch.tensor([4, 2, 0, 1, 3])
    shuffled = output._replace(audio_embeds=output.audio_embeds[order], text_embeds=output.text_embeds[order])
    assert loss(shuffled, GROUPS[order]).item() == pytest.approx(loss(output, GROUPS).item(), rel=1e-6)


def test_a_shared_caption_pulls_and_a_different_one_pushes(loss) -> None:
    logits = torch.zeros(5, 5, requires_grad=True)
    loss(ClapOutput(logits, torch.eye(5), torch.tensor(1.0), torch.tensor(0.0)), GROUPS).backward()
    same = GROUPS[:, None] == GROUPS[None, :]
    assert (logits.grad[same] < 0).all()
    assert (logits.grad[~same] > 0).all()


def test_a_batch_of_one_pair_works(loss) -> None:
    output = pairs()
    single = output._replace(audio_embeds=output.audio_embeds[:1], text_embeds=output.text_embeds[:1])
    assert loss(single, torch.tensor([0])).isfinite()


def test_a_negative_is_pushed_away_from_its_clip_and_moves_no_other(loss) -> None:
    values = [value.clone().requires_grad_() for value in pairs()[:2]]
    wrong = F.normalize(torch.randn(3, 16, generator=torch.Generator().manual_seed(1)), dim=-1).requires_grad_()
    output = ClapOutput(*values, torch.tensor(5.0), torch.tensor(-1.0))
    plain = loss(output, GROUPS)
    hard = loss(output._replace(negatives=NegativeOutput(wrong, torch.tensor([1, 1, 4]))), GROUPS)
    assert hard > plain
    audio, text, away = torch.autograd.grad(hard - plain, [*values, wrong], allow_unused=True)
    assert audio[[0, 2, 3]].abs().max() < 1e-6  # clips without negatives
    assert text is not None
    own = values[0].detach()[[1, 1, 4]]
    assert ((away * own).sum(dim=1) > 0).all()  # a step down the gradient makes the cosine smaller
    assert (audio[[1, 4]].abs().sum(dim=1) > 1e-4).all()


def test_under_autocast_negatives_stay_float32(loss) -> None:
    rounded = pairs(torch.bfloat16)
    negatives = NegativeOutput(rounded.text_embeds.flip(0), torch.arange(5))
    exact = ClapOutput(rounded.audio_embeds.float(), rounded.text_embeds.float(), *rounded[2:4])
    expected = loss(exact._replace(negatives=negatives._replace(text_embeds=negatives.text_embeds.float())), GROUPS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(rounded._replace(negatives=negatives), GROUPS)
    assert value.item() == pytest.approx(expected.item(), abs=1e-6)
