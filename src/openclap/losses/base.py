"""What a pair loss is, and the registry of them."""

from __future__ import annotations

from typing import Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from openclap.registry import Registry
from openclap.types import ClapOutput, NegativeOutput


class PairLoss(Protocol):
    """Embeddings of a batch of pairs to one number, computed in float32."""

    def __call__(self, output: ClapOutput, caption_group: Int[Tensor, " batch"] | None = None) -> Float[Tensor, ""]:
        """The loss of a batch.

        Args:
            output: unit vectors, where audio i belongs to text i, what turns cosines into logits, and perhaps negatives
                of single clips: a loss that does not look at `output.negatives` trains without them.
            caption_group: pairs with the same number have the same caption and are positives of each other; None says
                that all captions differ.
        """
        ...


losses: Registry[PairLoss] = Registry("loss", "openclap.losses")


def pair_logits(output: ClapOutput) -> Float[Tensor, "batch batch"]:
    """`logit_scale` × cosine + `logit_bias` of every audio (row) and text (column), float32 even under autocast."""
    audio, text = output.audio_embeds.float(), output.text_embeds.float()
    with torch.autocast(audio.device.type, enabled=False):
        return output.logit_scale.float() * (audio @ text.T) + output.logit_bias.float()


def positives(caption_group: Int[Tensor, " batch"] | None, output: ClapOutput) -> Bool[Tensor, "batch batch"]:
    """Which audio (row) and text (column) belong together: the pairs, and all that share a caption."""
    if caption_group is None:
        return torch.eye(len(output.audio_embeds), dtype=torch.bool, device=output.audio_embeds.device)
    return caption_group[:, None] == caption_group[None, :]


def negative_logits(output: ClapOutput, negatives: NegativeOutput) -> Float[Tensor, " negatives"]:
    """`logit_scale` × cosine + `logit_bias` of each negative and the clip it is of, float32 even under autocast."""
    audio, text = output.audio_embeds.float(), negatives.text_embeds.float()
    with torch.autocast(audio.device.type, enabled=False):
        return output.logit_scale.float() * (audio[negatives.clip] * text).sum(dim=1) + output.logit_bias.float()
