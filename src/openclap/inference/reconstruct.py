"""What a masked autoencoder makes of a clip of which it hears only a part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32
from torch import Tensor

from openclap.audio.invert import invert_log_mel
from openclap.audio.source import AudioSource, source_name
from openclap.checkpoints.native import Bundle
from openclap.errors import ConfigError
from openclap.models.encoder import patch_encoder
from openclap.models.layers.patches import patchify, unpatchify
from openclap.models.masking import MaskingConfig, draw_mask
from openclap.types import Waveform


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A clip's features, and what was made of a part of them; all of shape (frames, mels).

    Frames that the front-end has added to those of a short clip are left out: they are no sound, and easy to guess.

    Attributes:
        features: the model's log-mel of the clip.
        removed: what was masked.
        reconstruction: the features, with what the decoder predicts where they were masked. Of a decoder with
            normalised targets only the shape of a patch is predicted; mean and spread are those of the true patch.
        error: mean squared error over what was masked, in the decoder's targets; of normalised ones 1 is that of
            knowing nothing.
    """

    features: Float32[np.ndarray, "frames mels"]
    removed: Bool[np.ndarray, "frames mels"]
    reconstruction: Float32[np.ndarray, "frames mels"]
    error: float

    @property
    def masked(self) -> Float32[np.ndarray, "frames mels"]:
        """The features as the encoder hears them, NaN where they were masked."""
        return np.where(self.removed, np.float32(np.nan), self.features)


@torch.inference_mode()
def reconstruct(bundle: Bundle, source: AudioSource, masking: MaskingConfig, *, seed: int = 0) -> Reconstruction:
    """What the model makes of the first window of a sound, of which a part is masked.

    Args:
        bundle: of a model with a decoder, which is put into evaluation mode.
        source: the sound, as for `openclap.audio.decode.decode`.
        masking: what is masked; something must be.
        seed: of the mask.

    Raises:
        ConfigError: if the model has no decoder, or nothing of the clip is masked.
        AudioError: if the sound cannot be used.
    """
    model, frontend = bundle.model.eval(), bundle.frontend.eval()
    if model.decoder is None:
        raise ConfigError(
            f"model {bundle.config.name!r} has no decoder: reconstruct with one that was trained to, by the objective "
            "'mae' or by 'flap' with reconstruction"
        )
    if not masking.removes:
        raise ConfigError("nothing is masked, so that there is nothing to reconstruct: raise the ratio")
    encoder = patch_encoder(model.audio_encoder, model.resolved_config().audio.name, "reconstruction")
    device = model.logit_scale.device
    audio = frontend.batch([frontend.load(source)])
    features = frontend.to(device)(audio.to(device))
    own = features.shape[2]
    if audio.lengths is not None:
        own = min(own, frontend.config.mel.frames_cut(int(audio.lengths[0])))
    patches = patchify(features, encoder.patch_size)
    mask = draw_mask(masking, patches, encoder.rows, torch.Generator(device).manual_seed(seed))
    predicted = model.decoder(encoder.encode(mask.keep(encoder.embed(features))), mask.restore_ids)
    errors = (predicted.float() - model.decoder.targets(patches)).square().mean(dim=2)
    counted = mask.removed.clone()
    counted[:, -(-own // encoder.patch_size) * encoder.rows :] = 0
    if not counted.any():
        raise ConfigError(
            f"no patch of {source_name(source)} is masked, since it has only {own} frames: raise the ratio, or take "
            "another seed"
        )
    hidden = mask.removed[:, :, None].expand_as(patches)
    pixels = torch.where(hidden > 0, model.decoder.pixels(predicted, patches), patches)

    def grid(values: Tensor) -> np.ndarray[Any, Any]:
        whole = unpatchify(values, encoder.patch_size, features.shape[3])
        return whole[0, 0, :own].cpu().numpy()

    return Reconstruction(
        features=grid(patches),
        removed=grid(hidden) > 0,
        reconstruction=grid(pixels),
        error=float((errors * counted).sum() / counted.sum()),
    )


def as_sound(bundle: Bundle, features: Float32[np.ndarray, "frames mels"]) -> Waveform:
    """A sound with about such features, within the limits of `openclap.audio.invert`."""
    mel = bundle.frontend.config.mel
    samples = invert_log_mel(torch.from_numpy(features), mel)
    return Waveform(samples.numpy(), mel.sample_rate_hz)
