"""`openclap export`: a model as ONNX graphs, for programs without torch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from openclap.cli.opening import Tokenizer
from openclap.cli.options import Json, Model

_OPSET = 20  # of openclap.export.write, whose import takes torch along; a test holds the two together


def export(
    model: Model,
    out: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="The directory to write.")],
    precision: Annotated[
        str, typer.Option("--precision", help="fp32, or int8 weights: a quarter of the size.")
    ] = "fp32",
    opset: Annotated[int, typer.Option("--opset", min=18, help="Version of ONNX's operators.")] = _OPSET,
    tokenizer: Tokenizer = None,
    as_json: Json = False,
) -> None:
    """Write a model as ONNX graphs that run without torch and without openclap.

    audio.onnx takes waveforms, text.onnx token ids; both give unit vectors. export.json says what a user must know,
    and examples/embed_without_torch.py is one. Needs the extra "export".
    """
    from openclap.checkpoints.exported import PRECISIONS
    from openclap.checkpoints.load import load
    from openclap.cli.output import Output
    from openclap.export.write import export_bundle

    if precision not in PRECISIONS:
        raise typer.BadParameter(f"{precision!r} is none of {', '.join(PRECISIONS)}", param_hint="--precision")
    words = Output(as_json)
    began = time.perf_counter()
    config = export_bundle(load(model, tokenizer=tokenizer), out, precision=PRECISIONS[precision], opset=opset)
    sizes = {file.name: file.stat().st_size for file in sorted(out.iterdir())}
    for name, size in sizes.items():
        words.say((f"{name:24}", "dim"), f"{size / 1e6:.1f} MB")
    words.say(f"{config.name} in {precision}, {time.perf_counter() - began:.0f} s: {out}")
    if config.fusion:
        words.say(
            "This model fuses views of long sound. The graph does not: it hears plain windows, one after another."
        )
    words.result({**config.plain(), "directory": out, "bytes": sizes})
