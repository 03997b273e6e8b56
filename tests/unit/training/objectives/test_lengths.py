"""Clips of different lengths in one batch: what an objective says of each is what it says of the clip alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from openclap.models.clap import Clap, EncoderConfig
from openclap.models.masking import MaskingConfig
from openclap.training.objectives.base import ObjectiveConfig, build_objective
from openclap.training.objectives.masked import MaskedClips
from openclap.types import PairBatch

FRAMES = torch.tensor([128, 10, 48, 41, 128, 16])
ALL = {"loss": "mse", "over": "all"}
MASKINGS = [
    {"kind": "1d", "ratio": 0.9},
    {"kind": "2d", "time_ratio": 0.5, "mel_ratio": 0.5},
    {"kind": "block", "ratio": 0.5, "block": 2},
    {"kind": "energy", "ratio": 0.75},
]
ROUNDING = {"atol": 1e-5, "rtol": 1e-5}  # float32 sums in another order
Clips = tuple[torch.Tensor, PairBatch]


@pytest.fixture
def lengths(clips: Clips) -> Clips:
    """The clips with lengths of 1 to 8 columns, and NaN where they have no frames of their own."""
    features, batch = clips
    own = (torch.arange(features.shape[2]) < FRAMES[:, None])[:, None, :, None]
    audio = replace(batch.audio, lengths=FRAMES, frames=FRAMES)
    return features.where(own, torch.nan), replace(batch, audio=audio)


def objective(name: str, **options):
    return build_objective(ObjectiveConfig(name=name, options=options))


def one(lengths: Clips, row: int) -> Clips:
    """One of the clips alone, in features of its own length."""
    features, batch = lengths
    audio = replace(
        batch.audio, waveforms=batch.audio.waveforms[:1], is_longer=batch.audio.is_longer[:1], lengths=None, frames=None
    )
    alone = replace(batch, audio=audio, caption_group=torch.zeros(1, dtype=torch.int64), ids=("alone",))
    return features[row : row + 1, :, : int(FRAMES[row])], alone


def test_contrast_is_between_the_vectors_that_the_clips_have_alone(
    make_masked: Callable[..., Clap], lengths: Clips
) -> None:
    model, (features, batch) = make_masked().eval(), lengths
    vectors = torch.cat([model.encode_audio(one(lengths, row)[0]) for row in range(len(FRAMES))])
    contrastive = objective("contrastive")
    texts = model.encode_text(batch.text.input_ids, batch.text.attention_mask)
    expected = contrastive.compare(model.paired(vectors, texts), batch)["loss"]
    torch.testing.assert_close(contrastive(model, features, batch)["loss"], expected, **ROUNDING)
    unmasked = objective("flap", masking={"kind": "none"})
    torch.testing.assert_close(unmasked(model.train(), features, batch)["loss"], expected, **ROUNDING)


def test_reconstruction_is_the_mean_over_the_clips_own_patches(
    make_masked: Callable[..., Clap], lengths: Clips
) -> None:
    model, (features, batch) = make_masked().eval(), lengths
    mae = objective("mae", masking={"kind": "none"}, reconstruction=ALL)
    alone = torch.stack([mae(model, *one(lengths, row))["loss"] for row in range(len(FRAMES))])
    columns = -(-FRAMES // 16)
    expected = (alone * columns).sum() / columns.sum()
    torch.testing.assert_close(mae(model, features, batch)["loss"], expected, **ROUNDING)


@pytest.mark.parametrize("masking", MASKINGS, ids=lambda masking: masking["kind"])
def test_every_mask_trains_both_losses_on_clips_of_any_length(
    make_masked: Callable[..., Clap], lengths: Clips, masking: dict[str, object]
) -> None:
    model = make_masked().train()
    parts = objective("flap", masking=masking, views=2, reconstruction={"over": "masked"})(model, *lengths)
    parts["loss"].backward()
    assert all(value.isfinite() for value in parts.values())
    for name, parameter in model.named_parameters():
        if "logit" not in name:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("masking", MASKINGS, ids=lambda masking: masking["kind"])
@pytest.mark.parametrize("frames", [None, FRAMES], ids=["one length", "lengths"])
def test_no_mask_waits_for_the_device_or_mixes_devices(
    make_masked: Callable[..., Clap], clips: Clips, frames: torch.Tensor | None, masking: dict[str, object]
) -> None:
    """A tensor on "meta" has no values: who asks for one, as a GPU would have to be waited for, gets an error.

    So does who reckons with one and with one on the CPU; of an index that was left on the CPU it says nothing.
    """
    encoder = EncoderConfig(name="vit-micro", options={"n_mels": 64, "cls_token": True, "drop_path": 0.2})
    model = make_masked(audio=encoder).to("meta").train()
    masked = MaskedClips(model, clips[0].to("meta"), frames)
    encoded, masks = masked.encoded(MaskingConfig.read(masking))
    assert masked.pooled(encoded).shape == (len(FRAMES), 32)
    for tokens, mask in zip(encoded, masks, strict=True):
        assert model.decoder.targets(model.decoder(tokens, mask.restore_ids, mask.kept_and_some(0.5))).is_meta
