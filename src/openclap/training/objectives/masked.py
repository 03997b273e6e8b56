"""What masked objectives share: the sequence from a batch's features to kept tokens and to what they reconstruct."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from openclap.errors import ConfigError
from openclap.losses.reconstruction import ReconstructionConfig, reconstruction_loss
from openclap.models.clap import Clap
from openclap.models.encoder import PatchEncoder, patch_encoder
from openclap.models.layers.patches import patchify
from openclap.models.mae_decoder import MaeDecoder
from openclap.models.masking import Mask, MaskingConfig, draw_mask


class MaskedClips:
    """A batch whose patches are cut and embedded, once, however many masks are laid over it.

    Args:
        model: whose audio encoder can leave tokens out.
        features: log-mel of the clips.
    """

    def __init__(self, model: Clap, features: Float[Tensor, "batch views frames mels"]) -> None:
        self.encoder = encoder_of(model)
        self.patches = patchify(features.detach(), self.encoder.patch_size)
        self.tokens = self.encoder.embed(features)

    def encoded(
        self, masking: MaskingConfig, generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, "batch encoded dim"], Mask]:
        """The encoder's tokens of what a new mask keeps, and the mask.

        Args:
            masking: what is removed.
            generator: where the chance comes from; None is torch's own, which the training step seeds.
        """
        mask = draw_mask(masking, self.patches, self.encoder.rows, generator)
        return self.encoder.encode(mask.keep(self.tokens)), mask

    def reconstruction(
        self, decoder: MaeDecoder, config: ReconstructionConfig, encoded: Float[Tensor, "batch encoded dim"], mask: Mask
    ) -> Float[Tensor, ""]:
        """How wrong the decoder is about the patches, given what the encoder said of the kept ones."""
        predicted = decoder(encoded, mask.restore_ids)
        return reconstruction_loss(config, predicted, decoder.targets(self.patches), mask.removed)


def encoder_of(model: Clap) -> PatchEncoder:
    """The audio encoder of a model that is trained with masks.

    Raises:
        ConfigError: if it cannot leave tokens out.
    """
    return patch_encoder(model.audio_encoder, model.resolved_config().audio.name, "masked training")


def decoder_of(model: Clap) -> MaeDecoder:
    """The decoder of a model that is to reconstruct.

    Raises:
        ConfigError: if it has none.
    """
    if model.decoder is None:
        raise ConfigError(
            "the objective reconstructs what is masked, but the model has no decoder: set model.decoder, as "
            "--set model.decoder.depth=8"
        )
    return model.decoder


def same_chance(device: torch.device) -> torch.Generator:
    """The generator of validation's masks: they are the same at every validation, so that its numbers compare."""
    return torch.Generator(device).manual_seed(0)


def check_reconstructs(masking: MaskingConfig, reconstruction: ReconstructionConfig) -> None:
    """Make sure that a reconstruction has something to do.

    Raises:
        ValueError: if only masked patches count, and nothing is masked.
    """
    if reconstruction.over == "masked" and not masking.removes:
        raise ValueError("reconstruction is of what is masked, but nothing is: set masking.kind and its ratio")
