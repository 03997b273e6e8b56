"""Weights of matrix products as 8-bit integers, one scale an output: a quarter of the file, and quick where used so.

Each weight W becomes DequantizeLinear(round(W / s), s) with s = max |W| / 127 over what makes one output. OpenVINO
multiplies such weights in 8 bits with inputs that it scales as they come, row by row: nothing is calibrated. ONNX
Runtime multiplies their float32 values: no gain but the file. The front-end, embedding tables, convolutions, biases and
norms stay float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from openclap.optional import require

if TYPE_CHECKING:
    from onnx import ModelProto

_SMALLEST = 4096  # weights; smaller matrices cost nothing, and gain nothing


def quantise_weights(model: ModelProto, but: str) -> list[str]:
    """Replace the weights of a graph's matrix products in place.

    Args:
        model: the graph; every operation in opset 13 or later.
        but: initializers whose names begin so are left alone.

    Returns:
        The names of the weights that were replaced.
    """
    onnx: Any = require("onnx", extra="export", purpose="export")
    weights = {tensor.name: tensor for tensor in model.graph.initializer if not tensor.name.startswith(but)}
    axes = _output_axes(model, set(weights))
    added: list[Any] = []
    for name, axis in axes.items():
        tensor = weights[name]
        quantised, scale = _quantised(onnx.numpy_helper.to_array(tensor), axis)
        model.graph.initializer.remove(tensor)
        model.graph.initializer.append(onnx.numpy_helper.from_array(quantised, f"{name}.int8"))
        model.graph.initializer.append(onnx.numpy_helper.from_array(scale, f"{name}.scale"))
        added.append(
            onnx.helper.make_node("DequantizeLinear", [f"{name}.int8", f"{name}.scale"], [name], axis=axis, name=name)
        )
    nodes = [*added, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return list(axes)


def _output_axes(model: ModelProto, names: set[str]) -> dict[str, int]:
    """The weights that only matrix products use, on their right side, with the axis along which the outputs lie."""
    axes: dict[str, int] = {}
    others: set[str] = set()
    sizes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name not in names:
                continue
            is_product = place == 1 and node.op_type in {"MatMul", "Gemm"} and len(sizes[name]) == 2
            if is_product and sizes[name][0] * sizes[name][1] >= _SMALLEST:
                transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
                axes[name] = 0 if transposed else 1
            else:
                others.add(name)
    return {name: axis for name, axis in axes.items() if name not in others}


def _quantised(weight: npt.NDArray[Any], axis: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    largest = np.abs(weight).max(axis=1 - axis, keepdims=True)
    scale = np.where(largest > 0, largest / 127.0, 1.0).astype(np.float32)
    return np.rint(weight / scale).astype(np.int8), scale.reshape(-1)
