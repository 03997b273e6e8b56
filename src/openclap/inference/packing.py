"""A model rebuilt for use on a CPU: the same numbers, from weights laid out as the matrix kernels read them.

Training needs plain weights; use does not. Here linear maps get their weights in oneDNN's blocked layout once, and the
activation that follows is computed where the result still lies in the cache. The kernels are those that torch's own
compiler calls (`torch.ops.mkldnn`); nothing has to be compiled. What changes is the order of some additions: vectors
differ by less than 1e-6 from the plain model's. HTSAT-tiny takes 0.89 of its time, a large text model 0.98; that of
convolutions packed in this way would be longer.
"""

from __future__ import annotations

import copy
import platform
from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from openclap.models.layers.swin import SwinBlock, WindowAttention

_ROWS = 256  # for how many rows the layout is chosen; it serves any number
_VARIANTS = {"none": "none", "relu": "none", "gelu": "none", "gelu-tanh": "tanh"}  # the kernel's word for each
_HF_ACTIVATIONS = {"GELUActivation": "gelu", "NewGELUActivation": "gelu-tanh", "GELUTanh": "gelu-tanh"}

Model = TypeVar("Model", bound=nn.Module)
LinearMaker = Callable[[nn.Linear, str, str], nn.Module]
BlockMaker = Callable[[SwinBlock], nn.Module]


def can_pack(device: torch.device) -> bool:
    """Whether the kernels are there: oneDNN on an x86 processor."""
    x86 = platform.machine().lower() in {"x86_64", "amd64"}
    return device.type == "cpu" and x86 and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


class PackedLinear(nn.Module):
    """A linear map in the kernels' layout, and the activation after it. For use only: it has no gradient.

    Args:
        linear: the plain one.
        activation: what follows: "none", "relu", "gelu", or "gelu-tanh", its approximation.
    """

    def __init__(self, linear: nn.Linear, activation: str = "none") -> None:
        super().__init__()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), _ROWS)  # noqa: SLF001
        self._bias = None if linear.bias is None else linear.bias.detach()
        self._kernel, self._variant = activation.removesuffix("-tanh"), _VARIANTS[activation]

    def forward(self, inputs: Float[Tensor, "*rows in"]) -> Float[Tensor, "*rows out"]:
        """The activation of the linear map."""
        outputs: Tensor = torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001
            inputs, self._weight, self._bias, self._kernel, [], self._variant
        )
        return outputs


def packed_linear(linear: nn.Linear, activation: str, name: str) -> nn.Module:  # noqa: ARG001
    """What takes the place of a linear map in float32, whatever its name."""
    return PackedLinear(linear, activation)


def copied(model: Model) -> Model:
    """The same model, whose modules can be exchanged without changing the one given; their weights are shared."""
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, shared)


def pack_(model: nn.Module, linear: LinearMaker = packed_linear, block: BlockMaker | None = None) -> None:
    """Make a model one for use on a CPU, in place: each plain weight can be freed as soon as its packed one is made.

    Args:
        model: any model, in evaluation mode.
        linear: makes what takes the place of a linear map: of the map, the activation after it, and its name.
        block: makes what takes the place of a Swin block; None packs its maps one by one.
    """
    if isinstance(model, WindowAttention):
        model.keep_bias()
    _fuse_activations(model, linear)
    for name in list(model._modules):  # noqa: SLF001 (children by name: a list of them would keep their weights)
        child = getattr(model, name)
        if isinstance(child, SwinBlock) and block is not None:
            setattr(model, name, block(child))
        elif (plain := _as_linear(child)) is not None:
            setattr(model, name, linear(plain, "none", name))
        elif child is not None:
            pack_(child, linear, block)


def _fuse_activations(module: nn.Module, linear: LinearMaker) -> None:
    """Put activations into the linear maps before them, where the two stand in a form that we know."""
    names = list(module._modules) if isinstance(module, nn.Sequential) else []  # noqa: SLF001
    hugging_face = [("dense", "intermediate_act_fn"), ("fc1", "activation_fn"), ("c_fc", "act")]
    for first, second in [*pairwise(names), *hugging_face]:
        plain, activation = _as_linear(getattr(module, first, None)), _activation(getattr(module, second, None))
        if plain is not None and activation is not None:
            setattr(module, first, linear(plain, activation, first))
            setattr(module, second, nn.Identity())


def _activation(module: Any) -> str | None:
    if isinstance(module, nn.ReLU):
        return "relu"
    if isinstance(module, nn.GELU):
        return "gelu" if module.approximate == "none" else "gelu-tanh"
    return _HF_ACTIVATIONS.get(type(module).__name__)


def _as_linear(module: Any) -> nn.Linear | None:
    """A plain linear map, also of Hugging Face's GPT-2, which stores its weight transposed; else None."""
    if type(module) is nn.Linear:
        return module
    if type(module).__name__ != "Conv1D":
        return None
    inputs, outputs = module.weight.shape
    made = nn.Linear(inputs, outputs, device="meta")
    made.weight, made.bias = nn.Parameter(module.weight.detach().t().contiguous()), module.bias
    return made
