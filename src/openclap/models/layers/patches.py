"""Features cut into square patches and put together again, in the order in which the ViT reads them."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def patchify(features: Float[Tensor, "batch 1 frames mels"], size: int) -> Float[Tensor, "batch patches {size}*{size}"]:
    """The patches of a spectrogram, through time, and within a time from low to high mel bins.

    Pixels of a patch stand frame by frame. Frames that fill no whole patch are filled up with zeros.

    Args:
        features: one view a clip.
        size: frames and mel bins of a patch; divides the mel bins.
    """
    batch, _, frames, mels = features.shape
    whole = F.pad(features[:, 0], (0, 0, 0, -frames % size))
    cut = whole.view(batch, -1, size, mels // size, size)
    return cut.transpose(2, 3).reshape(batch, -1, size * size)


def unpatchify(
    patches: Float[Tensor, "batch patches pixels"], size: int, mels: int
) -> Float[Tensor, "batch 1 frames {mels}"]:
    """The spectrogram that `patchify` cut, of whole patches."""
    batch, rows = patches.shape[0], mels // size
    columns = patches.view(batch, -1, rows, size, size)
    return columns.transpose(2, 3).reshape(batch, 1, -1, mels)
