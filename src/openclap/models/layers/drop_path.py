"""Stochastic depth (arXiv 1603.09382): in training, a residual branch is left out for some samples of a batch."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


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
        keep = 1 - self.rate
        return branch * branch.new_empty(len(branch), 1, 1).bernoulli_(keep).div_(keep)

    def extra_repr(self) -> str:
        """The rate, for `print(model)`."""
        return f"rate={self.rate:g}"
