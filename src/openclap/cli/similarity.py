"""`openclap similarity`: how well sounds and texts fit each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from openclap.cli.options import Device, Json, Model, device_name


def similarity(
    model: Model,
    sounds: Annotated[list[Path], typer.Argument(metavar="SOUND…", help="Sound files, or folders of them.")],
    text: Annotated[list[str], typer.Option("--text", "-t", help="A text to compare with. May be repeated.")],
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Say how well sounds and texts fit each other.

    Prints the cosine of each sound with each text, from -1 to 1. What counts as high differs from model to model.
    """
    from openclap.cli.output import Output
    from openclap.cli.sounds import find_sounds
    from openclap.inference.embedder import load

    out = Output(as_json)
    found = find_sounds(sounds)
    embedder = load(model, device=device_name(device))
    cosines = embedder.similarity(embedder.embed_audio([sound.load() for sound in found]), embedder.embed_text(text))
    ranked = sorted(
        ((str(sound), words, float(value)) for sound, row in zip(found, cosines, strict=True)
         for words, value in zip(text, row, strict=True)),
        key=lambda row: -row[2],
    )  # fmt: skip
    out.table(("sound", "text", "cosine"), ranked)
    out.result([{"sound": sound, "text": words, "cosine": value} for sound, words, value in ranked])
