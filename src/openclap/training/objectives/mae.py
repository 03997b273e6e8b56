"""Masked autoencoding of sound alone: what is left out of a spectrogram is reconstructed from the rest.

Source: "Masked Autoencoders that Listen" (AudioMAE), arXiv 2207.06405, section 3; written anew. It needs no captions.
What it learns is where FLAP or plain CLAP may start from (`audio_init`).
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from pydantic import model_validator
from torch import Tensor

from openclap.config import Config
from openclap.errors import ConfigError
from openclap.losses.base import PairLoss
from openclap.losses.reconstruction import ReconstructionConfig, patch_losses
from openclap.models.clap import Clap
from openclap.models.masking import MaskingConfig
from openclap.training.objectives.base import objectives
from openclap.training.objectives.masked import (
    MaskedClips,
    check_masked,
    check_reconstructs,
    same_chance,
)
from openclap.types import PairBatch


class MaeConfig(Config):
    """How much of a clip is left out, and what its reconstruction is judged by; the defaults are AudioMAE's.

    Attributes:
        masking: which tokens are left out, and how many.
        reconstruction: what the reconstruction is judged by.
    """

    masking: MaskingConfig = MaskingConfig(kind="1d", ratio=0.8)
    reconstruction: ReconstructionConfig = ReconstructionConfig()

    @model_validator(mode="after")
    def _fits(self) -> MaeConfig:
        check_reconstructs(self.masking, self.reconstruction)
        return self


@objectives.register("mae")
class MaeObjective:
    """The error of reconstructing what is masked; in evaluation mode with the same masks every time.

    Args:
        loss: of pairs, which there are none of; not read.
        options: those of `MaeConfig`.

    Raises:
        ConfigError: if an option or its value is wrong.
    """

    def __init__(self, loss: PairLoss, **options: Any) -> None:  # noqa: ARG002
        self.config = MaeConfig.read(options, origin="objective.options")
        patch_losses.get(self.config.reconstruction.loss)  # a wrong name is said now, and not at the first step
        self.reads_text = False

    def check(self, model: Clap) -> None:
        """Make sure that there are an audio encoder that can leave tokens out, and a decoder, and no text tower.

        And that masks leave something to hear.
        """
        if model.has_text:
            raise ConfigError(
                "objective 'mae' trains on sound alone, and would leave a text tower as it is: set model.text to null"
            )
        check_masked(model, self.config.masking, self.config.reconstruction)

    def __call__(
        self,
        model: Clap,
        features: Float[Tensor, "batch views frames mels"],
        batch: PairBatch,
    ) -> dict[str, Tensor]:
        """The loss: of normalised targets under "mse", 1 is that of knowing nothing."""
        clips = MaskedClips(model, features, batch.audio.frames)
        generator = None if model.training else same_chance(features.device)
        encoded, masks = clips.encoded(self.config.masking, generator)
        return {"loss": clips.reconstruction(model, self.config.reconstruction, encoded, masks)}
