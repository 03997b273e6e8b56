"""A bundle to a directory of ONNX graphs that any runtime can use, without torch and without openclap."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.export import Dim

from openclap.atomic import written_whole
from openclap.checkpoints.exported import (
    AUDIO_FILE,
    TEXT_FILE,
    ExportedConfig,
    ExportPrecision,
    is_exported,
    write_exported,
)
from openclap.checkpoints.native import Bundle
from openclap.errors import CheckpointError, ConfigError
from openclap.export.graphs import AudioGraph, TextGraph
from openclap.export.quantise import quantise_weights
from openclap.inference.embedder import Embedder
from openclap.inference.windows import WindowConfig
from openclap.models.encoder import AudioEncoder
from openclap.optional import require

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["OPSET", "export_bundle"]

OPSET = 20
_OLDEST_OPSET = 18  # the oldest that torch's exporter writes by itself
_MOST_BYTES = 2_000_000_000  # of one ONNX file, which is one protobuf message


def export_bundle(
    bundle: Bundle, directory: str | Path, *, precision: ExportPrecision = "fp32", opset: int = OPSET
) -> ExportedConfig:
    """Write `audio.onnx`, `text.onnx`, the tokenizer and `export.json`, and give what the last says.

    The directory appears whole or not at all, and takes the place of an exported model that was there.

    Args:
        bundle: a model on the CPU, which is put into evaluation mode.
        directory: where to.
        precision: "int8" has the weights of matrix products as 8-bit integers, each with a scale an output.
        opset: the version of ONNX's operators, 18 or later.

    Raises:
        CheckpointError: if the directory holds something else than an exported model, which is then left alone.
        ConfigError: if the model uses something that a graph cannot have; says what.
        MissingExtraError: if `onnx` or `onnxscript` is not installed.
    """
    directory = Path(directory)
    for package in ("onnx", "onnxscript"):
        require(package, extra="export", purpose="export")
    if opset < _OLDEST_OPSET:
        raise ConfigError(f"opset is {opset}, but must be {_OLDEST_OPSET} or later")
    if directory.exists() and not is_exported(directory) and (not directory.is_dir() or any(directory.iterdir())):
        raise CheckpointError(f"{directory} holds something else than an exported model: give another directory")
    tokenizer = bundle.text.tokenizer  # a model of sound alone is refused here, and not after its audio graph
    embedder = Embedder.from_bundle(bundle, windows=WindowConfig(long="windows"))
    graphs = {AUDIO_FILE: _audio(bundle, opset), TEXT_FILE: _text(bundle, opset)}
    with written_whole(directory) as fresh:
        digest = hashlib.sha256()
        for name, graph in graphs.items():
            _save(graph, fresh / name, precision)
            digest.update((fresh / name).read_bytes())
        tokenizer.save(fresh)
        config = _describe(bundle, embedder.identity, digest.hexdigest(), precision, opset)
        write_exported(config, fresh)
    return config


def _audio(bundle: Bundle, opset: int) -> ModelProto:
    module = AudioGraph(bundle.frontend, bundle.model)
    samples = bundle.frontend.config.window_samples // 3
    shapes = {"waveforms": {0: Dim("batch"), 1: Dim("samples")}}
    return _traced(module, {"waveforms": torch.zeros(2, samples)}, shapes, "audio_embeds", opset)


def _text(bundle: Bundle, opset: int) -> ModelProto:
    example = torch.ones(2, 5, dtype=torch.int64)
    batch, tokens = Dim("batch"), Dim("tokens", max=bundle.text.tokenizer.config.max_length)
    shapes = {name: {0: batch, 1: tokens} for name in ("input_ids", "attention_mask")}
    inputs = {"input_ids": example, "attention_mask": example.clone()}
    return _traced(TextGraph(bundle.model), inputs, shapes, "text_embeds", opset)


def _traced(
    module: nn.Module, inputs: dict[str, Tensor], shapes: dict[str, dict[int, Any]], output: str, opset: int
) -> ModelProto:
    """The graph of a module, for every batch and length that `shapes` leaves open."""
    with _quiet():
        program = torch.onnx.export(
            module.eval(),
            kwargs=inputs,
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes=shapes,
            opset_version=opset,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model: ModelProto = program.model_proto
    _check_open(model, shapes)
    for node in model.graph.node:
        del node.metadata_props[:]  # where in which file of this machine the operation stands
    del model.graph.value_info[:]  # shapes inside the graph, which the exporter's own last changes have made untrue
    return model


def _check_open(model: ModelProto, shapes: dict[str, dict[int, Any]]) -> None:
    """Refuse a graph in which the exporter has fixed a size: what the encoder takes `len` of becomes a number."""
    for value in model.graph.input:
        fixed = [axis for axis in shapes[value.name] if not value.type.tensor_type.shape.dim[axis].dim_param]
        if fixed:
            raise ConfigError(
                f"the model cannot be exported: its graph fixes dimension {fixed[0]} of {value.name}; in the encoder's "
                "code use tensor.shape[0] where it uses len(tensor)"
            )


def _save(model: ModelProto, path: Path, precision: ExportPrecision) -> None:
    onnx: Any = require("onnx", extra="export", purpose="export")
    if precision == "int8":
        quantise_weights(model, but="log_mel.")
    if model.ByteSize() > _MOST_BYTES:
        raise ConfigError(f"{path.name} would have {model.ByteSize() / 1e9:.1f} GB, and an ONNX file takes 2: use int8")
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _describe(bundle: Bundle, identity: str, weights: str, precision: ExportPrecision, opset: int) -> ExportedConfig:
    frontend, tokenizer = bundle.frontend.config, bundle.text.tokenizer
    return ExportedConfig(
        name=bundle.config.name,
        precision=precision,
        opset=opset,
        embed_dim=bundle.config.model.embed_dim,
        sample_rate_hz=frontend.sample_rate_hz,
        window_samples=frontend.window_samples,
        max_tokens=tokenizer.config.max_length,
        end_tokens=tokenizer.end_tokens,
        append=tokenizer.config.append,
        pad_id=tokenizer.pad_id,
        logit_scale=float(bundle.model.logit_scale.detach()),
        fusion=cast("AudioEncoder", bundle.model.audio_encoder).views > 1,
        identity=identity,
        weights=weights,
        frontend=frontend,
        tokenizer=tokenizer.config,
        provenance=dict(bundle.provenance),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what torch's exporter says of packages that nothing here needs, and of its own old calls."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)
