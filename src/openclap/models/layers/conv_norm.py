"""Convolution, batch norm and rectifier, computed in use as is quickest on a CPU; and averaging of neighbours.

The numbers behind the choices are of CNN14 on clips of 10 s, AVX-512 cores, float32, torch 2.13. Nothing is kept
between calls, so changed weights count at once.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

FEW_MELS = 4
"""Up to so many mel bins, matrix products are quicker than the library's convolution, which multiplies the padding and
sorts the weights anew at every call: in CNN14's last block it takes 3 times as long, for eight clips 4 times."""


class ConvNorm(nn.Module):
    """A convolution that keeps the map's size, its batch norm, and a rectifier.

    Args:
        before: channels that come in.
        width: channels that go out.
        kernel_size: frames and mel bins that the convolution sees; odd.
    """

    def __init__(self, before: int, width: int, kernel_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, width, kernel_size, padding=kernel_size // 2, bias=False)
        # Channels lie beside one another in memory, in weights and so in maps: the first layer takes 1 ms, not 24.
        self.conv.weight.data = self.conv.weight.data.contiguous(memory_format=torch.channels_last)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, maps: Float[Tensor, "batch channels frames mels"]) -> Float[Tensor, "batch width frames mels"]:
        """Maps of the same frames and mel bins."""
        weight = self.conv.weight
        positions = maps.shape[0] * maps.shape[2] * maps.shape[3]
        if self.norm.training or maps.is_cuda or torch.compiler.is_compiling():
            return F.relu(self.norm(self.conv(maps)), inplace=True)
        if maps.shape[3] <= FEW_MELS and not torch.is_grad_enabled():
            return F.relu(self.norm(_by_columns(maps, weight)), inplace=True)
        if weight[0].numel() > positions:
            return F.relu(self.norm(self.conv(maps)), inplace=True)
        # Fewer weights than values in the map: the norm is multiplied into them, which saves a pass over the map.
        return F.relu(self._folded(maps), inplace=True)

    def _folded(self, maps: Float[Tensor, "batch channels frames mels"]) -> Float[Tensor, "batch width frames mels"]:
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        shift = norm.bias - norm.running_mean * scale
        return F.conv2d(maps, self.conv.weight * scale[:, None, None, None], shift, padding=self.conv.padding)


def average(maps: Float[Tensor, "batch channels frames mels"], side: int) -> Float[Tensor, "batch channels times bins"]:
    """Means over squares of so many frames and mel bins; what is left at the ends is not read."""
    if side != 2:
        return F.avg_pool2d(maps, side) if side > 1 else maps
    # Sums of slices: 1.3 ms on the largest map, where avg_pool2d takes 19.
    frames, mels = (length // 2 * 2 for length in maps.shape[2:])
    pairs = maps[:, :, 0:frames:2, :mels] + maps[:, :, 1:frames:2, :mels]
    return (pairs[..., ::2] + pairs[..., 1::2]) * 0.25


def _by_columns(
    maps: Float[Tensor, "batch channels frames mels"], weight: Float[Tensor, "width channels side side"]
) -> Float[Tensor, "batch width frames mels"]:
    """The convolution as matrix products, for each mel bin of those beside it that there are: none with padding."""
    batch, _, frames, mels = maps.shape
    side = weight.shape[-1]
    pad = side // 2
    kernel = weight.permute(0, 2, 3, 1)  # a row's neighbouring bins and their channels lie in one piece
    padded = F.pad(maps.permute(0, 2, 3, 1), (0, 0, 0, 0, pad, pad))
    columns = []
    for mel in range(mels):
        low, high = max(mel - pad, 0), min(mel + pad + 1, mels)
        total = maps.new_zeros(batch * frames, weight.shape[0])
        for row in range(side):
            seen = padded[:, row : row + frames, low:high].reshape(batch * frames, -1)
            total = torch.addmm(total, seen, kernel[:, row, low - mel + pad : high - mel + pad].flatten(1).t())
        columns.append(total.view(batch, frames, -1))
    return torch.stack(columns, dim=2).permute(0, 3, 1, 2)
