"""`openclap checkpoint`: convert models between formats, look into them, make sure of them, and list the known ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openclap.cli.opening import Tokenizer
from openclap.cli.options import Json

if TYPE_CHECKING:
    from openclap.checkpoints.native import Bundle

app = typer.Typer(help="Convert, inspect and verify models, and list public weights.", no_args_is_help=True)

Place = Annotated[
    str, typer.Argument(help="A model: a directory, a file, a hub name, or a name that `openclap checkpoint list` has.")
]
_SHORT = {"hf": "huggingface"}
_MOST_APART = 1e-5  # between vectors before and after; the same weights in another order of summing stay below 1e-6


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

    out = Output(as_json)
    adapter = _adapter_for(_SHORT.get(to, to))
    _refuse_to_overwrite(destination, to)
    bundle = load(source, tokenizer=tokenizer)
    with out.console.status(f"writing {destination}"):
        written = _write_and_compare(bundle, destination, adapter)
    title = "openclap" if adapter is None else adapter.title
    worst = max(written.apart.values())
    out.say(f"{destination}: {bundle.config.name} as {title}; read back, its vectors differ by at most {worst:.1g}")
    for sentence in written.lost:
        out.say(("not kept", "yellow"), f": {sentence}")
    out.result(
        {
            "source": source,
            "written": destination,
            "to": _SHORT.get(to, to),
            "largest_difference": written.apart,
            "not_kept": written.lost,
        }
    )


@app.command("inspect")
def inspect(place: Place, as_json: Json = False) -> None:
    """Say what a model is, from its configs and the names and shapes of its tensors; nothing is run.

    Works on models that openclap could not load, too.
    """
    from openclap.checkpoints.describe import describe
    from openclap.cli.output import Output

    out = Output(as_json)
    found = describe(place)
    for title, value in found.rows():
        out.say((f"{title:16}", "dim"), value)
    out.result(found.plain())


@app.command("verify")
def verify(place: Place, tokenizer: Tokenizer = None, as_json: Json = False) -> None:
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
        files = describe(place).files
        embedder = Embedder.from_bundle(load(place, tokenizer=tokenizer))
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


def _adapter_for(to: str) -> Any:
    """The adapter that writes a format; None for our own.

    Raises:
        UnknownNameError: if there is no such format.
    """
    from openclap.checkpoints.adapter import adapters
    from openclap.errors import UnknownNameError

    if to == "openclap":
        return None
    if to not in adapters.names():
        raise UnknownNameError("checkpoint format", to, ["openclap", "hf", *adapters.names()])
    return adapters.get(to)


def _refuse_to_overwrite(destination: Path, to: str) -> None:
    from openclap.checkpoints.native import is_bundle
    from openclap.errors import CheckpointError

    if not destination.exists() or (to == "openclap" and is_bundle(destination)):
        return
    raise CheckpointError(f"{destination} is there already, and would be lost: give another name, or delete it first")


@dataclass(frozen=True)
class _Written:
    """What came back: the largest difference of text and audio vectors, and what the format had no place for."""

    apart: dict[str, float]
    lost: list[str]


def _write_and_compare(bundle: Bundle, destination: Path, adapter: Any) -> _Written:
    """Write a bundle to where it is to be, unless what comes back from there has other weights."""
    from dataclasses import replace
    from tempfile import TemporaryDirectory

    from openclap.atomic import file_written_whole, written_whole
    from openclap.checkpoints.differences import differences
    from openclap.checkpoints.load import load
    from openclap.checkpoints.native import save_bundle
    from openclap.errors import CheckpointError

    single_file = adapter is not None and adapter.extension
    with (
        (file_written_whole if single_file else written_whole)(destination) as fresh,
        TemporaryDirectory() as folder,
    ):
        try:
            save_bundle(bundle, fresh) if adapter is None else adapter.write(bundle, fresh)
        except CheckpointError as error:  # which speaks of the place that is written first
            raise CheckpointError(str(error).replace(str(fresh), str(destination))) from error
        if single_file:  # carries no tokenizer: it is read back with the one that it was written with
            bundle.text.tokenizer.save(folder)
        back = load(fresh, tokenizer=folder if single_file else None)
        # A foreign format may have no word for a detail of the front-end. The weights are compared without that.
        same = replace(
            back, frontend=bundle.frontend, config=back.config.model_copy(update={"frontend": bundle.config.frontend})
        )
        worst = max(_apart(bundle, same).values())
        if not worst <= _MOST_APART:
            raise CheckpointError(
                f"{destination}: read back, its vectors differ by {worst:.2g} from those of the model that was "
                "written; nothing is kept. This is a defect of openclap: please report it"
            )
        lost = differences({"frontend": bundle.frontend.config.plain()}, {"frontend": back.frontend.config.plain()})
        return _Written(_apart(bundle, back), lost)


def _apart(one: Bundle, other: Bundle) -> dict[str, float]:
    from openclap.inference.embedder import Embedder
    from openclap.inference.sanity import probe

    pairs = zip(probe(Embedder.from_bundle(one)), probe(Embedder.from_bundle(other)), strict=True)
    return dict(zip(("text", "audio"), (float(abs(left - right).max()) for left, right in pairs), strict=True))
