"""The arguments of `benchmarks/embed.py`: what cannot be measured here ends at once, and says why."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch


@pytest.fixture
def script(load) -> ModuleType:
    return load("embed")


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there_is_refused(
    device: str, script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as ended:
        script.parse(["--device", device])
    assert ended.value.code == 2
    assert f"--device: '{device}' needs a GPU, and torch sees none here: give cpu" in capsys.readouterr().err


def test_a_gpu_that_is_there_is_taken(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert script.parse(["--device", "cuda"]).device == "cuda"


@pytest.mark.parametrize("arguments", [["--models", "vit"], ["--precisions", "fp16"], ["--batch", "many"]])
def test_what_does_not_exist_is_refused(arguments: list[str], script: ModuleType) -> None:
    with pytest.raises(SystemExit):
        script.parse(arguments)


def test_without_arguments_everything_is_measured_on_the_cpu(script: ModuleType) -> None:
    args = script.parse([])
    assert (args.device, args.batch, args.precisions) == ("cpu", [1, 8, 32], ["fp32", "int8"])
