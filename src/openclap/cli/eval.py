"""`openclap eval`: numbers for a model, with chance beside each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from openclap.cli.opening import Check, Precision, Tokenizer, open_embedder
from openclap.cli.options import (
    BatchSize,
    Columns,
    Device,
    Model,
    Where,
    column_config,
    conditions,
    plain_settings,
)

if TYPE_CHECKING:
    from openclap.cli.output import Output
    from openclap.evaluation.results import Result


class EvalCommand(TyperCommand):
    """Lets `--json` stand alone, for stdout, or before the file that takes the results: `--json results.json`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments in which every `--json` has been given its value."""
        following = [*args[1:], ""]
        completed = [
            "--json=-" if argument == "--json" and not (after == "-" or after.endswith(".json")) else argument
            for argument, after in zip(args, following, strict=True)
        ]
        return super().parse_args(ctx, completed)


def evaluate(
    model: Model,
    names: Annotated[list[str], typer.Argument(metavar="TASK…", help="What to measure: `openclap tasks` lists them.")],
    data: Annotated[Path, typer.Option("--data", help="Manifest or folder with the clips to evaluate on.")],
    where: Where = None,
    column: Columns = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="TASK.KEY=VALUE", help="A task's setting, as zero-shot.prompts=laion."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="DIR", help="Write a page with numbers, confusions and sounds.")
    ] = None,
    batch_size: BatchSize = 16,
    device: Device = "auto",
    tokenizer: Tokenizer = None,
    precision: Precision = "fp32",
    check: Check = True,
    json_to: Annotated[
        str | None, typer.Option("--json", metavar="[FILE.json]", help="Write the results as JSON, to stdout if alone.")
    ] = None,
) -> None:
    """Evaluate a model on the clips of a manifest.

    Each number comes with its 95 % interval, and with what guessing would get.
    """
    from openclap.cli.output import Output
    from openclap.cli.watched import watched
    from openclap.data.manifest import read_manifest
    from openclap.evaluation.results import write_results
    from openclap.evaluation.task import evaluate as run_tasks

    out = Output(json_to == "-")
    plan = _plan(names, settings or [])
    manifest = read_manifest(data, columns=column_config(column), where=conditions(where))
    embedder = open_embedder(model, out, device=device, tokenizer=tokenizer, precision=precision, check=check)
    with watched(embedder, out, len(manifest), batch_size) as model_at_work:
        results = run_tasks(model_at_work, manifest, plan, model_path=model)
    show(results, out)
    if report is not None:
        from openclap.evaluation.report import write_report

        out.say(f"open {write_report(report, results, manifest, title=f'{model} on {data}')}")
    if json_to == "-":
        out.result(as_document(results))
    elif json_to is not None:
        write_results(results, json_to)
        out.say(f"written to {json_to}")


def show(results: list[Result], out: Output) -> None:
    """Print a table a task."""
    from openclap.evaluation.results import table

    for result in results:
        rows = [(row["metric"], row["value"], row["interval"], row["chance"], row["n"]) for row in table([result])]
        title = f"{result.task} v{result.task_version}: {result.clips} clips"
        out.table(("metric", "value", "95 %", "chance", "n"), rows, title=title)


def as_document(results: list[Result]) -> dict[str, Any]:
    """The results as the JSON document that `openclap.evaluation.results.read_results` reads."""
    from openclap.evaluation.results import FORMAT_VERSION

    return {"format_version": FORMAT_VERSION, "results": [result.plain() for result in results]}


def _plan(names: list[str], settings: list[str]) -> dict[str, dict[str, Any]]:
    """Task to its settings.

    Raises:
        UnknownNameError: for a task that does not exist.
        typer.BadParameter: for a setting of a task that is not to be run.
    """
    from openclap.errors import did_you_mean
    from openclap.evaluation.task import tasks

    plan: dict[str, dict[str, Any]] = {name: {} for name in names if tasks.get(name)}
    for path, value in plain_settings(settings).items():
        task, _, key = path.partition(".")
        if task not in plan or not key:
            raise typer.BadParameter(
                f"{path!r} does not begin with a task's name{did_you_mean(task, plan)}", param_hint="--set"
            )
        place = plan[task]
        *groups, last = key.split(".")
        for group in groups:
            place = place.setdefault(group, {})
        place[last] = value
    return plan
