"""`openclap checkpoint`: convert models between formats, look into them, make sure of them, and list the known ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from openclap.cli.opening import Tokenizer
from openclap.cli.options import Json, Model

app = typer.Typer(help="Convert, inspect and verify models, and list public weights.", no_args_is_help=True)


@app.command("convert")
def convert(
    source: Annotated[str, typer.Argument(metavar="SRC", help="The model; as for every command.")],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="What to write: it must not be there yet.")],
    to: Annotated[str, typer.Option("--to", help="openclap, laion, hf or msclap: the format to write.")] = "openclap",
    tokenizer: Tokenizer = None,
    as_json: Json = False,
) -> None:
    """Write a model in another format, and make sure that it gives the same vectors there.

    What is written is read back before it gets its name, so that DST appears right and whole or not at all. Only an
    openclap model may take the place of another.
    """
    from openclap.checkpoints.load import load
    from openclap.cli.output import Output
    from openclap.export.convert import check_place, convert_bundle

    out = Output(as_json)
    check_place(destination, to)
    bundle = load(source, tokenizer=tokenizer)
    with out.console.status(f"writing {destination}"):
        written = convert_bundle(bundle, destination, to)
    worst = max(written.largest_difference.values())
    out.say(
        f"{destination}: {bundle.config.name} as {written.title}; read back, its vectors differ by at most {worst:.1g}"
    )
    for sentence in written.not_kept:
        out.say(("not kept", "yellow"), f": {sentence}")
    out.result(
        {
            "source": source,
            "written": destination,
            "to": written.format,
            "largest_difference": written.largest_difference,
            "not_kept": written.not_kept,
        }
    )


@app.command("inspect")
def inspect(model: Model, as_json: Json = False) -> None:
    """Say what a model is, from its configs and the names and shapes of its tensors; nothing is run.

    Works on models that openclap could not load, too.
    """
    from openclap.checkpoints.describe import describe
    from openclap.cli.output import Output

    out = Output(as_json)
    found = describe(model)
    for title, value in found.rows():
        out.say((f"{title:16}", "dim"), value)
    out.result(found.plain())


@app.command("verify")
def verify(model: Model, tokenizer: Tokenizer = None, as_json: Json = False) -> None:
    """Read all of a model, hash its files, and put a few texts and sounds through it.

    Exits with 5 if it cannot be read, holds NaN or infinite weights, is not what was downloaded, or looks broken.
    """
    from openclap.checkpoints.describe import describe
    from openclap.checkpoints.load import load
    from openclap.cli.output import Output
    from openclap.errors import CheckpointError
    from openclap.inference.embedder import Embedder
    from openclap.inference.sanity import answers

    out = Output(as_json)
    with out.console.status("reading"):
        files = describe(model).files
        embedder = Embedder.from_bundle(load(model, tokenizer=tokenizer))
        found = answers(embedder)
    out.table(("file", "bytes", "SHA-256"), [(file.name, f"{file.size_bytes:,}", file.sha256) for file in files])
    out.table(
        ("check", "figure", "healthy is", ""),
        [(answer.check, f"{answer.value:.4g}", answer.wanted, "ok" if answer.passed else "FAILED") for answer in found],
    )
    failed = [answer for answer in found if not answer.passed]
    for answer in failed:
        out.say((f"{answer.check}", "bold red"), f": {answer.advice}")
    out.say(f"identity {embedder.identity}")
    out.result(
        {
            "identity": embedder.identity,
            "files": [{"file": file.name, "bytes": file.size_bytes, "sha256": file.sha256} for file in files],
            "checks": [
                {"check": a.check, "value": a.value, "wanted": a.wanted, "passed": a.passed, "advice": a.advice}
                for a in found
            ],
            "passed": not failed,
        }
    )
    if failed:
        raise typer.Exit(CheckpointError.exit_code)


@app.command("list")
def list_known(as_json: Json = False) -> None:
    """List the public weights that are known by a short name; any command takes the name for the model."""
    from dataclasses import asdict

    from openclap.checkpoints.known import KNOWN
    from openclap.cli.output import Output

    out = Output(as_json)
    known = list(KNOWN.values())
    rows = [
        (w.name, f"{w.about_bytes / 1e9:.1f} GB", w.purpose, w.licence, "here" if w.is_cached else "") for w in known
    ]
    out.table(("name", "about", "what for", "licence", ""), rows)
    for weights in known:
        if weights.problems is not None:
            out.say((weights.name, "yellow"), f": {weights.problems}")
    out.say("A model is downloaded when it is first used. --json says more: towers, and whose numbers.")
    out.result([{**asdict(weights), "cached": weights.is_cached} for weights in KNOWN.values()])
