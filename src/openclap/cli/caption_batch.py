"""`openclap captions batch`: what a language model is to be asked as batch files, and their results read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openclap.cli.options import MOST, Columns, Json, Where

if TYPE_CHECKING:
    from openclap.captions.llm.request import Request
    from openclap.captions.llm.writer import WritingStage

app = typer.Typer(help="Batch files for language models.", no_args_is_help=True)

Stage = Annotated[str, typer.Argument(metavar="STAGE", help="llm or paraphrase.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="An option of the stage, the same as for `captions make`."),
]


@app.command("write")
def write(
    stage: Stage,
    manifest: Annotated[Path, typer.Argument(help="The clips.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write: .jsonl. More are numbered.")],
    settings: Settings = None,
    where: Where = None,
    column: Columns = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, max=MOST, help="No more than the first so many clips.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the requests to which there is no reply yet, for a server that takes many at once."""
    from itertools import islice

    from openclap.captions.llm.batch_files import write_batch
    from openclap.cli.options import column_config, conditions
    from openclap.cli.output import Output
    from openclap.cli.targets import jsonl_target
    from openclap.data.stream import ManifestStream

    output = Output(as_json)
    writing = _stage(stage, settings)
    clips = ManifestStream(manifest, columns=column_config(column))
    output.other_ids(clips.other_ids)
    jsonl_target(out, of="a batch", read=[clips.path, writing.store.path])
    chosen = islice(filter(clips.wanted(conditions(where)), clips), limit)

    def requests() -> Iterator[Request]:
        for clip in chosen:
            yield from writing.missing(clip)

    form = writing.config.server.output
    files = write_batch(requests(), out, output="schema" if form == "auto" else form)
    for path, count in files:
        output.say(f"{count:,} requests in {path}")
    if not files:
        output.say(f"nothing to ask: all replies are in {writing.store.path}")
    output.result([{"file": path, "requests": count} for path, count in files])


@app.command("read")
def read(
    stage: Stage,
    results: Annotated[list[Path], typer.Argument(metavar="RESULTS…", help="Result and error files of the batch.")],
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Put a batch's replies into the store: `captions make` with the same options then asks for no more."""
    from openclap.captions.llm.batch_files import read_batch
    from openclap.cli.output import Output

    output = Output(as_json)
    writing = _stage(stage, settings)
    found = read_batch(results, writing.store, model=writing.config.model, cost=writing.config.cost)
    output.say(f"{found.kept:,} replies kept in {writing.store.path}; {found.known:,} were there already")
    for reason, count in found.failed.most_common():
        output.say(("failed", "yellow"), f" {count:,}: {reason}")
    if found.failed:
        output.say("`openclap captions batch write` writes those that failed again")
    output.result({"kept": found.kept, "known": found.known, "failed": dict(found.failed)})


def _stage(name: str, settings: list[str] | None) -> WritingStage:
    from openclap.captions.llm.writer import WritingStage
    from openclap.captions.stage import stages
    from openclap.cli.options import option_tree, plain_settings
    from openclap.errors import ConfigError

    built = stages.get(name)(**option_tree(plain_settings(settings)))
    if not isinstance(built, WritingStage):
        raise ConfigError(f"the stage {name!r} asks no language model: batch files are for llm and paraphrase")
    return built
