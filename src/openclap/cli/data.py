"""`openclap data`: look at a manifest before training, and prepare corpora."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from openclap.cli.options import Json

app = typer.Typer(help="Check manifests, and prepare corpora.", no_args_is_help=True)


@app.command("list")
def list_corpora(as_json: Json = False) -> None:
    """List the corpora that `openclap data prepare` knows."""
    from dataclasses import asdict

    from openclap.cli.output import Output
    from openclap.data.corpus import corpora

    out = Output(as_json)
    infos = [corpora.get(name).info for name in corpora.names()]
    out.table(("name", "what", "licence"), [(info.name, info.title, info.licence) for info in infos])
    out.result([asdict(info) for info in infos])


@app.command("prepare")
def prepare(
    corpus: Annotated[str, typer.Argument(help="Its name, as `openclap data list` has it.")],
    out: Annotated[Path | None, typer.Option("--out", help="Its folder.  [default: corpora/NAME]")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="An option of the corpus. May be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Put a corpus into a folder: its sounds and a manifest.jsonl. What is there already is not made again."""
    from collections import Counter

    from openclap.cli.options import plain_settings
    from openclap.cli.output import Output
    from openclap.data.corpus import corpora

    output = Output(as_json)
    folder = out or Path("corpora") / corpus
    found = corpora.get(corpus)
    with output.console.status(f"preparing {corpus} in {folder}"):
        manifest = found.prepare(folder, **plain_settings(settings))
    splits = Counter(example.split or "–" for example in manifest.examples)
    output.say(
        f"{len(manifest.examples)} clips in {manifest.path}: " + ", ".join(f"{n} {s}" for s, n in splits.items())
    )
    output.result(
        {"manifest": manifest.path, "clips": len(manifest.examples), "splits": splits, "digest": manifest.digest}
    )
