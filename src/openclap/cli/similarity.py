"""`openclap similarity`: how well sounds and texts fit each other."""

from __future__ import annotations

from typing import Annotated

import typer

from openclap.cli.opening import Check, Precision, Tokenizer, open_embedder
from openclap.cli.options import Device, Json, Model, Sounds


def similarity(
    model: Model,
    sounds: Sounds,
    text: Annotated[list[str], typer.Option("--text", "-t", help="A text to compare with. May be repeated.")],
    device: Device = "auto",
    tokenizer: Tokenizer = None,
    precision: Precision = "fp32",
    check: Check = True,
    as_json: Json = False,
) -> None:
    """Say how well sounds and texts fit each other.

    Prints the cosine of each sound with each text, from -1 to 1. What counts as high differs from model to model.
    Sounds that cannot be read are skipped, and named; the exit code is then 3.
    """
    from openclap.cli.heard import hear
    from openclap.cli.output import Output
    from openclap.errors import AudioError

    out = Output(as_json)
    embedder = open_embedder(model, out, device=device, tokenizer=tokenizer, precision=precision, check=check)
    text_vectors = embedder.embed_text(text)
    heard = hear(embedder, sounds)
    cosines = embedder.similarity(heard.vectors, text_vectors)
    ranked = sorted(
        ((name, words, float(value)) for name, row in zip(heard.names, cosines, strict=True)
         for words, value in zip(text, row, strict=True)),
        key=lambda row: -row[2],
    )  # fmt: skip
    out.table(("sound", "text", "cosine"), ranked)
    bad = heard.tell_bad(out)
    out.result([*({"sound": sound, "text": words, "cosine": value} for sound, words, value in ranked), *bad])
    if bad:
        raise typer.Exit(AudioError.exit_code)
