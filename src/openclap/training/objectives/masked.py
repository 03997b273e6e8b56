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
from openclap.models.masking import Mask, MaskingConfig, at_places, draw_mask


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
        model: Clap,
        config: ReconstructionConfig,
        encoded: Sequence[Float[Tensor, "_clips _encoded dim"]],
        masks: Sequence[Mask],
    ) -> Float[Tensor, ""]:
        """How wrong the model's decoder is about the patches, given what the encoder said of the kept ones.

        In training only `share` of the masked patches are decoded and judged; in evaluation mode all are. The mean is
        over patches, so that a long clip weighs more than a short one, as it does within a clip.
        """
        decoder = decoder_of(model, config)
        some = decoder.training and config.share < 1
        predicted, targets, removed = [], [], []
        for tokens, patches, mask in zip(encoded, self.patches, masks, strict=True):
            places = mask.kept_and_some(config.share) if some else None
            predicted.append(decoder(tokens, mask.restore_ids, places))
            targets.append(decoder.targets(patches if places is None else at_places(patches, places)))
            removed.append(mask.removed if places is None else mask.removed.gather(1, places))
        return reconstruction_loss(config, _in_a_row(predicted), _in_a_row(targets), _in_a_row(removed))


def _in_a_row(groups: Sequence[Float[Tensor, "_clips _patches ..."]]) -> Float[Tensor, "rows patches_ ..."]:
    """What stands one a patch; of several groups, as if it were all of one clip."""
    return groups[0] if len(groups) == 1 else torch.cat([group.flatten(0, 1) for group in groups])[None]


def encoder_of(model: Clap) -> PatchEncoder:
    """The audio encoder of a model that is trained with masks.

    Raises:
        ConfigError: if it cannot leave tokens out.
    """
    return patch_encoder(model.audio_encoder, model.resolved_config().audio.name, "masked training")


def decoder_of(model: Clap, config: ReconstructionConfig) -> MaeDecoder:
    """The decoder of a model that is to reconstruct.

    Raises:
        ConfigError: if it has none, or one that cannot decode a share of the patches, and is to.
    """
    if model.decoder is None:
        raise ConfigError(
            "the objective reconstructs what is masked, but the model has no decoder: set model.decoder, as "
            "--set model.decoder.depth=8"
        )
    if config.share < 1:
        model.decoder.check_any_places()
    return model.decoder


def check_masked(model: Clap, masking: MaskingConfig, reconstruction: ReconstructionConfig | None) -> None:
    """Make sure that a model can be trained with these masks, and reconstruct where that is asked.

    Raises:
        ConfigError: if its audio encoder cannot leave tokens out, nothing would be left to hear, or the decoder is
            missing or cannot decode what is to be.
    """
    rows = encoder_of(model).rows
    masking.kept(rows, rows)
    if reconstruction is not None:
        decoder_of(model, reconstruction)


def same_chance(device: torch.device) -> torch.Generator:
    """The generator of validation's masks: they are the same at every validation, so that its numbers compare."""
    return torch.Generator(device).manual_seed(0)


def check_reconstructs(masking: MaskingConfig, reconstruction: ReconstructionConfig) -> None:
    """Make sure that a reconstruction has something to do.

    Raises:
        ValueError: if only masked patches count, or a share of them, and nothing is masked.
    """
    if reconstruction.share < 1 and not masking.removes:
        raise ValueError(f"reconstruction.share is {reconstruction.share}, but nothing is masked: set it to 1")
    if reconstruction.over == "masked" and not masking.removes:
        raise ValueError("reconstruction is of what is masked, but nothing is: set masking.kind and its ratio")
