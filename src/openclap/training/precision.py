"""Where bfloat16 pays, and the autocast context that uses it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Literal

import torch

from openclap.errors import ConfigError

Precision = Literal["auto", "fp32", "bf16"]
Resolved = Literal["fp32", "bf16"]


def resolve_device(name: str) -> torch.device:
    """The device that `name` means: "auto" is the current CUDA device if there is one, else the CPU.

    Raises:
        ConfigError: if there is no such device here, or training does not run on its kind.
    """
    if name == "auto":
        name = f"cuda:{torch.cuda.current_device()}" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        if device.type in {"cpu", "cuda"}:
            torch.empty(0, device=device)
            return device
        reason = "training runs on cpu and cuda"
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
    raise ConfigError(f"trainer.device is {name!r}, which cannot be used here ({reason}): set it to auto, cpu or cuda")


def resolve_precision(precision: Precision, device: torch.device) -> Resolved:
    """The precision that "auto" means on `device`: bf16 where the hardware has matrix units for it, else fp32.

    On CPUs those units are AMX. AVX-512's own bf16 instructions are not enough: on a Xeon that has them and no AMX,
    a matrix product took 1.8 times as long in bf16 as in fp32, and a training step longer too (benchmarks/train.py).
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if torch.cpu.get_capabilities().get("amx_bf16") else "fp32"


def autocast(device: torch.device, precision: Resolved) -> AbstractContextManager[object]:
    """A context in which matrix products and convolutions run in `precision`; weights stay float32."""
    # The cache of cast weights must not outlive a step: within one, each weight is cast once.
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
