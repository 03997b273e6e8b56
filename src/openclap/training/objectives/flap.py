"""FLAP: a clip of which most is left out finds its text, and what was left out is reconstructed from the rest.

Source: "FLAP: Fast Language-Audio Pre-training", arXiv 2311.01615, whose code and weights were never published; written
from the paper. Masks (1-D and 2-D) in training alone, several masked views of one clip each contrasted with the text,
and one encoder pass that feeds both losses are the paper's. Ratios, the weight of the reconstruction, and what kind of
error it is are our own choice, as are masks by block and by energy.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from openclap.config import Config
from openclap.losses.base import PairLoss
from openclap.losses.reconstruction import ReconstructionConfig, patch_losses
from openclap.models.clap import Clap
from openclap.models.masking import MaskingConfig
from openclap.training.objectives.base import check_text, negatives_of, objectives, texts_of
from openclap.training.objectives.contrastive import ContrastiveObjective
from openclap.training.objectives.masked import (
    MaskedClips,
    check_masked,
    check_reconstructs,
    same_chance,
)
from openclap.types import NegativeOutput, PairBatch


class FlapConfig(Config):
    """How much of a clip is left out in training, and what is asked of the rest; all numbers are ours.

    Attributes:
        masking: which tokens are left out, and how many.
        views: masks that are laid over a clip in a step; each view is contrasted with the text, and reconstructs.
        reconstruction: what the reconstruction is judged by; None reconstructs nothing, and needs no decoder.
        weight: of the reconstruction beside the contrastive loss, which has weight 1.
    """

    masking: MaskingConfig = MaskingConfig(kind="1d", ratio=0.75)
    views: int = Field(default=1, gt=0)
    reconstruction: ReconstructionConfig | None = None
    weight: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _fits(self) -> FlapConfig:
        if self.reconstruction is not None:
            check_reconstructs(self.masking, self.reconstruction)
        return self


@objectives.register("flap")
class FlapObjective:
    """A pair loss between texts and masked views of the clips, and the error of reconstructing what is masked.

    In evaluation mode nothing is masked, and the loss is the contrastive one, as the model is used; where it
    reconstructs, a second pass with the same masks every time shows how well, as "reconstruction".

    Args:
        loss: embeddings and caption groups to a scalar.
        options: those of `FlapConfig`.

    Raises:
        ConfigError: if an option or its value is wrong.
    """

    def __init__(self, loss: PairLoss, **options: Any) -> None:
        self.config = FlapConfig.read(options, origin="objective.options")
        if self.config.reconstruction is not None:
            patch_losses.get(self.config.reconstruction.loss)  # a wrong name is said now, and not at the first step
        self.reads_text = True
        self._contrastive = ContrastiveObjective(loss)

    def check(self, model: Clap) -> None:
        """Make sure that there is a text tower, an audio encoder that can leave tokens out, and the decoder.

        And that masks leave something to hear.
        """
        check_text(model, "flap")
        check_masked(model, self.config.masking, self.config.reconstruction)

    def __call__(
        self, model: Clap, features: Float[Tensor, "batch views frames mels"], batch: PairBatch
    ) -> dict[str, Tensor]:
        """The loss with its parts, in-batch accuracies both ways (in training of masked clips), and the logit scale."""
        return self._train(model, features, batch) if model.training else self._validate(model, features, batch)

    def _train(
        self, model: Clap, features: Float[Tensor, "batch views frames mels"], batch: PairBatch
    ) -> dict[str, Tensor]:
        clips, text = MaskedClips(model, features, batch.audio.frames), texts_of(batch)
        text_embeds = model.encode_text(text.input_ids, text.attention_mask)
        negatives = negatives_of(model, batch)
        views = [self._view(model, clips, text_embeds, negatives, batch) for _ in range(self.config.views)]
        parts = {name: torch.stack([view[name] for view in views]).mean() for name in views[0]}
        loss = contrastive = parts.pop("loss")
        parts = {"contrastive": contrastive.detach(), **parts}
        if "reconstruction" in parts:
            loss = loss + self.config.weight * parts["reconstruction"]
            parts["reconstruction"] = parts["reconstruction"].detach()
        return {"loss": loss, **parts}

    def _view(
        self,
        model: Clap,
        clips: MaskedClips,
        text_embeds: Float[Tensor, "batch embed"],
        negatives: NegativeOutput | None,
        batch: PairBatch,
    ) -> dict[str, Tensor]:
        encoded, masks = clips.encoded(self.config.masking)
        output = model.paired(model.project_audio(clips.pooled(encoded)), text_embeds)
        parts = self._contrastive.compare(output._replace(negatives=negatives), batch)
        parts["logit_scale"] = output.logit_scale.detach()
        if self.config.reconstruction is not None:
            parts["reconstruction"] = clips.reconstruction(model, self.config.reconstruction, encoded, masks)
        return parts

    def _validate(
        self, model: Clap, features: Float[Tensor, "batch views frames mels"], batch: PairBatch
    ) -> dict[str, Tensor]:
        parts = self._contrastive(model, features, batch)
        if self.config.reconstruction is not None:
            clips = MaskedClips(model, features, batch.audio.frames)
            encoded, masks = clips.encoded(self.config.masking, same_chance(features.device))
            error = clips.reconstruction(model, self.config.reconstruction, encoded, masks)
            parts["reconstruction"] = error.detach()
        return parts
