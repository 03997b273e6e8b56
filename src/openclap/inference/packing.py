"""A model rebuilt for use on a CPU: the same numbers, from weights laid out as the kernels read them.

Training needs plain weights; use does not. Here linear maps and convolutions get their weights in oneDNN's blocked
layout once, instead of at every call, the activation that follows is computed where the result still lies in the cache,
and a batch norm becomes part of the convolution before it. The kernels are those that torch's own compiler calls
(`torch.ops.mkldnn`); nothing has to be compiled. What changes is the order of some additions: vectors differ by less
than 1e-6 from the plain model's.
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

from openclap.models.layers.conv_norm import ConvNorm
from openclap.models.layers.swin import SwinBlock, WindowAttention

_ROWS = 256  # for how many rows the layout is chosen; it serves any number
_VARIANTS = {"none": "none", "relu": "none", "gelu": "none", "gelu-tanh": "tanh"}  # the kernel's word for each
_HF_ACTIVATIONS = {"GELUActivation": "gelu", "NewGELUActivation": "gelu-tanh", "GELUTanh": "gelu-tanh"}

Model = TypeVar("Model", bound=nn.Module)
LinearMaker = Callable[[nn.Linear, str], nn.Module]
BlockMaker = Callable[[nn.Sequential], nn.Module | None]


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


class PackedConvNorm(nn.Module):
    """A convolution with its batch norm multiplied in, and a rectifier: maps with their channels last.

    Channels last is how the kernels read and write; a plain map is turned at the first of several convolutions.
    """

    def __init__(self, layer: ConvNorm) -> None:
        super().__init__()
        conv, norm = layer.conv, layer.norm
        mean, variance = norm.running_mean, norm.running_var
        if mean is None or variance is None:
            raise ValueError("a batch norm without statistics cannot be multiplied into its convolution")
        scale = (norm.weight.double() / (variance.double() + norm.eps).sqrt()).detach()
        weight = (conv.weight.detach() * scale[:, None, None, None]).float()
        self._bias = (norm.bias.double() - mean.double() * scale).detach().float()
        self._place = (list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups)
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(  # noqa: SLF001
            weight.contiguous(memory_format=torch.channels_last), *self._place
        )

    def forward(self, maps: Float[Tensor, "batch channels frames mels"]) -> Float[Tensor, "batch width frames mels"]:
        """What the three layers give."""
        outputs: Tensor = torch.ops.mkldnn._convolution_pointwise(  # noqa: SLF001
            maps.contiguous(memory_format=torch.channels_last), self._weight, self._bias, *self._place, "relu", [], ""
        )
        return outputs


def pack(model: Model, linear: LinearMaker = PackedLinear, perceptron: BlockMaker = lambda _: None) -> Model:
    """The same model for use on a CPU; the one given stays as it is, and what is not packed is shared with it.

    Args:
        model: any model, in evaluation mode.
        linear: what takes the place of a linear map.
        perceptron: what takes the place of a Swin block's perceptron; None where its maps are packed one by one.
    """
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    packed = copy.deepcopy(model, shared)
    for module in list(packed.modules()):
        if isinstance(module, WindowAttention):
            module.keep_bias()
        if isinstance(module, SwinBlock) and (made := perceptron(module.mlp)) is not None:
            module.mlp = made  # type: ignore[assignment]
        _fuse_activations(module, linear)
        for name, child in list(module.named_children()):
            if isinstance(child, ConvNorm):
                setattr(module, name, PackedConvNorm(child))
            elif (plain := _as_linear(child)) is not None:
                setattr(module, name, linear(plain, "none"))
    return packed


def _fuse_activations(module: nn.Module, linear: LinearMaker) -> None:
    """Put activations into the linear maps before them, where the two stand in a form that we know."""
    names = list(module._modules) if isinstance(module, nn.Sequential) else []  # noqa: SLF001
    hugging_face = [("dense", "intermediate_act_fn"), ("fc1", "activation_fn"), ("c_fc", "act")]
    for first, second in [*pairwise(names), *hugging_face]:
        plain, activation = _as_linear(getattr(module, first, None)), _activation(getattr(module, second, None))
        if plain is not None and activation is not None:
            setattr(module, first, linear(plain, activation))
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
