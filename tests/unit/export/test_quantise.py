"""Weights in 8 bits: only those of matrix products, each within half a step, and the vectors stay where they were."""

from __future__ import annotations

import numpy as np
import pytest

from openclap.export.quantise import quantise_weights

onnx = pytest.importorskip("onnx", reason="needs the extra 'export'")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra 'export'")


@pytest.fixture(scope="module")
def graph(exported):
    return onnx.load(exported / "audio.onnx")


@pytest.fixture(scope="module")
def quantised(graph):
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    names = quantise_weights(copy, but="log_mel.")
    onnx.checker.check_model(copy)
    return copy, names


def _weights(model):
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def test_weights_are_within_half_a_step(graph, quantised):
    before, after = _weights(graph), _weights(quantised[0])
    assert len(quantised[1]) > 10
    for name in quantised[1]:
        whole, scale = after[f"{name}.int8"].astype(np.float64), after[f"{name}.scale"]
        axis = whole.shape.index(len(scale)) if whole.shape[0] != whole.shape[1] else None
        candidates = [np.expand_dims(scale, 1 - axis)] if axis is not None else [scale[:, None], scale[None]]
        errors = [(np.abs(whole * s - before[name]) / s).max() for s in candidates]
        assert min(errors) <= 0.5 + 1e-3  # the scale itself is rounded to float32


def test_the_front_end_stays_float32(quantised):
    weights = _weights(quantised[0])
    assert not [name for name in quantised[1] if name.startswith("log_mel.")]
    assert weights["log_mel.bank"].dtype == np.float32


def test_the_file_is_smaller_and_the_vectors_stay(graph, quantised):
    weights = sum(_weights(graph)[name].nbytes for name in quantised[1])
    assert quantised[0].ByteSize() < graph.ByteSize() - 0.7 * weights  # a quarter, and the scales
    clips = 0.2 * np.random.default_rng(0).standard_normal((3, 30_000)).astype(np.float32)
    before, after = (
        onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"waveforms": clips})[0]
        for model in (graph, quantised[0])
    )
    assert (before * after).sum(axis=1).min() > 0.999
