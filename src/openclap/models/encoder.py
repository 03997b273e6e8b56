"""What an encoder must have: the protocols that `Clap`, checkpoints and training rely on.

An encoder is an `nn.Module` that registers a factory in `openclap.models.zoo`. Its `config` holds every option that the
factory takes, so that `factory(**encoder.config.plain())` builds the same encoder again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor

from openclap.config import Config
from openclap.errors import ConfigError
from openclap.models.layers.positions import Positions
from openclap.types import EncoderOutput


@runtime_checkable
class AudioEncoder(Protocol):
    """Features to tokens and one pooled vector; the properties may be plain attributes."""

    @property
    def dim(self) -> int:
        """Width of the tokens and of the pooled vector."""

    @property
    def n_mels(self) -> int | None:
        """How many mel bins the features must have; None takes any number."""

    @property
    def max_frames(self) -> int | None:
        """The most frames a clip may have; None takes any number."""

    @property
    def views(self) -> int:
        """How many views of a clip the features must have: 1, or 4 where long clips are fused."""

    @property
    def config(self) -> Config:
        """Every option that builds this encoder again."""

    def __call__(
        self, features: Float[Tensor, "batch views frames mels"], is_longer: Bool[Tensor, " batch"] | None = None
    ) -> EncoderOutput:
        """Tokens and pooled vectors of log-mel features; `is_longer` matters to encoders that fuse several views."""
        ...


@runtime_checkable
class PatchEncoder(AudioEncoder, Protocol):
    """An audio encoder whose tokens are square patches and attend to each other, so that any of them may be left out.

    A pooled vector is `pool(encode(embed(features)))`. Masked training drops tokens after `embed`, which then cost
    nothing. Clips of a batch may have different numbers of frames and of tokens, and each costs its own.
    """

    def __call__(
        self,
        features: Float[Tensor, "batch views frames mels"],
        is_longer: Bool[Tensor, " batch"] | None = None,
        frames: Int[Tensor, " batch"] | None = None,
    ) -> EncoderOutput:
        """Tokens and pooled vectors; only the first `frames` of each clip are read, if given."""
        ...

    @property
    def patch_size(self) -> int:
        """Frames and mel bins of a patch."""

    @property
    def rows(self) -> int:
        """Patches of one time; they stand one time after the other, from low to high mel bins within a time."""

    @property
    def leading(self) -> int:
        """How many of the tokens that `encode` gives stand for no patch, and come first."""

    @property
    def position_kind(self) -> Positions:
        """Which fixed positions the tokens have."""

    def embed(self, features: Float[Tensor, "batch views frames mels"]) -> Float[Tensor, "batch patches dim"]:
        """A token for every patch, with its position."""
        ...

    def encode(self, tokens: Float[Tensor, "batch kept dim"]) -> Float[Tensor, "batch encoded dim"]:
        """What any of the tokens of `embed` become, in their order."""
        ...

    def encode_groups(
        self, groups: Sequence[Float[Tensor, "_clips _kept dim"]]
    ) -> list[Float[Tensor, "_clips _encoded dim"]]:
        """What `encode` gives of each group of clips, which may differ in their number of tokens."""
        ...

    def pool(self, tokens: Float[Tensor, "batch encoded dim"]) -> Float[Tensor, "batch dim"]:
        """One vector of what `encode` gave."""
        ...


def patch_encoder(encoder: object, name: str, purpose: str) -> PatchEncoder:
    """The encoder itself, if any of its tokens may be left out, and its clips may have any length.

    Args:
        encoder: an audio encoder.
        name: its registered name.
        purpose: what needs it, as "masked training".

    Raises:
        ConfigError: if it is another kind of encoder.
    """
    if not isinstance(encoder, PatchEncoder):
        raise ConfigError(
            f"{purpose} leaves tokens out, which audio encoder {name!r} cannot: set model.audio.name to a ViT "
            "(vit-tiny, vit-small, vit-base, vit-large)"
        )
    return encoder


@runtime_checkable
class TextEncoder(Protocol):
    """Token ids to token vectors and one pooled vector; the properties may be plain attributes."""

    @property
    def dim(self) -> int:
        """Width of the tokens and of the pooled vector."""

    @property
    def max_tokens(self) -> int:
        """The most tokens a text may have."""

    @property
    def vocab_size(self) -> int:
        """How many token ids there are."""

    @property
    def config(self) -> Config:
        """Every option that builds this encoder again."""

    def __call__(
        self, input_ids: Int[Tensor, "batch tokens"], attention_mask: Int[Tensor, "batch tokens"]
    ) -> EncoderOutput:
        """Token vectors and pooled vectors; what stands where the mask is 0 never matters to the pooled vector."""
        ...
