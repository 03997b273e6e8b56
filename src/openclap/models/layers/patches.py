"""Features cut into square patches and put together again, in the order in which the ViT reads them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from openclap.models.layers.length_groups import LengthGroups


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


@dataclass(frozen=True, eq=False)
class GroupedFeatures:
    """Features of clips of different lengths, those with equally many patches together.

    Attributes:
        groups: which clips these are.
        features: of each group, as many frames as its patches have, zeros after a clip's own.
    """

    groups: LengthGroups
    features: tuple[Float[Tensor, "_clips views _frames mels"], ...]

    @classmethod
    def of(
        cls, features: Float[Tensor, "batch views frames mels"], frames: Int[Tensor, " batch"] | None, size: int
    ) -> GroupedFeatures:
        """The groups of a batch.

        Args:
            features: what stands after a clip's own frames is not read.
            frames: how many frames are each clip's own, at least 1; None are all of them.
            size: frames of a patch.
        """
        batch, _, longest, _ = features.shape
        if frames is None:
            return cls(LengthGroups.of(torch.full((batch,), longest)), (features,))
        groups = LengthGroups.of(-(-frames // size) * size)
        own = torch.arange(longest) < frames.cpu()[:, None]
        own = own.to(features.device, non_blocking=True)[:, None, :, None]
        split = groups.split(features.where(own, 0.0))
        return cls(groups, tuple(part[:, :, :length] for part, length in zip(split, groups.lengths, strict=True)))
