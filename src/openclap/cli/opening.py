"""How commands load the model that they use: the same options everywhere, and its warnings as words."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from openclap.cli.options import device_name

if TYPE_CHECKING:
    from openclap.cli.output import Output
    from openclap.inference.embedder import Embedder

Tokenizer = Annotated[
    str | None,
    typer.Option("--tokenizer", help="For a file that carries none: a folder with tokenizer.json, or a hub name."),
]
Precision = Annotated[str, typer.Option("--precision", help="fp32, bf16 or int8: faster ones give other vectors.")]
Check = Annotated[bool, typer.Option("--check/--no-check", help="Look whether the model is broken, and warn.")]


def open_embedder(
    model: str,
    out: Output,
    *,
    device: str,
    tokenizer: str | None = None,
    precision: str = "fp32",
    check: bool = True,
    hop_s: float | None = None,
    long: str = "auto",
) -> Embedder:
    """The model that a command line names, ready for use; what is to be warned of is said.

    Arguments are those of `openclap.load`.

    Raises:
        CheckpointError: if there is no such model.
        ConfigError: if it cannot be used as is asked.
        typer.BadParameter: for a precision, or a way to hear long sound, that does not exist.
    """
    from openclap.inference.embedder import load
    from openclap.inference.precision import Precision as PrecisionName
    from openclap.inference.windows import LongSound

    known = get_args(PrecisionName)
    if precision not in known:  # said before a large model is read
        raise typer.BadParameter(f"{precision!r} is none of {', '.join(known)}", param_hint="--precision")
    ways = get_args(LongSound)
    if long not in ways:
        raise typer.BadParameter(f"{long!r} is none of {', '.join(ways)}", param_hint="--long")
    with _warnings_said(out):
        return load(
            model,
            device_name(device),
            hop_s=hop_s,
            tokenizer=tokenizer,
            precision=cast("PrecisionName", precision),
            long=cast("LongSound", long),
            check=check,
        )


@contextmanager
def _warnings_said(out: Output) -> Iterator[None]:
    """Openclap's own warnings become words on the screen; others go their way."""
    from openclap.errors import PrecisionWarning, SanityWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        yield
    for warning in caught:
        if issubclass(warning.category, (PrecisionWarning, SanityWarning)):
            out.say(("warning:", "yellow"), f" {warning.message}")
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
