"""`openclap train`: a recipe, or a file like one, to a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openclap.cli.options import Json

if TYPE_CHECKING:
    from openclap.training.config import RunConfig


def train(
    recipe: Annotated[
        str,
        typer.Argument(metavar="RECIPE|FILE.yaml", help="A recipe, a YAML file, or with --resume a run's directory."),
    ],
    data: Annotated[Path | None, typer.Option("--data", help="Manifest or folder to train on instead.")] = None,
    validation: Annotated[Path | None, typer.Option("--validation", help="Manifest or folder to validate on.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The run's directory.  \\[default: runs/NAME]")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting, as optim.lr=1e-4; repeatable."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, exactly.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the settings as YAML, and train nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Train a model: a recipe, or a YAML file like one.

    Config, logs, curves and checkpoints go to --out, the model to OUT/best and OUT/last. Killed at any moment,
    a run goes on with --resume as if nothing had been. SIGTERM saves first, and exits with 143.
    """
    from openclap.cli.output import Output

    out_dir, config, notes = _plan(recipe, data, validation, out, settings or [], resume)
    output = Output(as_json)
    if dry_run:
        if as_json:
            output.result(config.plain())
        else:
            typer.echo(config.yaml(), nl=False)
        return
    for note in notes:
        output.say(("note:", "yellow"), f" {note}")
    from openclap.training.console import ConsoleHook
    from openclap.training.setup import build_trainer

    trainer = build_trainer(config, out_dir, hooks=[ConsoleHook(output.console)])
    result = trainer.run(resume=resume)
    if result.signal is None:
        output.say("The model is in ", (str(out_dir / "best"), "bold"), ". Next:")
        output.say(f"  openclap info {out_dir / 'best'}")
        if config.model.text is None:
            output.say(f"  openclap reconstruct {out_dir / 'best'} SOUND --out picture.png")
        else:
            held_out = " --where split=test" if "split" in config.data.train.where else ""
            output.say(f"  openclap eval {out_dir / 'best'} retrieval --data {config.data.train.path}{held_out}")
    else:
        output.say(f"Go on with:  openclap train {out_dir} --resume")
    best = (
        None
        if result.best is None
        else {"metric": result.best.metric, "value": result.best.value, "step": result.best.step}
    )
    output.result(
        {
            "out": out_dir,
            "steps": result.step,
            "training_seconds": result.elapsed_s,
            "metrics": dict(result.metrics),
            "best": best,
            "signal": result.signal,
        }
    )
    raise typer.Exit(result.exit_code)


def _plan(
    recipe: str, data: Path | None, validation: Path | None, out: Path | None, settings: list[str], resume: bool
) -> tuple[Path, RunConfig, list[str]]:
    """The run's directory, its settings, and what the user should know of them."""
    from openclap.errors import ConfigError
    from openclap.recipes.own_data import with_data
    from openclap.recipes.registry import recipes
    from openclap.training.config import RunConfig

    path = Path(recipe)
    if resume and path.is_dir():
        out = out or path
        path = path / "config.yaml"
    if path.is_file() or path.suffix in {".yaml", ".yml", ".json"}:
        config = RunConfig.read_yaml(path)
    else:
        config = recipes.get(recipe)()
    notes: list[str] = []
    config = config.override(settings)
    if data is not None:
        config, notes = with_data(config, data, validation)
        config = config.override(settings)  # again: what is set by hand wins over what the other data asks for
    elif validation is not None:
        raise ConfigError("--validation goes with --data; alone, use --set data.validation.path=…")
    return out or Path("runs") / config.name, config, notes
