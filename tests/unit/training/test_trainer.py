"""The loop: what is measured, saved and told, when it ends, and that resuming changes nothing."""

from __future__ import annotations

import os
import signal

import pytest
import torch

from openclap.checkpoints.native import load_bundle
from openclap.errors import NonFiniteError, TrainingError
from openclap.training.hooks import Hook
from openclap.training.optim import OptimConfig
from openclap.training.trainer import TrainerConfig


class Listener(Hook):
    """Keeps what it is told, and may act at a step."""

    def __init__(self, at: int = -1, act=lambda: None) -> None:
        self.steps, self.logged, self.saved, self.notices, self.metrics = [], [], [], [], {}
        self.ended = self.closed = False
        self._at, self._act = at, act

    def on_step(self, record):
        self.steps.append(record)
        if record.step == self._at:
            self._act()

    def on_log(self, record):
        self.logged.append(record.step)

    def on_save(self, step, directory, *, best):
        self.saved.append((step, best))

    def on_notice(self, step, message):
        self.notices.append(message)

    def on_metrics(self, step, metrics):
        self.metrics[step] = metrics

    def on_end(self, end):
        self.ended = True

    def close(self):
        self.closed = True


def config(**given) -> TrainerConfig:
    return TrainerConfig(**{"max_steps": 6, "precision": "fp32", **given})


def weights(out) -> bytes:
    return (out / "model.safetensors").read_bytes()


def test_a_run_takes_its_steps_and_leaves_best_and_last(make_trainer, tmp_path):
    listener = Listener()
    result = make_trainer(config=config(log_every=4), hooks=[listener]).run()
    assert [record.step for record in listener.steps] == [1, 2, 3, 4, 5, 6]
    assert listener.logged == [4, 6]  # and always the last
    assert listener.steps[-1].progress == 1
    assert (result.step, result.exit_code, result.signal) == (6, 0, None)
    assert listener.metrics[6]["validation/loss"] == result.metrics["validation/loss"]
    assert result.best.step == 6
    assert load_bundle(tmp_path / "run" / "best").provenance["step"] == 6
    assert listener.ended
    assert listener.closed


def test_the_rate_rises_and_falls(make_trainer):
    listener = Listener()
    make_trainer(config=config(max_steps=10), hooks=[listener]).run()
    rates = [record.rate for record in listener.steps]
    top = rates.index(max(rates))
    assert 0 < top < 4
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] > 0  # each step stands for its middle: none is wasted on a rate of zero


def test_a_checkpoint_is_saved_when_it_is_the_best_and_every_so_often(make_trainer, tmp_path):
    values = iter([0.5, 0.9, 0.7, 0.1])
    listener = Listener()
    given = config(max_steps=8, eval_every=2, save_every=3, best_metric="score", best_mode="max", keep=9)
    result = make_trainer(config=given, hooks=[listener], evaluate=lambda bundle: {"score": next(values)}).run()
    assert listener.saved == [(2, True), (3, False), (4, True), (6, False), (8, False)]
    assert (result.best.value, result.best.step) == (0.9, 4)
    assert load_bundle(tmp_path / "run" / "best").provenance["metrics"]["score"] == 0.9


def test_the_last_step_can_be_the_best_also_where_a_checkpoint_is_due(make_trainer, tmp_path):
    values = iter([2.0, 1.0])
    given = config(max_steps=6, eval_every=4, save_every=2, best_metric="score")
    result = make_trainer(config=given, evaluate=lambda bundle: {"score": next(values)}).run()
    assert result.best.step == 6
    assert load_bundle(tmp_path / "run" / "best").provenance["step"] == 6


def test_a_metric_that_is_not_measured_is_an_error_with_the_nearest_name(make_trainer):
    with pytest.raises(TrainingError, match="did you mean 'validation/loss'"):
        make_trainer(config=config(max_steps=1, best_metric="validation/los")).run()


def test_without_validation_data_the_newest_is_the_best(make_trainer, tmp_path):
    result = make_trainer(validation=None).run()
    assert result.best is None
    assert result.metrics == {}
    assert weights(tmp_path / "run" / "best") == weights(tmp_path / "run" / "last")


@pytest.mark.parametrize(("accumulate", "cuts"), [(1, (1, 3, 6)), (2, (4,))])
def test_a_resumed_run_ends_with_the_bits_of_one_that_was_not_interrupted(make_trainer, tmp_path, accumulate, cuts):
    given = config(max_steps=7, eval_every=3, save_every=2, accumulate=accumulate)
    make_trainer("whole", config=given).run()

    def crash() -> None:
        raise KeyboardInterrupt

    for at in cuts:  # before any checkpoint, between two, and at one
        with pytest.raises(KeyboardInterrupt):
            make_trainer(f"cut-{at}", config=given, hooks=[Listener(at, crash)]).run()
        result = make_trainer(f"cut-{at}", config=given).run(resume=True)
        assert result.step == 7
        assert weights(tmp_path / f"cut-{at}" / "last") == weights(tmp_path / "whole" / "last")


def test_resuming_a_run_that_is_over_changes_nothing(make_trainer, tmp_path):
    make_trainer().run()
    before = weights(tmp_path / "run" / "best")
    listener = Listener()
    result = make_trainer(hooks=[listener]).run(resume=True)
    assert listener.steps == listener.saved == []
    assert result.step == 6
    assert result.metrics  # those of the end, out of the checkpoint
    assert weights(tmp_path / "run" / "best") == before


def test_accumulation_takes_each_batch_once_and_in_order(make_trainer):
    trainer = make_trainer(config=config(max_steps=3, accumulate=2))
    trainer.run()
    assert trainer._train.asked[:6] == [0, 1, 2, 3, 4, 5]


def test_sigterm_ends_the_step_saves_and_says_so(make_trainer, tmp_path):
    listener = Listener(3, lambda: os.kill(os.getpid(), signal.SIGTERM))
    result = make_trainer("cut", hooks=[listener]).run()
    assert (result.step, result.exit_code) == (3, 143)
    assert listener.saved == [(3, True)]
    assert listener.ended
    make_trainer("cut").run(resume=True)
    make_trainer("whole").run()
    assert weights(tmp_path / "cut" / "last") == weights(tmp_path / "whole" / "last")


def test_a_step_that_is_not_finite_is_skipped_and_told_with_its_clips(make_trainer):
    listener = Listener()
    result = make_trainer(train={"spoilt": frozenset({1, 3})}, config=config(max_skipped=1), hooks=[listener]).run()
    assert result.step == 6
    assert [record.applied for record in listener.steps] == [True, False, True, False, True, True]
    assert len(listener.notices) == 2
    assert "clip-1-0" in listener.notices[0]
    assert {2, 4} <= set(listener.logged)  # never silently


def test_too_many_skipped_steps_in_a_row_end_the_run_with_step_and_clips(make_trainer):
    listener = Listener()
    with pytest.raises(NonFiniteError, match=r"step 4: loss nan.*2 steps in a row.*clip-3-0.*optim\.lr"):
        make_trainer(train={"spoilt": frozenset({2, 3})}, config=config(max_skipped=1), hooks=[listener]).run()
    assert listener.closed


def test_a_run_may_end_by_the_clock(make_trainer):
    listener = Listener()
    given = TrainerConfig(max_minutes=0.5 / 60, precision="fp32")
    result = make_trainer(config=given, hooks=[listener]).run()
    assert 0.5 <= result.elapsed_s < 5  # the last step may be a slow one
    progress = [record.progress for record in listener.steps]
    assert progress == sorted(progress)
    assert progress[-1] == 1


def test_clips_that_cannot_be_read_are_told(make_trainer):
    from openclap.data.loader import BadSample

    listener = Listener()
    bad = BadSample("x", "x.wav", "AudioDecodeError", "is broken inside")
    make_trainer(train={"bad": [bad]}, hooks=[listener]).run()
    assert listener.notices == ["left out, since it cannot be read: x.wav: is broken inside"]


def test_an_error_while_fetching_after_sigterm_is_taken_as_part_of_it(make_trainer):
    trainer = make_trainer()
    plain = trainer._train.iterate

    def iterate(start, stop):
        batches = plain(start, stop)
        yield next(batches)
        os.kill(os.getpid(), signal.SIGTERM)
        raise RuntimeError("a worker was killed by the same signal")

    trainer._train.iterate = iterate
    assert trainer.run().exit_code == 143


@pytest.mark.parametrize("at", [4, 6])  # at a validation in between, and at that of the end
@pytest.mark.parametrize("breaks", [False, True])  # whether the loader's workers are ended by the same signal
def test_a_stop_while_validating_saves_at_once_and_the_resumed_run_validates(make_trainer, tmp_path, at, breaks):
    given = config(max_steps=6, eval_every=2)
    trainer = make_trainer("cut", config=given)
    plain, asked = trainer._validation.iterate, []

    def iterate(start, stop):
        for batch in plain(start, stop):
            yield batch
            if trainer._step == at:
                asked.append(at)
                os.kill(os.getpid(), signal.SIGTERM)
                if breaks:
                    raise RuntimeError("a worker was killed by the same signal")

    trainer._validation.iterate = iterate
    result = trainer.run()
    assert (result.step, result.exit_code) == (at, 143)
    assert asked == [at]  # one batch, and no more
    listener = Listener()
    make_trainer("cut", config=given, hooks=[listener]).run(resume=True)
    assert list(listener.metrics) == list(range(at, 7, 2))
    whole = make_trainer("whole", config=given).run()
    assert whole.best.step == 6  # the one that the stop came upon, or a later one
    for name in ("best", "last"):
        assert weights(tmp_path / "cut" / name) == weights(tmp_path / "whole" / name)
    assert load_bundle(tmp_path / "cut" / "best").provenance["metrics"]


def test_clips_that_cannot_be_validated_on_are_told_once(make_trainer, numbered, make_bundle):
    from openclap.data.loader import BadSample

    listener = Listener()
    bad = BadSample("x", "x.wav", "AudioDecodeError", "is broken inside")
    validation = numbered(make_bundle().tokenizer, bad=[bad])
    make_trainer(validation=validation, config=config(eval_every=2), hooks=[listener]).run()
    assert listener.notices == ["left out, since it cannot be read: x.wav: is broken inside"]


def test_an_error_while_fetching_is_an_error_otherwise(make_trainer):
    trainer = make_trainer()

    def iterate(start, stop):
        raise RuntimeError("broken")
        yield

    trainer._train.iterate = iterate
    with pytest.raises(RuntimeError, match="broken"):
        trainer.run()


def test_nothing_of_the_callers_random_numbers_moves(make_trainer):
    trainer = make_trainer(optim=OptimConfig())
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    trainer.run()
    assert torch.equal(torch.rand(2), expected)
