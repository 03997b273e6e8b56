"""Symmetric InfoNCE: each sound picks its caption out of the batch, and each caption its sound.

CLIP (arXiv 2103.00020, figure 3) and LAION-CLAP (arXiv 2211.06687, section 2) take the pairs as the only positives.
Captions repeat, most of all when they come from labels, and then a negative would be as right as the positive. So the
target here spreads over all pairs with the same caption, as in supervised contrastive learning (2004.11362, eq. 2).

Negative captions of a clip are CompA's (2310.08753, section 3): each is one more text among which this clip, and no
other, picks its own; what texts pick from stays as it is. A different number for each clip, none for some, is our own.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from openclap.errors import ConfigError
from openclap.losses.base import losses, negative_logits, pair_logits, positives
from openclap.types import ClapOutput


@losses.register("infonce")
def info_nce(output: ClapOutput, caption_group: Int[Tensor, " batch"] | None = None) -> Float[Tensor, ""]:
    """Mean cross-entropy of both directions against targets that are uniform over the positives.

    With z = logit_scale · A Tᵀ, and P(i) the set of pairs with the caption of pair i (i itself among them):

        A→T = -1/B Σᵢ 1/|P(i)| Σ_{j∈P(i)} log softmaxⱼ(zᵢ·)        T→A = the same of zᵀ        loss = (A→T + T→A) / 2

    Gradient: ∂A→T/∂zᵢⱼ = (softmaxⱼ(zᵢ·) - [j∈P(i)]/|P(i)|) / B. Negatives are pushed away, by their softmax.
    The positives of a row are together pulled closer by the share that negatives hold, and are evened out among
    themselves: one is pushed down only while it alone takes more than 1/|P(i)|. So a duplicate never acts as a
    negative: copies of a text have equal logits and are all pulled closer, until negatives hold nothing.

    When all captions differ this is cross-entropy with the diagonal as the classes. `logit_bias` cancels out.

    Negatives N(i) of clip i, with logits nᵢₖ, enter the softmax of its row alone, with a target of 0:

        softmaxⱼ = exp(zᵢⱼ) / (Σₘ exp(zᵢₘ) + Σ_{k∈N(i)} exp(nᵢₖ)),   in A→T only
    """
    logits = pair_logits(output)
    if caption_group is None:
        targets = torch.arange(len(logits), device=logits.device)
    else:
        targets = positives(caption_group, output).float()
        targets /= targets.sum(dim=1, keepdim=True)  # symmetric: all pairs of one caption have as many positives
    loss = (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2
    if output.negatives is None:
        return loss
    return loss + _more_to_pick_from(logits, negative_logits(output, output.negatives), output.negatives.clip) / 2


@losses.register("infonce-mlp")
def info_nce_mlp(output: ClapOutput, caption_group: Int[Tensor, " batch"] | None = None) -> Float[Tensor, ""]:
    """Mean of four cross-entropies: each tower's embeddings against the other's through its second head, both ways.

    LAION-CLAP's loss with its `mlp_loss` (its code; no published weights were trained with it): the sounds against the
    texts' second vectors under `logit_scale`, and the sounds' second vectors against the texts under
    `mlp.logit_scale_text`. Second vectors have any length. Captions that repeat, and negatives, are as in "infonce".

    Raises:
        ConfigError: if the model has no second heads.
    """
    negatives = output.negatives
    if output.mlp is None or (negatives is not None and negatives.mlp_text_embeds is None):
        raise ConfigError("the loss 'infonce-mlp' needs the model's second heads: set model.mlp_heads to true")
    if negatives is not None and negatives.mlp_text_embeds is not None:
        negatives = negatives._replace(text_embeds=negatives.mlp_text_embeds)
    by_text_head = output._replace(text_embeds=output.mlp.text_embeds, negatives=negatives)
    by_audio_head = output._replace(audio_embeds=output.mlp.audio_embeds, logit_scale=output.mlp.logit_scale_text)
    return (info_nce(by_text_head, caption_group) + info_nce(by_audio_head, caption_group)) / 2


def _more_to_pick_from(
    logits: Float[Tensor, "batch batch"], more: Float[Tensor, " negatives"], clip: Int[Tensor, " negatives"]
) -> Float[Tensor, ""]:
    """What further logits in the softmax of some rows add to the mean cross-entropy of all rows.

    With S a row's sum of exponentials and N that of the further ones, log (S + N) - log S = log (1 + N/S), whatever the
    targets are.
    """
    above = more - logits.logsumexp(dim=1)[clip]
    highest = torch.zeros_like(logits[:, 0]).scatter_reduce(0, clip, above.detach(), "amax")  # no exponential above 1
    total = (-highest).exp().index_add(0, clip, (above - highest[clip]).exp())
    return (highest + total.log()).mean()
