"""How exactly a model computes in use: float32, bfloat16, or 8-bit integers, and where each of them pays."""

from __future__ import annotations

import copy
import warnings
from contextlib import AbstractContextManager
from typing import Literal, get_args

import torch
from torch import nn

from openclap.errors import ConfigError, PrecisionWarning
from openclap.inference.int8 import Int8Perceptron, int8_linear
from openclap.inference.packing import can_pack, pack
from openclap.models.clap import Clap

Precision = Literal["fp32", "bf16", "int8"]


def check_precision(precision: str, device: torch.device) -> None:
    """Make sure that a precision exists on a device.

    Raises:
        ConfigError: if there is no such precision, or not on this device; says what there is.

    Warns:
        PrecisionWarning: if it exists there, but is slower than "fp32".
    """
    if precision not in get_args(Precision):
        raise ConfigError(f"precision must be one of {', '.join(get_args(Precision))}, but is {precision!r}")
    if precision == "int8" and not (can_pack(device) and torch.cpu._is_vnni_supported()):  # noqa: SLF001
        where = "an x86 CPU with AVX-512 VNNI instructions and a torch with oneDNN"
        other = "bf16" if device.type == "cuda" else "fp32"
        raise ConfigError(f"precision is 'int8', which needs {where}, but the device is {device}: take '{other}'")
    if precision == "bf16" and device.type == "cpu" and not torch.cpu._is_amx_tile_supported():  # noqa: SLF001
        advice = "take 'fp32', or 'int8' for speed"
        message = f"precision 'bf16' is slower than 'fp32' on a CPU without AMX instructions, as this one: {advice}"
        warnings.warn(message, PrecisionWarning, stacklevel=3)


def prepared(model: Clap, precision: Precision) -> Clap:
    """The model as it computes in a precision, made for use only; the one given stays as it is.

    What is kept in float32 in any precision: the front-end, norms, softmax, the sums of residual branches, pooling and
    the heads' last normalisation; with "int8" also the heads, the patch embedding and all convolutions.

    Args:
        model: in evaluation mode, on its device.
        precision: one that exists there.
    """
    device = model.logit_scale.device
    if precision == "bf16":
        return _with_bf16_weights(model)
    if not can_pack(device):
        return model
    made = pack(model)
    if precision == "int8":
        made.audio_encoder = pack(model.audio_encoder, int8_linear, Int8Perceptron)
        made.text_encoder = pack(model.text_encoder, int8_linear)
    return made


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """What a prepared model runs in."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def _with_bf16_weights(model: Clap) -> Clap:
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    made = copy.deepcopy(model, shared)
    for module in made.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d) or type(module).__name__ == "Conv1D":
            for name, weight in list(module.named_parameters(recurse=False)):
                setattr(module, name, nn.Parameter(weight.detach().bfloat16(), requires_grad=False))
    return made
