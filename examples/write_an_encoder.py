"""An audio encoder of one's own: registered, it is as good as one that came with openclap.

python write_an_encoder.py
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

# --8<-- [start:encoder]
from openclap.config import Config
from openclap.models.zoo import audio_encoders
from openclap.types import EncoderOutput


class ConvNetConfig(Config):
    """A small convolutional net; every option that builds it is here, because a checkpoint stores them."""

    n_mels: int = 64
    dim: int = 128


class ConvNet(nn.Module):
    """Two convolutions over time; tokens are frames, and their mean stands for the clip."""

    max_frames = None  # takes clips of any length
    views = 1  # of a clip: no feature fusion

    def __init__(self, config: ConvNetConfig) -> None:
        super().__init__()
        self.config, self.dim, self.n_mels = config, config.dim, config.n_mels
        self.norm = nn.BatchNorm1d(config.n_mels)
        self.layers = nn.Sequential(
            nn.Conv1d(config.n_mels, config.dim, 5, stride=2, padding=2),
            nn.GELU(),
            nn.Conv1d(config.dim, config.dim, 5, stride=2, padding=2),
        )

    def forward(self, features: Tensor, is_longer: Tensor | None = None) -> EncoderOutput:  # noqa: ARG002
        """Tokens and pooled vectors of log-mel features."""
        bands = features[:, 0].transpose(1, 2)  # (batch, views, frames, mels) to (batch, mels, frames)
        tokens = self.layers(self.norm(bands)).transpose(1, 2)
        return EncoderOutput(tokens=tokens, pooled=tokens.mean(dim=1))


@audio_encoders.register("convnet")
def build(**options: Any) -> ConvNet:
    """A small convolutional net."""
    return ConvNet(ConvNetConfig.read(options, origin="audio encoder 'convnet'"))


# --8<-- [end:encoder]


def main() -> None:
    from openclap.models.clap import Clap, ClapConfig, EncoderConfig

    config = ClapConfig(
        audio=EncoderConfig(name="convnet", options={"dim": 96}), text=EncoderConfig(name="text-micro"), embed_dim=32
    )
    model = Clap(config).eval()
    with torch.inference_mode():
        vectors = model.encode_audio(torch.randn(2, 1, 200, 64))
    print(f"{tuple(vectors.shape)}, of length {vectors.norm(dim=1).tolist()}")


if __name__ == "__main__":
    main()
