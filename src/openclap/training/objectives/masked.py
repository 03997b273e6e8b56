"""What masked objectives share: the sequence from a batch's features to kept tokens and to what they reconstruct."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from openclap.errors import ConfigError
from openclap.losses.reconstruction import ReconstructionConfig, reconstruction_loss
from openclap.models.clap import Clap
from openclap.models.encoder import PatchEncoder, patch_encoder
from openclap.models.layers.patches import GroupedFeatures, patchify
from openclap.models.mae_decoder import MaeDecoder
from openclap.models.masking import Mask, MaskingConfig, draw_mask


class MaskedClips:
    """A batch whose patches are cut and embedded, once, however many masks are laid over it.

    Clips with equally many patches are a group, and what stands one a clip is a list of such groups; a batch of clips
    of one length is one group.

    Args:
        model: whose audio encoder can leave tokens out.
        features: log-mel of the clips.
        frames: how many frames of each clip are the clip, where they differ.
    """

    def __init__(
        self,
        model: Clap,
        features: Float[Tensor, "batch views frames mels"],
        frames: Int[Tensor, " batch"] | None = None,
    ) -> None:
        self.encoder = encoder_of(model)
        size = self.encoder.patch_size
        cut = GroupedFeatures.of(features, frames, size)
        self._groups = cut.groups
        self.patches = [patchify(group.detach(), size) for group in cut.features]
        self.tokens = [self.encoder.embed(group) for group in cut.features]

    def encoded(
        self, masking: MaskingConfig, generator: torch.Generator | None = None
    ) -> tuple[list[Float[Tensor, "_clips _encoded dim"]], list[Mask]]:
        """The encoder's tokens of what a new mask keeps, and the mask, of each group.

        Args:
            masking: what is removed.
            generator: where the chance comes from; None is torch's own, which the training step seeds.
        """
        masks = [draw_mask(masking, patches, self.encoder.rows, generator) for patches in self.patches]
        kept = [mask.keep(tokens) for mask, tokens in zip(masks, self.tokens, strict=True)]
        return self.encoder.encode_groups(kept), masks

    def pooled(self, encoded: Sequence[Float[Tensor, "_clips _encoded dim"]]) -> Float[Tensor, "batch dim"]:
        """One vector a clip of what the encoder gave, in the batch's order."""
        return self._groups.join([self.encoder.pool(tokens) for tokens in encoded])

    def reconstruction(
        self,
        decoder: MaeDecoder,
        config: ReconstructionConfig,
        encoded: Sequence[Float[Tensor, "_clips _encoded dim"]],
        masks: Sequence[Mask],
    ) -> Float[Tensor, ""]:
        """How wrong the decoder is about the patches, given what the encoder said of the kept ones.

        The mean is over patches, so that a long clip weighs more than a short one, as it does within a clip.
        """
        predicted = [decoder(tokens, mask.restore_ids) for tokens, mask in zip(encoded, masks, strict=True)]
        return reconstruction_loss(
            config,
            _in_a_row(predicted),
            _in_a_row([decoder.targets(patches) for patches in self.patches]),
            _in_a_row([mask.removed for mask in masks]),
        )


def _in_a_row(groups: Sequence[Float[Tensor, "_clips _patches ..."]]) -> Float[Tensor, "rows patches_ ..."]:
    """What stands one a patch; of several groups, as if it were all of one clip."""
    return groups[0] if len(groups) == 1 else torch.cat([group.flatten(0, 1) for group in groups])[None]


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
