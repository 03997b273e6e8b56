"""The directory of one run: what it holds, and whether a run may begin or go on in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from openclap.atomic import file_written_whole
from openclap.errors import ConfigError, TrainingError
from openclap.exclusive import held
from openclap.training.checkpointing import CheckpointStore, TrainingState
from openclap.training.config import RunConfig, check_resumable


class RunDirectory:
    """OUT: config.yaml, log.jsonl, tensorboard/, curves.png, checkpoints/, best/, last/.

    Args:
        out: the directory; made when the run begins.
        config: of the run.
        data_digest: of the examples that it trains and validates on.
    """

    def __init__(self, out: Path, config: RunConfig, data_digest: str) -> None:
        self.out = out
        self.store = CheckpointStore(out, config.trainer.keep)
        self.data_digest = data_digest
        self._config = config

    @property
    def log(self) -> Path:
        """The run's events."""
        return self.out / "log.jsonl"

    def begin(self) -> None:
        """Make the directory, for a run from its first step.

        Raises:
            TrainingError: if there is a run in it already.
        """
        if self._config_file.exists() or self.store.newest() is not None:
            raise TrainingError(
                f"{self.out} already holds a run: resume it with --resume, or give another directory with --out"
            )
        self.out.mkdir(parents=True, exist_ok=True)
        self._write_config()

    def resume(self) -> TrainingState | None:
        """The state to go on from; None if the run was ended before its first checkpoint.

        Raises:
            TrainingError: if there is no run.
            ConfigError: if settings or data have changed; says which.
            CheckpointError: if the newest checkpoint is broken.
        """
        if not self._config_file.exists():
            raise TrainingError(f"{self.out} holds no run to resume: leave out --resume to start one there")
        check_resumable(RunConfig.read_yaml(self._config_file), self._config)
        state = self.store.recover()
        if state is not None and state.data_digest != self.data_digest:
            raise ConfigError(
                f"the clips or captions of {self._config.data.train.path} (or of the validation data) are not those "
                "that the run was started with: restore them, or start another run with init set to its last/"
            )
        self._write_config()
        return state

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from training there: two would replace each other's checkpoints and log.

        Raises:
            TrainingError: if another process is training there.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(held(self.out) if self.out.is_dir() else nullcontext())
            except BlockingIOError as error:
                raise TrainingError(
                    f"another process is training in {self.out}: wait for it, or end it, or give another directory "
                    "with --out"
                ) from error
            yield

    @property
    def _config_file(self) -> Path:
        return self.out / "config.yaml"

    def _write_config(self) -> None:
        with file_written_whole(self._config_file) as fresh:
            fresh.write_text(self._config.yaml(), encoding="utf-8")
