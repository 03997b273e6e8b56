"""One step: gradients over micro-batches, clipping, chance, and what happens to what is not finite."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from openclap.training.objectives.base import ObjectiveConfig, build_objective
from openclap.training.optim import EncoderOptimConfig, OptimConfig, build_optimizer
from openclap.training.step import TrainStep, forward, validate
from openclap.training.text_cache import PooledTextCache

CPU = torch.device("cpu")


@pytest.fixture
def make_step(make_bundle) -> Callable[..., tuple]:
    """A fresh step, its bundle, and batches."""

    def make(optim: OptimConfig | None = None, precision: str = "fp32", seed: int = 3, cache: bool = False) -> tuple:
        bundle = make_bundle()
        optim = optim or OptimConfig(lr=1e-2)
        optimizer = build_optimizer(bundle.model, optim)
        objective = build_objective(ObjectiveConfig())
        step = TrainStep(
            bundle.model,
            bundle.frontend,
            objective,
            optimizer,
            optim,
            device=CPU,
            precision=precision,
            seed=seed,
            text_cache=PooledTextCache(bundle.model.text_encoder, 1 << 20) if cache else None,
        )
        return step, bundle

    return make


def weights(bundle) -> torch.Tensor:
    return torch.cat([value.flatten().double() for value in bundle.model.state_dict().values()])


def test_the_same_step_twice_gives_the_same_bits(make_step, numbered):
    results = []
    for _ in range(2):
        step, bundle = make_step()
        step(0, 1.0, [numbered(bundle.tokenizer).batch(0)])
        results.append(weights(bundle))
    assert torch.equal(*results)


@pytest.mark.parametrize(("seed", "number"), [(4, 0), (3, 1)])
def test_another_seed_or_step_has_another_dropout(make_step, numbered, seed, number):
    first, bundle = make_step()
    batch = [numbered(bundle.tokenizer).batch(0)]
    first(0, 1.0, batch)
    second, other = make_step(seed=seed)
    second(number, 1.0, batch)
    assert not torch.equal(weights(bundle), weights(other))


def test_a_step_leaves_the_callers_random_numbers_alone(make_step, numbered):
    step, bundle = make_step()
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    step(0, 1.0, [numbered(bundle.tokenizer).batch(0)])
    assert torch.equal(torch.rand(2), expected)


def test_accumulated_gradients_are_the_mean_of_each_micro_batchs_own(make_step, numbered):
    step, bundle = make_step(OptimConfig(max_grad_norm=None))
    batches = [numbered(bundle.tokenizer).batch(k) for k in (0, 1)]
    objective = build_objective(ObjectiveConfig())
    expected = []
    model = bundle.model
    model.eval()  # no chance, so that the batches can be compared one by one
    for batch in batches:
        model.zero_grad()
        forward(model, bundle.frontend, objective, batch, CPU, "fp32")["loss"].backward()
        expected.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    model.zero_grad()
    step._model = _Calm(model)
    report = step(0, 0.0, batches)
    found = [p.grad for p in model.parameters() if p.grad is not None]
    for first, second, both in zip(*expected, found, strict=True):
        torch.testing.assert_close(both, (first + second) / 2, rtol=1e-4, atol=1e-7)  # a sum in another order
    assert report.applied


class _Calm(torch.nn.Module):
    """The model, which stays in evaluation mode whatever it is told."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def train(self, mode: bool = True) -> _Calm:
        self.training = False
        return self

    def forward(self, *args):
        return self.model(*args)

    def clamp_logit_scale_(self) -> None:
        self.model.clamp_logit_scale_()


def test_clipping_bounds_the_gradient_and_reports_what_it_was(make_step, numbered):
    step, bundle = make_step(OptimConfig(lr=1e-2, max_grad_norm=1e-3))
    report = step(0, 1.0, [numbered(bundle.tokenizer).batch(0)])
    norm = torch.stack([p.grad.norm() for p in bundle.model.parameters() if p.grad is not None]).norm()
    assert report.grad_norm > 1e-3
    assert norm <= 1e-3 * (1 + 1e-4)  # clip_grad_norm_ adds an epsilon to the norm


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_step_that_is_not_finite_changes_no_weight_and_no_moving_statistic(make_step, numbered, accumulate):
    step, bundle = make_step()
    batches = numbered(bundle.tokenizer, spoilt=frozenset({1}))
    step(0, 1.0, [batches.batch(0)])  # so that the optimiser has a momentum that could move the weights
    before = weights(bundle)
    report = step(1, 1.0, [batches.batch(0), batches.batch(1)][-accumulate:])
    assert not report.applied
    assert torch.equal(weights(bundle), before)
    assert step(2, 1.0, [batches.batch(2)]).applied


def test_a_frozen_encoder_keeps_its_weights_and_has_no_dropout(make_step, numbered):
    step, bundle = make_step(OptimConfig(lr=1e-2, text_encoder=EncoderOptimConfig(frozen=True)))
    frozen = {name: value.clone() for name, value in bundle.model.text_encoder.state_dict().items()}
    head = bundle.model.text_projection.state_dict()
    head = {name: value.clone() for name, value in head.items()}
    step(0, 1.0, [numbered(bundle.tokenizer).batch(0)])
    assert all(torch.equal(value, frozen[name]) for name, value in bundle.model.text_encoder.state_dict().items())
    assert any(not torch.equal(value, head[name]) for name, value in bundle.model.text_projection.state_dict().items())


def test_steps_with_the_text_cache_are_those_without(make_step, numbered):
    optim = OptimConfig(lr=1e-2, text_encoder=EncoderOptimConfig(frozen=True))
    results = []
    for cache in (False, True):
        step, bundle = make_step(optim, cache=cache)
        batches = numbered(bundle.tokenizer)
        reports = [step(k, 1.0, [batches.batch(k)]) for k in range(4)]
        results.append((weights(bundle), reports[-1].losses["loss"]))
    # Adam divides by the size of a gradient, which widens float32 rounding; a wrong vector is off by far more.
    torch.testing.assert_close(results[0][0], results[1][0], rtol=0, atol=2e-3)
    assert results[0][1] == pytest.approx(results[1][1], rel=1e-3)


def test_under_bf16_weights_and_loss_stay_float32_and_close(make_step, numbered):
    losses = []
    for precision in ("fp32", "bf16"):
        step, bundle = make_step(precision=precision)
        batch = numbered(bundle.tokenizer).batch(0)
        losses.append(step(0, 1.0, [batch]).losses["loss"])
        assert all(p.dtype == torch.float32 for p in bundle.model.parameters())
        bundle.model.eval()
        parts = forward(bundle.model, bundle.frontend, build_objective(ObjectiveConfig()), batch, CPU, precision)
        assert parts["loss"].dtype == torch.float32
    assert losses[0] == pytest.approx(losses[1], rel=0.05)  # 8 bits of mantissa through two towers


def test_validation_is_the_mean_over_clips_without_chance_or_learning(make_step, numbered):
    _, bundle = make_step()
    batches = numbered(bundle.tokenizer)
    objective = build_objective(ObjectiveConfig())
    before = weights(bundle)
    first, second = (
        validate(bundle.model, bundle.frontend, objective, batches.iterate(0, 3), device=CPU, precision="fp32")
        for _ in range(2)
    )
    assert first == second
    assert set(first) == {"loss", "audio_to_text_accuracy", "text_to_audio_accuracy"}
    assert torch.equal(weights(bundle), before)


def test_the_model_learns_which_tone_is_which_caption(make_step, numbered):
    step, bundle = make_step(OptimConfig(lr=3e-3))
    batches = numbered(bundle.tokenizer)
    for k in range(60):
        step(k, min(1.0, (k + 1) / 10), [batches.batch(k)])
    found = validate(
        bundle.model,
        bundle.frontend,
        build_objective(ObjectiveConfig()),
        batches.iterate(100, 104),
        device=CPU,
        precision="fp32",
    )
    assert found["loss"] < 1.0  # guessing among four captions has ln 4 = 1.39
