"""SpecAugment (arXiv 1904.08779, section 2): in training, stripes of time and of mel bins are set to zero."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from openclap.config import Config


class SpecAugmentConfig(Config):
    """Stripes a clip; the defaults are LAION-CLAP's. Each is 0 to `width - 1` wide, and anywhere.

    Attributes:
        time_width: frames.
        time_stripes: how many.
        mel_width: mel bins.
        mel_stripes: how many.
    """

    time_width: int = Field(default=64, gt=0)
    time_stripes: int = Field(default=2, ge=0)
    mel_width: int = Field(default=8, gt=0)
    mel_stripes: int = Field(default=2, ge=0)


class SpecAugment(nn.Module):
    """Features with stripes of zeros, other ones for every clip but the same in all of its views; training only.

    The randomness is that of torch's default generator. Zero is the mean where normalised features go in.
    """

    def __init__(self, config: SpecAugmentConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, features: Float[Tensor, "batch views frames mels"]) -> Float[Tensor, "batch views frames mels"]:
        """The augmented features; in use they come back as they are."""
        if not self.training:
            return features
        batch, _, frames, mels = features.shape
        c, device = self.config, features.device
        time = _stripes(batch, frames, c.time_width, c.time_stripes, device)
        mel = _stripes(batch, mels, c.mel_width, c.mel_stripes, device)
        return features.masked_fill(time[:, None, :, None] | mel[:, None, None, :], 0)


def _stripes(batch: int, length: int, width: int, count: int, device: torch.device) -> Bool[Tensor, "batch length"]:
    widths = torch.randint(0, min(width, length), (batch, count, 1), device=device)
    starts = (torch.rand(batch, count, 1, device=device) * (length - widths)).long()
    place = torch.arange(length, device=device)
    return ((place >= starts) & (place < starts + widths)).any(dim=1)
