"""A run's checkpoints on disk: each appears whole or not at all, whatever moment the process is killed at.

    OUT/checkpoints/step-00000400/   a bundle and training.pt (optimiser state, step, best value)
    OUT/best/  OUT/last/             bundles, as real directories: hard links to the files of a checkpoint, or copies

Each directory is written under a hidden name and renamed. `best` and `last` follow from the newest checkpoint: they are
set after it, and again by `recover`, which mends whatever a kill has left undone when the run is resumed.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from openclap.atomic import written_whole
from openclap.checkpoints.native import BUNDLE_FILES, WEIGHTS_FILE, Bundle, save_bundle
from openclap.checkpoints.weights import put_weights, read_weights
from openclap.errors import CheckpointError
from openclap.models.clap import Clap
from openclap.training.plateau import Plateau

STATE_FILE = "training.pt"
_STATE_VERSION = 1
_STEP = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True)
class Best:
    """The best evaluation so far.

    Attributes:
        metric: what was compared.
        value: what it was.
        step: steps done by then; a checkpoint of that step is kept.
    """

    metric: str
    value: float
    step: int


@dataclass(frozen=True)
class TrainingState:
    """What resuming needs besides the weights. There is no random state: randomness is a function of seed and step.

    Attributes:
        step: steps done.
        elapsed_s: seconds of training.
        skipped_in_a_row: steps just before this that were skipped for not being finite.
        best: the best evaluation, or None before the first.
        metrics: what was measured at this step; empty if nothing was.
        data_digest: of the examples that the run trains and validates on.
        optimizer: the optimiser's own state.
        plateau: what the validations so far say of the learning rate.
    """

    step: int
    elapsed_s: float
    skipped_in_a_row: int
    best: Best | None
    metrics: dict[str, float]
    data_digest: str
    optimizer: dict[str, Any]
    plateau: Plateau = field(default_factory=Plateau)


class CheckpointStore:
    """The checkpoints of one run.

    Args:
        out: the run's directory.
        keep: how many of the newest to keep; the best is kept besides.
    """

    def __init__(self, out: Path, keep: int) -> None:
        self._out = out
        self._checkpoints = out / "checkpoints"
        self._keep = keep

    def save(self, bundle: Bundle, state: TrainingState) -> Path:
        """The directory of a new checkpoint; `last` is it now, and so is `best` if the state says so."""
        directory = self._directory(state.step)
        with written_whole(directory) as fresh:
            save_bundle(bundle, fresh)
            _write_state(state, fresh / STATE_FILE)
        if state.best is None or state.best.step == state.step:
            self._mirror_best(state)
        self._mirror(directory, "last")
        self._prune(state)
        return directory

    def newest(self) -> Path | None:
        """The newest whole checkpoint, or None."""
        found = self._all()
        return found[-1] if found else None

    def load_weights(self, model: Clap, step: int) -> None:
        """Put the weights of the checkpoint of `step` into a model.

        Raises:
            CheckpointError: if they are broken or do not fit.
        """
        path = self._directory(step) / WEIGHTS_FILE
        put_weights(model, read_weights(path), path)

    def recover(self) -> TrainingState | None:
        """The newest checkpoint's state, after mending what a kill has left undone; None if there is no checkpoint."""
        newest = self.newest()
        state = None if newest is None else read_state(newest)
        if newest is not None and state is not None:
            self._mirror_best(state)
            self._mirror(newest, "last")
            self._prune(state)
        for leftover in (*self._checkpoints.glob(".*"), *self._out.glob(".best*"), *self._out.glob(".last*")):
            if leftover.is_dir():  # not a file manager's .DS_Store
                shutil.rmtree(leftover)
        return state

    def _mirror_best(self, state: TrainingState) -> None:
        step = state.step if state.best is None else state.best.step  # without evaluations the newest is best known
        if self._directory(step).is_dir():
            self._mirror(self._directory(step), "best")

    def _mirror(self, directory: Path, name: str) -> None:
        with written_whole(self._out / name) as fresh:
            for file in BUNDLE_FILES:
                if (directory / file).exists():  # `unused.safetensors` is in some bundles only
                    _link(directory / file, fresh / file)

    def _prune(self, state: TrainingState) -> None:
        best = None if state.best is None else self._directory(state.best.step)
        for directory in self._all()[: -self._keep]:
            if directory != best:
                hidden = directory.with_name(f".{directory.name}.deleting")
                directory.rename(hidden)  # what is half deleted must not look like a checkpoint
                shutil.rmtree(hidden)

    def _all(self) -> list[Path]:
        if not self._checkpoints.is_dir():
            return []
        steps = {int(match[1]): path for path in self._checkpoints.iterdir() if (match := _STEP.fullmatch(path.name))}
        return [steps[step] for step in sorted(steps)]

    def _directory(self, step: int) -> Path:
        return self._checkpoints / f"step-{step:08d}"


def read_state(directory: Path) -> TrainingState:
    """The training state of a checkpoint.

    Raises:
        CheckpointError: if it is missing, broken, or of another format version.
    """
    path = directory / STATE_FILE
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        version = values.pop("format_version")
    except Exception as error:  # a broken file fails in the reader's own many ways
        raise CheckpointError(
            f"{path}: cannot be read ({error}): delete {directory} to resume from the checkpoint before it"
        ) from error
    if version != _STATE_VERSION:
        raise CheckpointError(
            f"{path}: has format version {version}, but this openclap reads {_STATE_VERSION}: "
            "resume with the version that wrote it"
        )
    best, plateau = values.pop("best"), values.pop("plateau", {})
    return TrainingState(best=None if best is None else Best(**best), plateau=Plateau(**plateau), **values)


def _write_state(state: TrainingState, path: Path) -> None:
    values = {field: getattr(state, field) for field in TrainingState.__dataclass_fields__}
    values["best"] = None if state.best is None else asdict(state.best)
    values["plateau"] = asdict(state.plateau)
    torch.save({"format_version": _STATE_VERSION, **values}, path)


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)
