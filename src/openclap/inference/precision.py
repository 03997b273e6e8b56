"""How exactly a model computes in use: float32, bfloat16, or 8-bit integers, and where each of them pays."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager
from typing import Literal, get_args

import torch
from torch import nn

from openclap.errors import ConfigError, PrecisionWarning
from openclap.inference.int8 import Int8SwinBlock, int8_audio, int8_text
from openclap.inference.packing import can_pack, copied, pack_
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


def check_gain(model: Clap, precision: str) -> None:
    """Make sure that a precision makes a difference to both towers of a model.

    Warns:
        PrecisionWarning: if "int8" leaves most of the audio encoder as it is, because it consists of convolutions.
    """
    weights = list(model.audio_encoder.parameters())
    convolved, multiplied = (sum(weight.numel() for weight in weights if weight.ndim == ndim) for ndim in (4, 2))
    if precision == "int8" and convolved > multiplied:
        message = "precision 'int8' leaves convolutions in float32: sound is embedded no faster than with 'fp32'"
        warnings.warn(f"{message}, and of this model only text gains", PrecisionWarning, stacklevel=4)


def prepared(model: Clap, precision: Precision, *, in_place: bool = False) -> Clap:
    """The model as it computes in a precision, made for use only.

    What stays float32 in any precision: the front-end, norms, softmax, the sums of residual branches, pooling and the
    heads' last normalisation; with "int8" also the heads, the patch embedding, all convolutions, and the values and
    the outputs of attention in text.

    Args:
        model: in evaluation mode, on its device.
        precision: one that exists there.
        in_place: take the given model apart, which needs no memory for a second one; else it stays as it is.
    """
    if precision != "bf16" and not can_pack(model.logit_scale.device):
        return model
    made = model if in_place else copied(model)
    if precision == "bf16":
        _put_bf16_weights(made)
    elif precision == "fp32":
        pack_(made)
    else:
        pack_(made.audio_encoder, int8_audio, Int8SwinBlock)
        pack_(made.text_encoder, int8_text)
    return made


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """What a prepared model runs in."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def _put_bf16_weights(model: Clap) -> None:
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d) or type(module).__name__ == "Conv1D":
            for name, weight in list(module.named_parameters(recurse=False)):
                setattr(module, name, nn.Parameter(weight.detach().bfloat16(), requires_grad=False))
