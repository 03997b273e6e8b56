"""The objective of CLAP (arXiv 2211.06687, section 3.1): a clip finds its text among the batch's, and the reverse."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from openclap.losses.base import PairLoss
from openclap.models.clap import Clap
from openclap.training.metrics import in_batch_accuracy, negative_accuracy
from openclap.training.objectives.base import check_text, negatives_of, objectives, texts_of
from openclap.types import ClapOutput, PairBatch


@objectives.register("contrastive")
class ContrastiveObjective:
    """A pair loss over the embeddings of one batch.

    The batch is what a clip is contrasted with. Under gradient accumulation each micro-batch is a batch of its own:
    accumulating makes the gradient less noisy, and gives no clip more negatives.

    Args:
        loss: embeddings and caption groups to a scalar.
    """

    def __init__(self, loss: PairLoss) -> None:
        self.loss = loss
        self.reads_text = True

    def check(self, model: Clap) -> None:
        """Make sure that there is a text tower."""
        check_text(model, "contrastive")

    def __call__(
        self, model: Clap, features: Float[Tensor, "batch views frames mels"], batch: PairBatch
    ) -> dict[str, Tensor]:
        """The loss, in-batch accuracies both ways and over negatives, and in training the logit scale."""
        text = texts_of(batch)
        audio = batch.audio
        output = model(features, audio.is_longer, text.input_ids, text.attention_mask, audio.frames)
        parts = self.compare(output._replace(negatives=negatives_of(model, batch)), batch)
        if model.training:  # for validation it is not a measure of anything
            parts["logit_scale"] = output.logit_scale.detach()
        return parts

    def compare(self, output: ClapOutput, batch: PairBatch) -> dict[str, Tensor]:
        """The loss of embeddings, in-batch accuracies both ways, and, if there are negatives, that over them."""
        with torch.autocast(output.audio_embeds.device.type, enabled=False):  # the logits' product stays in float32
            loss = self.loss(output, batch.caption_group)
            audio_to_text, text_to_audio = in_batch_accuracy(
                output.audio_embeds, output.text_embeds, batch.caption_group
            )
            parts = {"loss": loss, "audio_to_text_accuracy": audio_to_text, "text_to_audio_accuracy": text_to_audio}
            if output.negatives is not None:
                parts["negative_accuracy"] = negative_accuracy(output, output.negatives)
        return parts
