"""The sigmoid loss of SigLIP (arXiv 2303.15343, algorithm 1): every audio-text pair is its own yes-or-no question.

What differs from the paper: pairs that share a caption are positives of each other. The paper starts `logit_scale` at
ln 10 and `logit_bias` at -10 (section 3.2): without a learnt bias, the many negatives dominate the first steps.

That negative captions of a clip are questions of their own, to which the answer is no, is ours.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from openclap.losses.base import losses, negative_logits, pair_logits, positives
from openclap.types import ClapOutput


@losses.register("siglip")
def siglip(output: ClapOutput, caption_group: Int[Tensor, " batch"] | None = None) -> Float[Tensor, ""]:
    """-1/B Σᵢⱼ log sigmoid(±zᵢⱼ), + for positives and - for negatives, with z = logit_scale · A Tᵀ + logit_bias.

    The gradient in zᵢⱼ is -(1 - sigmoid(zᵢⱼ)) / B for a positive and sigmoid(zᵢⱼ) / B for a negative: a pair with the
    same caption is only ever pulled closer.

    Negatives, each asked of its own clip alone, with logits n, add -1/B Σ log sigmoid(-n).
    """
    logits = pair_logits(output)
    signs = positives(caption_group, output).to(logits.dtype) * 2 - 1
    loss = -F.logsigmoid(signs * logits).sum() / len(logits)
    if output.negatives is None:
        return loss
    return loss - F.logsigmoid(-negative_logits(output, output.negatives)).sum() / len(logits)
