"""Samples of a model's tokens that nothing but their own seed decides.

The greatest of the log-probabilities with Gumbel noise is a sample of them (Gumbel 1954; the "Gumbel-max trick"). With
a generator for each text, neither the batch's other texts nor anything global has a say in what is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def drawing(seeds: Sequence[int], temperature: float) -> Callable[[Tensor, Tensor], Tensor]:
    """A logits processor for `generate` that makes the likeliest token of each text a sample.

    Args:
        seeds: one a text.
        temperature: above 0; the higher, the less likely tokens.
    """
    import torch

    generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def add(_: Tensor, scores: Tensor) -> Tensor:
        uniform = torch.stack([torch.rand(scores.shape[-1], generator=generator) for generator in generators])
        gumbel = -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 1e-7)))
        return scores.float() / temperature + gumbel.to(scores.device)

    return add
