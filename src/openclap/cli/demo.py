"""`openclap demo`: the whole way once: sounds, a model, its numbers, and a page to look at and listen to."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openclap.cli.options import Json, option_tree, plain_settings

if TYPE_CHECKING:
    from openclap.cli.output import Output
    from openclap.data.manifest import Manifest
    from openclap.evaluation.results import Result
    from openclap.training.config import RunConfig
    from openclap.training.trainer import TrainResult

_SCENES = {"split": "test"}
_PLAN: dict[str, dict[str, Any]] = {
    "retrieval": {},
    # where one source is alone, so that one label is right
    "zero-shot": {"where": {"kind": "single"}, "prompts": "ensemble"},
}


def demo(
    out: Annotated[Path, typer.Option("--out", help="The run's directory.")] = Path("runs/demo"),
    corpus: Annotated[Path, typer.Option("--corpus", help="Where the sounds are put.")] = Path("corpora/soundscapes"),
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the recipe demo; repeatable."),
    ] = None,
    corpus_settings: Annotated[
        list[str] | None,
        typer.Option("--corpus-set", metavar="KEY=VALUE", help="An option of the corpus; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Go the whole way once, on generated sounds.

    Generates sounds, trains a small model on them, evaluates it on held-out scenes, and writes a page. What is
    done already is not done again: a run that was ended is gone on with, and a finished one is evaluated.
    """
    from openclap.cli.eval import as_document, show
    from openclap.cli.output import Output
    from openclap.data.corpus import corpora
    from openclap.recipes.own_data import with_data
    from openclap.recipes.registry import recipes

    output, began = Output(as_json), time.perf_counter()
    output.say(("1 · Sounds", "bold"), f"   scenes made by code, with captions, in {corpus}")
    with output.console.status("generating"):
        manifest = corpora.get("soundscapes").prepare(corpus, **option_tree(plain_settings(corpus_settings))).read()
    output.say(_described(manifest))
    output.say(("\n2 · Training", "bold"), f" the recipe demo, in {out}")
    recipe = recipes.get("demo")()
    config, _ = with_data(recipe, manifest.path)
    config = config.model_copy(update={"license": recipe.license})  # the sounds are the recipe's own
    trained = _train(config.override(settings or []), out, output)
    if trained.signal is not None:
        output.say("Go on with the same command.")
        raise typer.Exit(trained.exit_code)
    output.say(("\n3 · Evaluation", "bold"), " on scenes that it never heard; chance is what guessing gets")
    results = _evaluate(out / "best", manifest, output)
    show(results, output)
    page = _write_page(out, manifest, results)
    output.say(("4 · The page", "bold"), f"  open {page}   (done in {_minutes(time.perf_counter() - began)})\n")
    output.say("Next, with your own sounds in DIR:")
    for step in _next_steps(out / "best"):
        output.say(f"  {step[0]}\n      ", (step[1], "dim"))
    output.result({"out": out, "report": page, "metrics": dict(trained.metrics), **as_document(results)})


def _train(config: RunConfig, out: Path, output: Output) -> TrainResult:
    from openclap.training.console import ConsoleHook
    from openclap.training.setup import build_trainer

    resume = (out / "config.yaml").exists()
    trainer = build_trainer(config, out, hooks=[ConsoleHook(output.console)])
    return trainer.run(resume=resume)


def _evaluate(model: Path, manifest: Manifest, output: Output) -> list[Result]:
    from openclap.cli.watched import watched
    from openclap.evaluation.task import evaluate
    from openclap.inference.embedder import load

    held_out = manifest.select(**_SCENES)
    with watched(load(model, check=False), output, len(held_out), batch_size=16) as embedder:  # what follows says more
        return evaluate(embedder, held_out, _PLAN, model_path=str(model))


def _write_page(out: Path, manifest: Manifest, results: list[Result]) -> Path:
    from openclap.evaluation.report import NextStep, write_report

    return write_report(
        out / "report",
        results,
        manifest,
        title="openclap demo",
        curves=out / "curves.png",
        next_steps=[NextStep(command, purpose) for command, purpose in _next_steps(out / "best")],
    )


def _next_steps(model: Path) -> list[tuple[str, str]]:
    return [
        (f'openclap similarity {model} DIR --text "rain on a roof" --text "a siren"', "which of them sound like that"),
        (f"openclap classify {model} DIR --label rain --label siren --label bell", "which label fits each"),
        (f"openclap embed {model} DIR --out vectors.npz", "their vectors, to search in"),
        ("openclap data check DIR", "what is wrong with them, before training on them"),
        ("openclap train demo --data DIR --out runs/mine", "the same on your own sounds and captions"),
    ]


def _described(manifest: Manifest) -> str:
    from collections import Counter

    splits = Counter(example.split for example in manifest)
    example = next(iter(manifest))
    parts = ", ".join(f"{count} {split}" for split, count in splits.items())
    return f"{len(manifest)} clips ({parts}); the first says: “{example.captions[0]}”"


def _minutes(seconds: float) -> str:
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
