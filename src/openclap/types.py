"""The shapes that travel between rooms, in one place.

Dimension names: batch, samples, views (crops of one clip), frames and mels (log-mel), tokens, dim (an encoder's width),
embed (the shared space).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Waveform:
    """Mono sound: float32 samples in [-1, 1] at a rate in Hz."""

    samples: Float32[np.ndarray, " samples"]
    sample_rate_hz: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate_hz


@dataclass(frozen=True, eq=False)
class Clip:
    """One sound with the model's length, ready for a batch.

    Attributes:
        samples: as many as the model's window has, at the front-end's rate; fewer where short clips keep their length,
            none where `views` say all.
        is_longer: whether the sound was longer; of a fused front-end, whether its views differ (see
            `openclap.audio.fusion`).
        views: log-mel views that are ready: of a sound longer than the window, with a fused front-end; of any sound
            whose features were made before (see `openclap.audio.precomputed`). None otherwise.
    """

    samples: Float32[np.ndarray, " window"]
    is_longer: bool
    views: Float32[np.ndarray, "views frames mels"] | None = None


@dataclass(frozen=True, eq=False)
class ReadyFeatures:
    """The features of clips in a batch that were made before it.

    Of those that a fused front-end took more of than fits the window; of all where their reader makes them.

    Attributes:
        rows: their places in the batch.
        features: their log-mel views.
    """

    rows: Int[Tensor, " ready"]
    features: Float[Tensor, "ready views frames mels"]

    def to(self, device: torch.device | str) -> ReadyFeatures:
        """The same features on a device."""
        return replace(
            self,
            rows=self.rows.to(device, non_blocking=True),
            features=self.features.to(device, non_blocking=True),
        )


@dataclass(frozen=True, eq=False)
class AudioBatch:
    """Clips ready for the log-mel front-end.

    `lengths` and `frames` stay on the CPU wherever the rest is: shapes follow from them, which the host decides.

    Attributes:
        waveforms: samples at the front-end's rate, after the length policy; zeros after the end of a shorter clip. Of
            no length where the features of all clips are ready.
        is_longer: which clips were longer than the model's window (feature fusion asks).
        ready: the features of the clips that have them already; None where none has.
        lengths: samples of each clip, where short clips keep their length; None where all have the window's.
        frames: frames of each clip that the encoder hears; None where it hears all that the features have.
    """

    waveforms: Float[Tensor, "batch samples"]
    is_longer: Bool[Tensor, " batch"]
    ready: ReadyFeatures | None = None
    lengths: Int[Tensor, " batch"] | None = None
    frames: Int[Tensor, " batch"] | None = None

    def to(self, device: torch.device | str) -> AudioBatch:
        """The same batch on a device."""
        return replace(
            self,
            waveforms=self.waveforms.to(device, non_blocking=True),
            is_longer=self.is_longer.to(device, non_blocking=True),
            ready=None if self.ready is None else self.ready.to(device),
        )

    def __len__(self) -> int:
        return len(self.waveforms)


@dataclass(frozen=True, eq=False)
class TextBatch:
    """Tokenised texts, padded to one length; `attention_mask` is 1 for tokens and 0 for padding."""

    input_ids: Int[Tensor, "batch tokens"]
    attention_mask: Int[Tensor, "batch tokens"]

    def to(self, device: torch.device | str) -> TextBatch:
        """The same batch on a device."""
        return replace(
            self,
            input_ids=self.input_ids.to(device, non_blocking=True),
            attention_mask=self.attention_mask.to(device, non_blocking=True),
        )

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclass(frozen=True, eq=False)
class NegativeTexts:
    """Captions that nearly fit a clip of the batch, and do not; a clip may have several, or none.

    Attributes:
        text: the captions, at least one.
        clip: the place in the batch of the clip that each is contrasted with.
    """

    text: TextBatch
    clip: Int[Tensor, " negatives"]

    def to(self, device: torch.device | str) -> NegativeTexts:
        """The same captions on a device."""
        return replace(self, text=self.text.to(device), clip=self.clip.to(device, non_blocking=True))

    def __len__(self) -> int:
        return len(self.text)


@dataclass(frozen=True, eq=False)
class PairBatch:
    """One contrastive batch: clip i belongs to text i. Where nobody reads texts, a batch of clips alone.

    Attributes:
        audio: the clips.
        text: one caption a clip; None where nobody reads them.
        caption_group: clips with the same number have the same caption text; they are positives of each other.
            Without texts each clip has a number of its own.
        ids: the examples' ids, for messages.
        negatives: what is contrasted with single clips besides the batch's texts; None where nothing is.
    """

    audio: AudioBatch
    text: TextBatch | None
    caption_group: Int[Tensor, " batch"]
    ids: tuple[str, ...]
    negatives: NegativeTexts | None = None

    def to(self, device: torch.device | str) -> PairBatch:
        """The same batch on a device."""
        return replace(
            self,
            audio=self.audio.to(device),
            text=None if self.text is None else self.text.to(device),
            caption_group=self.caption_group.to(device, non_blocking=True),
            negatives=None if self.negatives is None else self.negatives.to(device),
        )

    def __len__(self) -> int:
        return len(self.audio)


class EncoderOutput(NamedTuple):
    """What an encoder gives, before projection: one vector a token, and one for the whole input."""

    tokens: Float[Tensor, "batch tokens dim"]
    pooled: Float[Tensor, "batch dim"]


class MlpOutput(NamedTuple):
    """What LAION-CLAP's second heads make of both embeddings; these vectors have any length.

    `logit_scale_text` is the multiplier of the cosines with `text_embeds`, exp(parameter), clamped at 100.
    """

    audio_embeds: Float[Tensor, "batch embed"]
    text_embeds: Float[Tensor, "batch embed"]
    logit_scale_text: Float[Tensor, ""]


class NegativeOutput(NamedTuple):
    """What a model gives for captions that nearly fit a clip and do not: unit vectors, and whose negatives they are.

    `clip` is the place in the batch of each one's clip; `mlp_text_embeds` is what the second heads make of them, None
    unless the model has such heads.
    """

    text_embeds: Float[Tensor, "negatives embed"]
    clip: Int[Tensor, " negatives"]
    mlp_text_embeds: Float[Tensor, "negatives embed"] | None = None


class ClapOutput(NamedTuple):
    """What a CLAP model gives for a batch of pairs; both embeddings have unit length.

    `logit_scale` is the multiplier itself, exp(parameter), clamped at 100; `logit_bias` is zero unless the loss
    (SigLIP) learns one; `mlp` is None unless the model has such heads; `negatives` is None unless there are some.
    """

    audio_embeds: Float[Tensor, "batch embed"]
    text_embeds: Float[Tensor, "batch embed"]
    logit_scale: Float[Tensor, ""]
    logit_bias: Float[Tensor, ""]
    mlp: MlpOutput | None = None
    negatives: NegativeOutput | None = None
