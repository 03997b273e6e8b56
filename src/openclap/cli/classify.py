"""`openclap classify`: which of some labels fits a sound."""

from __future__ import annotations

from typing import Annotated

import typer

from openclap.cli.opening import Check, Precision, Tokenizer, open_embedder
from openclap.cli.options import Device, Json, Model, Sounds


def classify(
    model: Model,
    sounds: Sounds,
    labels: Annotated[list[str], typer.Option("--label", "-l", help="A label to choose from. Repeat it for each.")],
    prompts: Annotated[
        str, typer.Option("--prompts", help="A set of words around labels, or one text with {label} in it.")
    ] = "ensemble",
    multi_label: Annotated[
        bool, typer.Option("--multi-label", help="Print cosines: several labels may fit, or none.")
    ] = False,
    top: Annotated[int, typer.Option("--top", min=1, help="How many labels to print for each sound.")] = 3,
    device: Device = "auto",
    tokenizer: Tokenizer = None,
    precision: Precision = "fp32",
    check: Check = True,
    as_json: Json = False,
) -> None:
    """Say which labels fit a sound best, without training on them.

    Probabilities are relative to the labels given, and add up to 1 even where nothing fits. Sounds that cannot be
    read are skipped, and named; the exit code is then 3.
    """
    from openclap.cli.heard import hear
    from openclap.cli.output import Output
    from openclap.errors import AudioError

    out = Output(as_json)
    words = [prompts] if "{label}" in prompts else prompts
    embedder = open_embedder(model, out, device=device, tokenizer=tokenizer, precision=precision, check=check)
    label_vectors = embedder.embed_labels(labels, words)
    heard = hear(embedder, sounds)
    cosines = embedder.similarity(heard.vectors, label_vectors)
    scores = cosines if multi_label else embedder.probabilities(cosines)
    results = [
        (name, sorted(zip(labels, row.tolist(), strict=True), key=lambda pair: -pair[1])[:top])
        for name, row in zip(heard.names, scores, strict=True)
    ]
    kind = "cosine" if multi_label else "probability"
    rows = [(sound if place == 0 else "", *pair) for sound, best in results for place, pair in enumerate(best)]
    out.table(("sound", "label", kind), rows)
    bad = heard.tell_bad(out)
    out.result(
        [
            {"sound": sound, "labels": [{"label": label, kind: value} for label, value in best]}
            for sound, best in results
        ]
        + bad
    )
    if bad:
        raise typer.Exit(AudioError.exit_code)
