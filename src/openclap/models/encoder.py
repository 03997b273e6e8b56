"""What an encoder must have: the two protocols that `Clap`, checkpoints and training rely on.

An encoder is an `nn.Module` that registers a factory in `openclap.models.zoo`. Its `config` holds every option that the
factory takes, so that `factory(**encoder.config.plain())` builds the same encoder again.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor

from openclap.config import Config
from openclap.types import EncoderOutput


@runtime_checkable
class AudioEncoder(Protocol):
    """Features to tokens and one pooled vector.

    Attributes:
        dim: width of the tokens and of the pooled vector.
        n_mels: how many mel bins the features must have; None takes any number.
        max_frames: the most frames a clip may have; None takes any number.
        config: every option that builds this encoder again.
    """

    dim: int
    n_mels: int | None
    max_frames: int | None
    config: Config

    def __call__(
        self, features: Float[Tensor, "batch views frames mels"], is_longer: Bool[Tensor, " batch"] | None = None
    ) -> EncoderOutput:
        """Tokens and pooled vectors of log-mel features; `is_longer` matters to encoders that fuse several views."""
        ...


@runtime_checkable
class TextEncoder(Protocol):
    """Token ids to token vectors and one pooled vector.

    Attributes:
        dim: width of the tokens and of the pooled vector.
        max_tokens: the most tokens a text may have.
        vocab_size: how many token ids there are.
        config: every option that builds this encoder again.
    """

    dim: int
    max_tokens: int
    vocab_size: int
    config: Config

    def __call__(
        self, input_ids: Int[Tensor, "batch tokens"], attention_mask: Int[Tensor, "batch tokens"]
    ) -> EncoderOutput:
        """Token vectors and pooled vectors; what stands where the mask is 0 never matters to the pooled vector."""
        ...
