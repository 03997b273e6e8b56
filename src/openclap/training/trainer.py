"""The training loop: batches to steps to logs, validation and checkpoints, until the run's end or a request to stop."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from pydantic import Field

from openclap.checkpoints.native import Bundle
from openclap.data.loader import BadSample
from openclap.errors import NonFiniteError, TrainingError, did_you_mean
from openclap.memory import all_freed_memory_kept
from openclap.training.checkpointing import Best, CheckpointStore, TrainingState
from openclap.training.hooks import Hook, Hooks, RunEnd, RunInfo, StepRecord
from openclap.training.interrupt import StopRequest, stop_on_sigterm
from openclap.training.optim import Optimizer
from openclap.training.plateau import Plateau
from openclap.training.precision import Precision
from openclap.training.schedule import DurationConfig, ScheduleConfig, rate_factor
from openclap.training.step import StepReport
from openclap.types import PairBatch

_SHOWN_IDS = 8


class TrainerConfig(DurationConfig):
    """How long a run is, and what happens how often.

    Attributes:
        accumulate: micro-batches of `data.batch_size` in one optimiser step. Each contrasts its clips only among
            themselves, so this does not stand in for a larger batch: no clip gets more negatives from it.
        device: "auto" (CUDA if there is a device, else the CPU), "cpu", "cuda", "cuda:1".
        precision: of matrix products and convolutions; "auto" is bf16 where the hardware has
            matrix units for it, else fp32.
        max_skipped: steps in a row that may be skipped because their loss or gradient was not finite; one more ends
            the run with an error.
        log_every: steps between two lines of the log.
        eval_every: steps between two validations; None validates at the end only.
        save_every: steps between two checkpoints; None saves when a validation is the best so far, and at the end.
        keep: how many of the newest checkpoints stay; that of `best` stays besides.
        best_metric: what makes a checkpoint the best: a name that validation gives ("validation/loss",
            "validation/audio_to_text_accuracy", …) or that `evaluate` gives. None is "validation/loss", or, where
            there is no validation data, the newest.
        best_mode: whether less or more of it is better.
        validation_batches: at most so many batches of the validation data; None takes one pass.
        text_cache_bytes: room for what a frozen text encoder says of each caption, so that it is asked once; 0 asks
            every time. Pays when captions come back: in a few passes over up to some 100,000 captions.
        tensorboard: write TensorBoard event files.
        curves: draw curves.png at the end.
    """

    accumulate: int = Field(default=1, gt=0)
    device: str = "auto"
    precision: Precision = "auto"
    max_skipped: int = Field(default=3, ge=0)
    log_every: int = Field(default=10, gt=0)
    eval_every: int | None = Field(default=None, gt=0)
    save_every: int | None = Field(default=None, gt=0)
    keep: int = Field(default=2, gt=0)
    best_metric: str | None = None
    best_mode: Literal["min", "max"] = "min"
    validation_batches: int | None = Field(default=None, gt=0)
    text_cache_bytes: int = Field(default=0, ge=0)
    tensorboard: bool = True
    curves: bool = True


@dataclass(frozen=True)
class TrainResult:
    """What a run came to.

    Attributes:
        out: the run's directory, with best/ and last/ in it.
        step: steps done.
        elapsed_s: seconds of training.
        metrics: of the last validation and evaluation.
        best: the best of them, or None where nothing was measured.
        signal: the number of the signal that ended the run before its time, or None.
    """

    out: Path
    step: int
    elapsed_s: float
    metrics: Mapping[str, float]
    best: Best | None
    signal: int | None

    @property
    def exit_code(self) -> int:
        """What a process that did this exits with: 0, or 128 + the signal's number (143 after SIGTERM)."""
        return 0 if self.signal is None else 128 + self.signal


class Batches(Protocol):
    """Where batches come from: `openclap.data.loader.PairLoader`. What batch k holds depends on k alone.

    Attributes:
        bad: clips that could not be read so far.
    """

    bad: list[BadSample]

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass."""
        ...

    def iterate(self, start_step: int, stop_step: int) -> Iterator[PairBatch]:
        """Batches `start_step` up to `stop_step`."""
        ...


class Run(Protocol):
    """Where a run's state is kept: `openclap.training.run_directory.RunDirectory`."""

    out: Path
    store: CheckpointStore
    data_digest: str

    def begin(self) -> None:
        """Start there, or refuse."""
        ...

    def resume(self) -> TrainingState | None:
        """The state to go on from, or refuse."""
        ...

    def held(self) -> AbstractContextManager[None]:
        """Keep other processes from training there meanwhile, or refuse."""
        ...


class Trainer:
    """Trains a bundle's model.

    Args:
        info: of the run; its start step is filled in here.
        config: how long, how often.
        schedule: of the learning rate.
        bundle: what is trained and saved; its provenance grows with the run's step and metrics.
        optimizer: over the model's trainable parameters.
        step: takes one step; `openclap.training.step.TrainStep`.
        validate: gives the objective's scalars on batches; `openclap.training.step.validate`, with all but the batches.
        train: batches to train on.
        validation: batches to validate on, or None.
        directory: where the run lives.
        hooks: listeners.
        evaluate: further metrics of the bundle at each validation, by name; the caller's, since training knows no
            evaluation.
    """

    def __init__(
        self,
        info: RunInfo,
        config: TrainerConfig,
        schedule: ScheduleConfig,
        *,
        bundle: Bundle,
        optimizer: Optimizer,
        step: Callable[[int, float, Sequence[PairBatch]], StepReport],
        validate: Callable[[Iterable[PairBatch]], dict[str, float]],
        train: Batches,
        validation: Batches | None,
        directory: Run,
        hooks: Iterable[Hook] = (),
        evaluate: Callable[[Bundle], Mapping[str, float]] | None = None,
    ) -> None:
        self.bundle = bundle
        self._info, self._config, self._schedule = info, config, schedule.over(info.total_steps)
        self._optimizer, self._take_step, self._validate = optimizer, step, validate
        self._train, self._validation, self._directory = train, validation, directory
        self._hooks, self._evaluate = Hooks(hooks), evaluate
        self._best_metric = config.best_metric or (None if validation is None else "validation/loss")
        self._total = info.total_steps
        self._step, self._elapsed_s, self._skipped = 0, 0.0, 0
        self._best: Best | None = None
        self._plateau = Plateau()
        self._metrics: dict[str, float] = {}
        self._saved_at = self._measured_at = -1
        self._bad_told: set[Path] = set()

    def run(self, *, resume: bool = False) -> TrainResult:
        """Train to the end, or until SIGTERM; either way the last state is saved.

        On the CPU, with the same number of threads, a run that was ended at any moment and resumed gives bit for bit
        the weights of one that was not, unless the clock decides its length.

        Args:
            resume: go on with the run in the directory, at its newest checkpoint, instead of starting one.

        Raises:
            TrainingError: if there is a run already (or none to resume, or another process is training it), or
                `best_metric` is not measured.
            ConfigError: if a resumed run's settings or data have changed.
            NonFiniteError: if more than `max_skipped` steps in a row were not finite.
        """
        with ExitStack() as stack:
            if resume:
                stack.enter_context(self._directory.held())
                self._restore(self._directory.resume())
            else:
                self._directory.begin()
                stack.enter_context(self._directory.held())
            stack.callback(self._hooks.close)
            self._hooks.on_start(replace(self._info, start_step=self._step))
            for notice in self._info.notices if self._step == 0 else ():
                self._hooks.on_notice(0, notice)
            stop = stack.enter_context(stop_on_sigterm())
            if torch.device(self._info.device).type == "cpu":
                stack.enter_context(all_freed_memory_kept())
            if self._step:  # resumed: where a stop cut a measurement short, it is made now
                self._after_step(stop)
            self._loop(stop)
            self._measure(stop)
            self._save()
            self._hooks.on_end(RunEnd(self._step, self._elapsed_s, stopped=bool(stop)))
        return TrainResult(
            self._directory.out, self._step, self._elapsed_s, dict(self._metrics), self._best, stop.signal
        )

    def _loop(self, stop: StopRequest) -> None:
        accumulate = self._config.accumulate
        last = sys.maxsize if self._total is None else self._total * accumulate
        batches = self._train.iterate(self._step * accumulate, last)
        window = _Window()
        while not stop and not self._done():
            began = time.perf_counter()
            try:
                micro_batches = list(islice(batches, accumulate))
            except Exception:
                if stop:  # the signal that asked us to stop may have ended the loader's workers as well
                    return
                raise
            fetched = time.perf_counter()
            progress = self._config.progress(self._step + 0.5, self._total, self._elapsed_s)
            factor = rate_factor(self._schedule, progress) * self._plateau.factor
            report = self._take_step(self._step, factor, micro_batches)
            ended = time.perf_counter()
            self._step += 1
            self._elapsed_s += ended - began
            window.add(sum(map(len, micro_batches)), ended - began, fetched - began)
            self._tell(report, micro_batches, window)
            self._after_step(stop)

    def _done(self) -> bool:
        return self._config.progress(self._step, self._total, self._elapsed_s) >= 1

    def _tell(self, report: StepReport, micro_batches: Sequence[PairBatch], window: _Window) -> None:
        record = StepRecord(
            step=self._step,
            progress=self._config.progress(self._step, self._total, self._elapsed_s),
            losses=report.losses,
            rate=report.rate,
            grad_norm=report.grad_norm,
            applied=report.applied,
            clips_per_s=window.clips / window.seconds,
            data_share=window.waiting_s / window.seconds,
            elapsed_s=self._elapsed_s,
            ids=tuple(name for batch in micro_batches for name in batch.ids),
        )
        self._hooks.on_step(record)
        if self._step % self._config.log_every == 0 or self._done() or not report.applied:
            self._hooks.on_log(record)
            window.clear()
        self._tell_bad(self._train.bad)
        self._skipped = 0 if report.applied else self._skipped + 1
        if not report.applied:
            self._skip(record)

    def _tell_bad(self, samples: Iterable[BadSample]) -> None:
        for bad in samples:
            if bad.audio not in self._bad_told:
                self._bad_told.add(bad.audio)
                self._hooks.on_notice(self._step, f"left out, since it cannot be read: {bad.audio}: {bad.reason}")

    def _skip(self, record: StepRecord) -> None:
        more = len(record.ids) - _SHOWN_IDS
        names = ", ".join(record.ids[:_SHOWN_IDS]) + (f" and {more} more" if more > 0 else "")
        what = f"loss {record.losses['loss']}, gradient norm {record.grad_norm}"
        if self._skipped > self._config.max_skipped:
            raise NonFiniteError(
                f"step {record.step}: {what}; {self._skipped} steps in a row were not finite, and "
                f"trainer.max_skipped is {self._config.max_skipped}. The step's clips: {names}. Lower optim.lr, "
                "set trainer.precision to fp32, or look at these clips with `openclap data check`"
            )
        self._hooks.on_notice(record.step, f"skipped, since it is not finite: {what}; its clips: {names}")

    def _after_step(self, stop: StopRequest) -> None:
        def due(every: int | None) -> bool:
            return every is not None and self._step % every == 0

        if self._done():  # the end measures and saves
            return
        if due(self._config.eval_every):
            self._measure(stop)
        if due(self._config.save_every) or self._is_new_best():
            self._save()

    def _is_new_best(self) -> bool:
        return self._best is not None and self._best.step == self._step and self._saved_at != self._step

    def _measure(self, stop: StopRequest) -> None:
        """Validate and evaluate, unless this step has been; and see whether it is the best.

        A request to stop cuts it short, and nothing is kept of it: the run measures when it goes on.
        """
        if stop or self._measured_at == self._step or (self._validation is None and self._evaluate is None):
            return
        try:
            metrics = self._metrics_now(stop)
        except Exception:
            if stop:  # the signal may have ended the loader's workers as well
                return
            raise
        if stop:
            return
        self._measured_at, self._saved_at = self._step, -1  # a checkpoint of this step knows nothing of it
        self._metrics = metrics
        self._hooks.on_metrics(self._step, metrics)
        if "validation/loss" in metrics:
            self._plateau = self._plateau.after(metrics["validation/loss"], self._schedule)
        if self._best_metric is not None:
            self._compare(self._best_metric, metrics)

    def _metrics_now(self, stop: StopRequest) -> dict[str, float]:
        metrics: dict[str, float] = {}
        if self._validation is not None:
            count = self._validation.steps_per_epoch
            count = count if self._config.validation_batches is None else min(count, self._config.validation_batches)
            values = self._validate(takewhile(lambda _: not stop, self._validation.iterate(0, count)))
            metrics.update({f"validation/{name}": value for name, value in values.items()})
            self._tell_bad(self._validation.bad)
        if self._evaluate is not None and not stop:
            self.bundle.model.eval()
            with torch.no_grad():
                metrics.update(self._evaluate(self.bundle))
        return metrics

    def _compare(self, name: str, metrics: Mapping[str, float]) -> None:
        if name not in metrics:
            raise TrainingError(f"trainer.best_metric {name!r} is not measured{did_you_mean(name, metrics)}")
        value = metrics[name]
        sign = 1 if self._config.best_mode == "max" else -1
        if self._best is None or sign * value > sign * self._best.value:
            self._best = Best(name, value, self._step)

    def _save(self) -> None:
        if self._saved_at == self._step:
            return
        self._saved_at = self._step
        state = TrainingState(
            step=self._step,
            elapsed_s=self._elapsed_s,
            skipped_in_a_row=self._skipped,
            best=self._best,
            metrics=self._metrics if self._measured_at == self._step else {},
            data_digest=self._directory.data_digest,
            optimizer=self._optimizer.state_dict(),
            plateau=self._plateau,
        )
        progress: dict[str, Any] = {
            "step": self._step,
            "training_seconds": round(self._elapsed_s, 3),
            "metrics": state.metrics,
        }
        bundle = replace(self.bundle, provenance={**self.bundle.provenance, **progress})
        directory = self._directory.store.save(bundle, state)
        best = self._best is None or self._best.step == self._step
        self._hooks.on_save(self._step, directory, best=best)

    def _restore(self, state: TrainingState | None) -> None:
        if state is None:  # killed before its first checkpoint: it begins again
            return
        self._directory.store.load_weights(self.bundle.model, state.step)
        self._optimizer.load_state_dict(state.optimizer)
        self._step, self._elapsed_s, self._skipped = state.step, state.elapsed_s, state.skipped_in_a_row
        self._best, self._metrics, self._saved_at = state.best, state.metrics, state.step
        self._plateau = state.plateau
        if state.metrics:
            self._measured_at = state.step


@dataclass
class _Window:
    """What happened since the last log."""

    clips: int = 0
    seconds: float = 0.0
    waiting_s: float = 0.0

    def add(self, clips: int, seconds: float, waiting_s: float) -> None:
        self.clips += clips
        self.seconds += seconds
        self.waiting_s += waiting_s

    def clear(self) -> None:
        self.clips, self.seconds, self.waiting_s = 0, 0.0, 0.0
