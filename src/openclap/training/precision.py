"""Where bfloat16 pays, and the autocast context that uses it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Literal

import torch

from openclap.errors import ConfigError

Precision = Literal["auto", "fp32", "bf16"]
Resolved = Literal["fp32", "bf16"]


def resolve_device(name: str) -> torch.device:
    """The device that `name` means: "auto" is CUDA if there is a device, else Apple's MPS, else the CPU.

    Raises:
        ConfigError: if there is no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(f"device {name!r} cannot be used here ({error}): set it to auto, cpu or cuda") from error
    return device


def resolve_precision(precision: Precision, device: torch.device) -> Resolved:
    """The precision that "auto" means on `device`: bf16 where the hardware has matrix units for it, else fp32.

    On CPUs those units are AMX. AVX-512's own bf16 instructions are not enough: on a Xeon that has them and no AMX,
    a matrix product took 1.8 times as long in bf16 as in fp32, and a training step longer too (benchmarks/train.py).
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if device.type == "cpu":
        return "bf16" if torch.cpu.get_capabilities().get("amx_bf16") else "fp32"
    return "fp32"


def autocast(device: torch.device, precision: Resolved) -> AbstractContextManager[object]:
    """A context in which matrix products and convolutions run in `precision`; weights stay float32."""
    # The cache of cast weights must not outlive a step: within one, each weight is cast once.
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
