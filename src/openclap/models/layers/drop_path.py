"""Stochastic depth (arXiv 1603.09382): in training, a residual branch is left out for some samples of a batch."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from openclap.models.layers.length_groups import Shapes


class DropPath(nn.Module):
    """Zeroes its input for a random part of the samples, and scales the rest up to keep the mean; training only.

    Args:
        rate: probability that a sample is zeroed. The randomness is torch's default generator's.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """The branch, with whole samples zeroed."""
        if not self.training or self.rate == 0:
            return branch
        return branch * self._factors(branch, len(branch))[:, None, None]

    def packed(self, branch: Float[Tensor, "packed dim"], shapes: Shapes) -> Float[Tensor, "packed dim"]:
        """The same of samples of several lengths, packed."""
        if not self.training or self.rate == 0:
            return branch
        counts = [count for clips, count in shapes for _ in range(clips)]
        tokens = torch.tensor(counts).to(branch.device, non_blocking=True)
        factors = self._factors(branch, len(tokens)).repeat_interleave(tokens, output_size=len(branch))
        return branch * factors[:, None]

    def _factors(self, branch: Tensor, samples: int) -> Float[Tensor, " {samples}"]:
        keep = 1 - self.rate
        return branch.new_empty(samples).bernoulli_(keep).div_(keep)

    def extra_repr(self) -> str:
        """The rate, for `print(model)`."""
        return f"rate={self.rate:g}"
