"""The audio ViT of AudioMAE and MAViL: a plain transformer over patches of a spectrogram.

Source: "Masked Autoencoders that Listen" (AudioMAE), arXiv 2207.06405, section 3, and its public code (CC BY 4.0);
written anew. What differs: positions of any number of frames; tokens may come in any subset, since `embed`, `encode`
and `pool` are steps of their own; the weight of the patches is a Linear, which is the same as their convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from openclap.config import Config
from openclap.errors import ConfigError
from openclap.models.layers.length_groups import packed, unpacked
from openclap.models.layers.patches import GroupedFeatures, patchify
from openclap.models.layers.positions import Positions, PositionTable
from openclap.models.layers.vit_block import LAYER_NORM_EPS, VitBlock, initialise
from openclap.models.zoo import audio_encoders
from openclap.types import EncoderOutput


class VitConfig(Config):
    """An audio ViT; the defaults are those of "vit-base".

    Attributes:
        dim: width of the tokens.
        depth: blocks.
        heads: attention heads.
        mlp_ratio: hidden width of the blocks' perceptrons, in `dim`s.
        n_mels: mel bins of the features.
        patch_size: frames and mel bins of a token.
        positions: which fixed positions, as in `openclap.models.layers.positions.position_table`; published AudioMAE
            weights know theirs only.
        cls_token: have a learnt token before the others. It takes part in attention, and not in the mean; published
            AudioMAE weights have it.
        norm: what the last LayerNorm is applied to: each of the "tokens" (AudioMAE's pre-training, whose decoder reads
            them), or the "pooled" vector (its fine-tuning).
        drop_path: probability that the last block's branches are left out for a sample, in training; rises from 0
            (AudioMAE's fine-tuning: 0.1).
    """

    dim: int = Field(default=768, gt=0)
    depth: int = Field(default=12, gt=0)
    heads: int = Field(default=12, gt=0)
    mlp_ratio: float = Field(default=4.0, gt=0)
    n_mels: int = Field(default=128, gt=0)
    patch_size: int = Field(default=16, gt=0)
    positions: Positions = "grid"
    cls_token: bool = False
    norm: Literal["tokens", "pooled"] = "tokens"
    drop_path: float = Field(default=0.0, ge=0, lt=1)

    @property
    def rows(self) -> int:
        """Tokens of one time."""
        return self.n_mels // self.patch_size

    @model_validator(mode="after")
    def _fits(self) -> VitConfig:
        if self.dim % self.heads:
            raise ValueError(f"heads: {self.heads} heads do not divide the width of {self.dim}")
        if self.dim % 4:
            raise ValueError(f"dim: {self.dim} is no multiple of 4, which the positions need")
        if self.n_mels % self.patch_size:
            raise ValueError(f"n_mels: {self.n_mels} is no multiple of patch_size {self.patch_size}")
        return self


class Vit(nn.Module):
    """Log-mel features to tokens and their mean.

    `forward` is `pool(encode(embed(features)))`. Between the steps tokens may be left out or chosen, since each token
    carries its position: masked training drops some after `embed`.

    Any number of frames will do: the last patch is filled up with zeros, which is our choice. Clips of a batch may have
    different numbers of frames: each is encoded as if it were alone, and costs what it would cost alone.

    Args:
        config: the geometry; the weights start random, as MAE's do.
    """

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.n_mels: int | None = config.n_mels
        self.max_frames: int | None = None
        self.views = 1
        self.patch_size, self.rows = config.patch_size, config.rows
        self.position_kind: Positions = config.positions
        self.patch_embed = nn.Linear(config.patch_size**2, config.dim)
        self.cls_token = nn.Parameter(torch.empty(1, 1, config.dim)) if config.cls_token else None
        rise = config.drop_path / max(config.depth - 1, 1)
        self.blocks = nn.ModuleList(
            VitBlock(config.dim, config.heads, config.mlp_ratio, rise * block) for block in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.dim, eps=LAYER_NORM_EPS)
        self.positions = PositionTable(config.positions, config.rows, config.dim)
        self.apply(initialise)
        if self.cls_token is not None:
            nn.init.normal_(self.cls_token, std=0.02)

    def forward(
        self,
        features: Float[Tensor, "batch views frames mels"],
        is_longer: Bool[Tensor, " batch"] | None = None,  # noqa: ARG002
        frames: Int[Tensor, " batch"] | None = None,
    ) -> EncoderOutput:
        """Tokens of all patches and their mean.

        Args:
            features: log-mel features of one view.
            is_longer: of no matter to this encoder.
            frames: how many frames of each clip are the clip, on the CPU; None takes all of them.

        Returns:
            The tokens one time after the other, from low to high mel bins within a time, of a clip that has fewer than
            others with zeros after them; and the pooled vector.

        Raises:
            ConfigError: if the features have another number of views or mel bins.
        """
        if frames is None:
            tokens = self.encode(self.embed(features))
            return EncoderOutput(tokens=tokens[:, self.leading :], pooled=self.pool(tokens))
        cut = GroupedFeatures.of(features, frames, self.patch_size)
        encoded = self.encode_groups([self.embed(group) for group in cut.features])
        return EncoderOutput(
            tokens=cut.groups.join_padded([tokens[:, self.leading :] for tokens in encoded]),
            pooled=cut.groups.join([self.pool(tokens) for tokens in encoded]),
        )

    @property
    def leading(self) -> int:
        """How many of the tokens that `encode` gives stand for no patch: 1 with a CLS token, else 0."""
        return 0 if self.cls_token is None else 1

    def embed(self, features: Float[Tensor, "batch views frames mels"]) -> Float[Tensor, "batch patches dim"]:
        """A token for every patch, with its position.

        Raises:
            ConfigError: if the features have another number of views or mel bins.
        """
        _, views, frames, mels = features.shape
        if views != 1 or mels != self.n_mels:
            raise ConfigError(
                f"features have {views} view(s), {frames} frames and {mels} mel bins, but this ViT takes 1 view and "
                f"{self.n_mels} mel bins: make the front-end's settings fit"
            )
        tokens: Tensor = self.patch_embed(patchify(features, self.config.patch_size))
        positions: Tensor = self.positions(tokens.shape[1])
        return tokens + positions

    def encode(self, tokens: Float[Tensor, "batch kept dim"]) -> Float[Tensor, "batch encoded dim"]:
        """What the blocks make of any of the tokens of `embed`: in the same order, a CLS token before them."""
        tokens = self._led(tokens)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens) if self.config.norm == "tokens" else tokens

    def encode_groups(
        self, groups: Sequence[Float[Tensor, "_clips _kept dim"]]
    ) -> list[Float[Tensor, "_clips _encoded dim"]]:
        """`encode` of several groups of clips, each with as many tokens as it likes, at the cost of these tokens.

        Linear maps run over all groups at once, so that a group of one clip is no loss. Attention stays within a clip.
        """
        if len(groups) == 1:
            return [self.encode(groups[0])]
        tokens, shapes = packed([self._led(group) for group in groups])
        for block in self.blocks:
            assert isinstance(block, VitBlock)
            tokens = block.packed(tokens, shapes)
        return list(unpacked(self.norm(tokens) if self.config.norm == "tokens" else tokens, shapes))

    def _led(self, tokens: Float[Tensor, "batch kept dim"]) -> Float[Tensor, "batch led dim"]:
        """The CLS token, if there is one, and the tokens."""
        if self.cls_token is None:
            return tokens
        return torch.cat([self.cls_token.expand(tokens.shape[0], -1, -1), tokens], dim=1)

    def pool(self, tokens: Float[Tensor, "batch encoded dim"]) -> Float[Tensor, "batch dim"]:
        """The mean of what `encode` gave, without the CLS token."""
        pooled: Tensor = tokens[:, self.leading :].mean(dim=1)
        if self.config.norm == "pooled":
            pooled = self.norm(pooled)
        return pooled


VIT_SIZES: dict[str, dict[str, Any]] = {
    "vit-tiny": {"dim": 192, "heads": 3},
    "vit-small": {"dim": 384, "heads": 6},
    "vit-base": {"dim": 768, "heads": 12},
    "vit-large": {"dim": 1024, "heads": 16, "depth": 24},
    "vit-micro": {"dim": 32, "heads": 2, "depth": 2},  # our own, for tests: 0.03 M weights
}


def _build(name: str, **options: Any) -> Vit:
    return Vit(VitConfig.read(VIT_SIZES[name] | options, origin=f"audio encoder {name!r}"))


for _name in VIT_SIZES:
    audio_encoders.add(_name, partial(_build, _name))
