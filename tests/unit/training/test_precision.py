"""Devices and precisions."""

from __future__ import annotations

import pytest
import torch

from openclap.errors import ConfigError
from openclap.training.precision import autocast, resolve_device, resolve_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "meta"])
def test_a_device_that_is_not_here_is_refused_with_what_to_set(name):
    with pytest.raises(ConfigError, match="set it to auto, cpu or cuda"):
        resolve_device(name)


def test_auto_is_a_device_that_works():
    torch.zeros(1, device=resolve_device("auto"))


@pytest.mark.parametrize(("capabilities", "expected"), [({"avx512_bf16": True}, "fp32"), ({"amx_bf16": True}, "bf16")])
def test_auto_on_a_cpu_is_bf16_only_with_matrix_units(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert resolve_precision("auto", CPU) == expected


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_precision_that_is_asked_for_is_taken(precision):
    assert resolve_precision(precision, CPU) == precision


@pytest.mark.parametrize(("precision", "expected"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_matrix_products_run_in_it(precision, expected):
    with autocast(CPU, precision):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == expected
