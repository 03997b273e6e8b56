"""Feature fusion: a clip longer than the window is heard as a whole and in three places, and the two are blended.

Sources: "Attentional Feature Fusion" (arXiv 2009.14082, WACV 2021), sections 3.2 and 3.3; its use on sound: LAION-CLAP
(arXiv 2211.06687), section 3. Written anew. What differs: a blend works on vectors at positions, whatever their
layout is (frames of mel bins, tokens of a grid, pixels of a map), so the published 1 x 1 convolutions are linear maps
and one class serves their one- and two-dimensional forms; and only clips that are longer cost anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

FusionKind = Literal["none", "channel-map", "daf-1d", "aff-1d", "iaff-1d", "daf-2d", "aff-2d", "iaff-2d"]
"""How an encoder fuses four views: as channels of its input ("channel-map"), or by a blend of frames ("1d") or of the
first map ("2d"); "none" takes one view."""


def count_views(kind: FusionKind) -> int:
    """How many views of a clip such an encoder takes: 1, or 4 (global, front, middle, back)."""
    return 1 if kind == "none" else 4


def longer_rows(is_longer: Bool[Tensor, " batch"] | None, device: torch.device) -> Int[Tensor, " rows"]:
    """The numbers of the clips that are longer than the window; None says that there are none."""
    if is_longer is None:
        return torch.empty(0, dtype=torch.long, device=device)
    return is_longer.to(device).nonzero()[:, 0]


def build_blend(kind: FusionKind, channels: int) -> Daf | Aff | Iaff:
    """The blend that a kind of fusion names, between vectors of so many channels."""
    blends: dict[str, Callable[[int], Daf | Aff | Iaff]] = {"daf": lambda _: Daf(), "aff": Aff, "iaff": Iaff}
    return blends[kind.partition("-")[0]](channels)


class Daf(nn.Module):
    """Direct addition: the plain sum."""

    def forward(
        self, whole: Float[Tensor, "rows positions channels"], local: Float[Tensor, "rows positions channels"]
    ) -> Float[Tensor, "rows positions channels"]:
        """Both, added."""
        return whole + local


class Aff(nn.Module):
    """Attentional feature fusion: a learnt weight for every value says how much of it comes from the whole.

    Args:
        channels: width of the vectors.
        reduction: how many times narrower the attention's hidden layer is.
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        self.local_attention = _Attention(channels, reduction)
        self.global_attention = _Attention(channels, reduction)

    def forward(
        self, whole: Float[Tensor, "rows positions channels"], local: Float[Tensor, "rows positions channels"]
    ) -> Float[Tensor, "rows positions channels"]:
        """Twice the weighted mean of the two, as LAION-CLAP has it: equal inputs give their sum."""
        both = whole + local
        return 2 * _mix(whole, local, _weight(both, self.local_attention, self.global_attention))


class Iaff(nn.Module):
    """Iterative attentional feature fusion: a first blend tells the second where to look.

    As published, the second round asks the *first* round's global attention again, and nothing reads the weights of
    `global_attention_2`. They are here for published files to load and to leave as they came; they have no gradient.

    Args:
        channels: width of the vectors.
        reduction: how many times narrower the attention's hidden layer is.
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        self.local_attention = _Attention(channels, reduction)
        self.global_attention = _Attention(channels, reduction)
        self.local_attention_2 = _Attention(channels, reduction)
        self.global_attention_2 = _Attention(channels, reduction).requires_grad_(requires_grad=False)

    def forward(
        self, whole: Float[Tensor, "rows positions channels"], local: Float[Tensor, "rows positions channels"]
    ) -> Float[Tensor, "rows positions channels"]:
        """The weighted mean of the two, whose weights see a first weighted mean."""
        first = _mix(whole, local, _weight(whole + local, self.local_attention, self.global_attention))
        return _mix(whole, local, _weight(first, self.local_attention_2, self.global_attention))


class FrameFusion(nn.Module):
    """The 1-D fusion: before the encoder, on frames as vectors of mel bins.

    A convolution makes each local view three times shorter; the three stand one after the other, cut or filled up with
    zeros to the whole's frames, and are blended with it.

    Args:
        kind: which blend.
        mels: mel bins.
    """

    def __init__(self, kind: FusionKind, mels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(mels, mels, kernel_size=5, stride=3, padding=2)
        self.norm = nn.BatchNorm1d(mels)
        self.blend = build_blend(kind, mels)

    def forward(
        self,
        whole: Float[Tensor, "batch 1 frames mels"],
        local: Float[Tensor, "rows 3 frames mels"],
        rows: Int[Tensor, " rows"],
    ) -> Float[Tensor, "batch 1 frames mels"]:
        """The whole views, those of `rows` fused with their local views."""
        if not len(rows):
            return whole
        shrunk: Tensor = self.norm(self.conv(local.flatten(0, 1).transpose(1, 2)))
        joined = shrunk.transpose(1, 2).reshape(len(rows), -1, shrunk.shape[1])
        fitted = F.pad(joined, (0, 0, 0, whole.shape[2] - joined.shape[1]))  # a negative width cuts
        fused: Tensor = self.blend(whole[rows, 0], fitted)
        return whole.index_copy(0, rows, fused[:, None].to(whole.dtype))


class _Attention(nn.Module):
    """Two linear maps with batch norms, through a narrow layer: what each value's weight is made of."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = channels // reduction
        self.squeeze = nn.Linear(channels, hidden)
        self.squeeze_norm = nn.BatchNorm1d(hidden)
        self.expand = nn.Linear(hidden, channels)
        self.expand_norm = nn.BatchNorm1d(channels)

    def forward(self, x: Float[Tensor, "rows positions channels"]) -> Float[Tensor, "rows positions channels"]:
        vectors = x.flatten(0, 1)
        if self.training and len(vectors) == 1:
            # One vector has no variance to normalise by. Twice the same, as published, it becomes the norm's bias.
            vectors = vectors.expand(2, -1)
        hidden = F.relu(self.squeeze_norm(self.squeeze(vectors)))
        out: Tensor = self.expand_norm(self.expand(hidden))
        return out[: x.shape[0] * x.shape[1]].view_as(x)


def _weight(
    x: Float[Tensor, "rows positions channels"], local_attention: nn.Module, global_attention: nn.Module
) -> Float[Tensor, "rows positions channels"]:
    context: Tensor = global_attention(x.mean(dim=1, keepdim=True))
    return torch.sigmoid(local_attention(x) + context)


def _mix(
    whole: Float[Tensor, "rows positions channels"],
    local: Float[Tensor, "rows positions channels"],
    weight: Float[Tensor, "rows positions channels"],
) -> Float[Tensor, "rows positions channels"]:
    return weight * (whole - local) + local
