"""What an evaluation task is, the registry of tasks, and how they are run on a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from openclap.config import Config
from openclap.data.manifest import Manifest
from openclap.errors import EvaluationError, ManifestError
from openclap.evaluation.encode import Embeds, Encoder
from openclap.evaluation.results import Result, Score, now, versions
from openclap.models.clap import NO_TEXT
from openclap.registry import Registry


class TaskConfig(Config):
    """What every task can be told; a task's own config adds to it.

    Attributes:
        where: filters for the manifest's clips ({"split": "test", "kind": "single"}).
        seed: of the bootstrap.
    """

    where: dict[str, Any] = Field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """What a task's run gives: scores by key, how many clips were used, and plain values to list beside them."""

    scores: Mapping[str, Score]
    clips: int
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EvalTask:
    """A question to a model, fixed enough that two answers can be compared.

    Attributes:
        name: as registered.
        version: raised whenever the numbers change for the same input.
        protocol: what is done, in words that a paper's reader would need.
        config: class of its settings.
        run: (encoder, clips, settings) to the outcome.
        check: (clips, settings) to nothing, or an `EvaluationError` if the task cannot be done on these clips. It is
            asked of every task before the first one runs.
        needs_text: whether it embeds texts: a model without a text tower is refused before all else.
    """

    name: str
    version: int
    protocol: str
    config: type[TaskConfig]
    run: Callable[[Encoder, Manifest, Any], Outcome]
    check: Callable[[Manifest, Any], object] = lambda manifest, config: None  # noqa: ARG005
    needs_text: bool = False


tasks: Registry[EvalTask] = Registry("task", "openclap.evaluation.tasks")


def evaluate(
    model: Embeds | Encoder,
    manifest: Manifest,
    plan: Mapping[str, Mapping[str, Any]] | Sequence[str],
    *,
    model_path: str = "",
) -> list[Result]:
    """The results of tasks, in the order of the plan; each clip is embedded once.

    Args:
        model: what embeds, or an `Encoder` around it that keeps its embeddings for further calls.
        manifest: the clips; each task applies its own filters.
        plan: names of tasks, or names with settings: {"retrieval": {"where": {"split": "test"}}}.
        model_path: where the model came from, for the results.

    Raises:
        UnknownNameError: for a task that is not registered.
        ConfigError: for a wrong setting.
        EvaluationError: if a task cannot be done on these clips, or with this model.
    """
    encoder = model if isinstance(model, Encoder) else Encoder(model)
    settings = plan if isinstance(plan, Mapping) else {name: {} for name in plan}
    # All tasks are asked before the first one runs: what one of them misses should not cost an hour of embedding.
    ready = [(task := tasks.get(name), task.config.read(settings[name], origin=f"task {name}")) for name in settings]
    for task, _ in ready:
        if task.needs_text and not encoder.has_text:
            raise EvaluationError(f"task {task.name} compares sounds with texts, but this model {NO_TEXT}")
    chosen = [_clips(manifest, task, config) for task, config in ready]
    return [
        _run(encoder, manifest, clips, task, config, model_path)
        for (task, config), clips in zip(ready, chosen, strict=True)
    ]


def _clips(manifest: Manifest, task: EvalTask, config: TaskConfig) -> Manifest:
    """The clips that a task is run on.

    Raises:
        EvaluationError: if it cannot be.
    """
    try:
        chosen = manifest.select(**config.where) if config.where else manifest
    except ManifestError as error:
        raise EvaluationError(f"task {task.name}: {error}") from error
    task.check(chosen, config)
    return chosen


def _run(
    encoder: Encoder, manifest: Manifest, chosen: Manifest, task: EvalTask, config: TaskConfig, model_path: str
) -> Result:
    outcome = task.run(encoder, chosen, config)
    known = {"identity": encoder.identity or "", "path": model_path}
    return Result(
        task=task.name,
        task_version=task.version,
        protocol=task.protocol,
        settings=config.plain(),
        scores=dict(outcome.scores),
        clips=outcome.clips,
        model={key: value for key, value in known.items() if value},
        data={"path": str(manifest.path), "digest": chosen.digest},
        details=dict(outcome.details),
        versions=versions(),
        date=now(),
    )
