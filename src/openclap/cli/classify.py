"""`openclap classify`: which of some labels fits a sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from openclap.cli.options import Device, Json, Model, device_name


def classify(
    model: Model,
    sounds: Annotated[list[Path], typer.Argument(metavar="SOUND…", help="Sound files, or folders of them.")],
    labels: Annotated[list[str], typer.Option("--label", "-l", help="A label to choose from. Repeat it for each.")],
    prompts: Annotated[
        str, typer.Option("--prompts", help="A set of words around labels, or one text with {label} in it.")
    ] = "ensemble",
    multi_label: Annotated[
        bool, typer.Option("--multi-label", help="Print cosines: several labels may fit, or none.")
    ] = False,
    top: Annotated[int, typer.Option("--top", min=1, help="How many labels to print for each sound.")] = 3,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Say which labels fit a sound best, without training on them.

    Probabilities are relative to the labels given, and add up to 1 even where nothing fits.
    """
    from openclap.cli.output import Output
    from openclap.cli.sounds import find_sounds
    from openclap.inference.embedder import load

    out = Output(as_json)
    found = find_sounds(sounds)
    words = [prompts] if "{label}" in prompts else prompts
    embedder = load(model, device=device_name(device))
    cosines = embedder.similarity(
        embedder.embed_audio([sound.load() for sound in found]), embedder.embed_labels(labels, words)
    )
    scores = cosines if multi_label else embedder.probabilities(cosines)
    results = [
        (str(sound), sorted(zip(labels, row.tolist(), strict=True), key=lambda pair: -pair[1])[:top])
        for sound, row in zip(found, scores, strict=True)
    ]
    kind = "cosine" if multi_label else "probability"
    rows = [(sound if place == 0 else "", *pair) for sound, best in results for place, pair in enumerate(best)]
    out.table(("sound", "label", kind), rows)
    out.result(
        [
            {"sound": sound, "labels": [{"label": label, kind: value} for label, value in best]}
            for sound, best in results
        ]
    )
