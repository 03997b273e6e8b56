"""HTSAT: a hierarchical audio transformer over a spectrogram folded into a square, as LAION-CLAP uses it.

Source: "HTS-AT", arXiv 2202.00874, section 2, and LAION-CLAP, arXiv 2211.06687, section 3; written anew. What differs
from theirs: no classification heads; the log-mel front-end stands outside; tokens stand in the order of their next
windowed attention, so that one gather replaces the rolls, cuts and joins around it (`layers/windows.py`); patches are
embedded by linear maps instead of convolutions, whose weights they are, flattened.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from openclap.config import Config
from openclap.models.layers.fusion import FusionKind, build_blend
from openclap.models.layers.spec_augment import SpecAugmentConfig
from openclap.models.layers.swin import PatchMerging, Reorder, SwinBlock, WindowAttention
from openclap.models.layers.view_encoder import ViewEncoder
from openclap.models.layers.windows import compose, merge_order, window_order
from openclap.models.zoo import audio_encoders
from openclap.types import EncoderOutput


class HtsatConfig(Config):
    """An HTSAT; the defaults are those of "htsat-tiny".

    Attributes:
        square_size: rows and columns of the square that the spectrogram is folded into.
        patch_size: rows and columns of the square that becomes one token.
        window_size: rows and columns of tokens that attend to each other.
        embed_dim: width of the first stage; each further stage doubles it.
        depths: blocks of each stage.
        heads: attention heads of each stage.
        n_mels: mel bins of the features; divides `square_size`.
        mlp_ratio: hidden width of the blocks' perceptrons.
        drop_path: probability that the last block's branches are left out for a sample, in training; rises from 0.
        fusion: how the four views of a clip are fused; "none" takes one view.
        spec_augment: stripes of zeros over the features, in training; None has none.
    """

    square_size: int = Field(default=256, gt=0)
    patch_size: int = Field(default=4, gt=0)
    window_size: int = Field(default=8, gt=0)
    embed_dim: int = Field(default=96, gt=0)
    depths: tuple[int, ...] = Field(default=(2, 2, 6, 2), min_length=1)
    heads: tuple[int, ...] = (4, 8, 16, 32)
    n_mels: int = Field(default=64, gt=0)
    mlp_ratio: float = Field(default=4.0, gt=0)
    drop_path: float = Field(default=0.1, ge=0, lt=1)
    fusion: FusionKind = "none"
    spec_augment: SpecAugmentConfig | None = SpecAugmentConfig()

    @property
    def segments(self) -> int:
        """Into how many pieces of time the spectrogram is cut, which are then stacked on frequency."""
        return self.square_size // self.n_mels

    @property
    def max_frames(self) -> int:
        """The most frames that fit into the square; fewer are stretched to it."""
        return self.square_size * self.segments

    @property
    def sides(self) -> tuple[int, ...]:
        """Rows and columns of tokens at each stage."""
        return tuple(self.square_size // self.patch_size >> stage for stage in range(len(self.depths)))

    @property
    def dims(self) -> tuple[int, ...]:
        """Width of the tokens at each stage."""
        return tuple(self.embed_dim << stage for stage in range(len(self.depths)))

    def window(self, stage: int, block: int) -> tuple[int, int]:
        """Side and shift of a block's windows: every second block shifts by half, if its grid has several windows."""
        side = self.sides[stage]
        if side <= self.window_size:
            return side, 0
        return self.window_size, self.window_size // 2 if block % 2 else 0

    def block_order(self, stage: int, block: int) -> Int[Tensor, " tokens"]:
        """The order in which a block reads the tokens of its stage's grid."""
        return window_order(self.sides[stage], *self.window(stage, block))

    @model_validator(mode="after")
    def _fits(self) -> HtsatConfig:
        if len(self.heads) != len(self.depths):
            raise ValueError(f"heads has {len(self.heads)} stages, but depths has {len(self.depths)}")
        for dim, heads in zip(self.dims, self.heads, strict=True):
            if heads < 1 or dim % heads:
                raise ValueError(f"heads: {heads} heads do not divide a stage's width of {dim}")
        if self.square_size % self.n_mels:
            raise ValueError(f"n_mels: {self.n_mels} does not divide square_size {self.square_size}")
        unit = self.patch_size << (len(self.depths) - 1)  # pixels on a side of a token of the last stage
        if self.n_mels % unit:
            raise ValueError(
                f"n_mels: {self.n_mels} is not a multiple of {unit}, the side of a last-stage token "
                f"(patch_size {self.patch_size}, halved in resolution {len(self.depths) - 1} times)"
            )
        for side in self.sides:
            if side % min(self.window_size, side):
                raise ValueError(f"window_size: {self.window_size} does not divide a stage's {side} tokens a side")
        return self


class Htsat(ViewEncoder):
    """Log-mel features to tokens and their mean.

    Features of fewer than `max_frames` frames are stretched in time to `max_frames` by bicubic interpolation, as
    LAION-CLAP stretches its 1001 frames to 1024; more frames are an error. Weights know the stretch that they were
    trained with, so one model has one window length.

    Its modules, for those who map weights: `mel_norm`; `patch_embed` (a flattened convolution: views, then mel bins,
    then frames) and `patch_norm`; `stages.S.blocks.B` (`norm1`, `attention`, `norm2`, `mlp`) and `stages.S.merge`;
    `norm`; and where views are fused, `fusion`: a `FrameFusion` (1-D) or a `PatchFusion` (2-D).

    Args:
        config: the geometry; the weights start random, as LAION-CLAP's do.
    """

    def __init__(self, config: HtsatConfig) -> None:
        super().__init__(config.n_mels, config.fusion, config.spec_augment)
        self.config = config
        self.dim = config.dims[-1]
        self.max_frames: int | None = config.max_frames
        channels = self.views if config.fusion == "channel-map" else 1
        self.patch_embed = nn.Linear(channels * config.patch_size**2, config.embed_dim)
        self.patch_norm = nn.LayerNorm(config.embed_dim)
        entries = [config.block_order(stage, 0) for stage in range(len(config.depths))]
        exits = [merge_order(side, entry) for side, entry in zip(config.sides, entries[1:], strict=False)]
        self.enter = Reorder(entries[0])
        self.stages = nn.ModuleList(
            _Stage(config, stage, order) for stage, order in enumerate([*exits, _time_order(config)])
        )
        self.norm = nn.LayerNorm(self.dim)
        self.apply(_initialise)
        # Theirs are convolutions here and in the fusion, which keep torch's own start.
        self.patch_embed.reset_parameters()
        self.fusion = self._fusion(lambda: PatchFusion(config))

    def forward(
        self, features: Float[Tensor, "batch views frames mels"], is_longer: Bool[Tensor, " batch"] | None = None
    ) -> EncoderOutput:
        """Tokens of the last map and their mean.

        Args:
            features: log-mel features: one view, or four (global, front, middle, back) where views are fused.
            is_longer: which clips are longer than the window; None has none. Only the local views of those are read,
                except by "channel-map", which reads all.

        Returns:
            The tokens one time after the other, from low to high mel bins within a time; and their mean.

        Raises:
            ConfigError: if the features have another number of views or mel bins, or too many frames.
        """
        self._check(features, least=1, most=self.max_frames)
        views = self._prepare(features, is_longer)
        tokens = self.patch_embed(self.enter(self._patches(self._square(views.whole))))
        if views.local is not None and self.fusion is not None:
            tokens = self.fusion(tokens, self._square(views.local), views.rows)
        tokens = self.patch_norm(tokens)
        for stage in self.stages:
            tokens = stage(tokens)
        tokens = self.norm(tokens)
        return EncoderOutput(tokens=tokens, pooled=tokens.mean(dim=1))

    def _square(
        self, views: Float[Tensor, "batch views frames mels"]
    ) -> Float[Tensor, "batch views {self.max_frames} mels"]:
        """The views stretched to as many values as the square has."""
        size = (self.config.max_frames, self.config.n_mels)
        if views.shape[2] == size[0]:
            return views
        return F.interpolate(views, size, mode="bicubic", align_corners=True)

    def _patches(self, square: Float[Tensor, "batch views frames mels"]) -> Float[Tensor, "batch patches area"]:
        """The patches of the folded square, row by row; within a patch, views, then mel bins, then frames."""
        c, p = self.config, self.config.patch_size
        batch, views = square.shape[:2]
        cut = square.view(batch, views, c.segments, c.square_size // p, p, c.n_mels // p, p)
        return cut.permute(0, 2, 5, 3, 1, 6, 4).reshape(batch, -1, views * p * p)


class PatchFusion(nn.Module):
    """The 2-D fusion: local views are embedded in patches of three times the frames, and blended with the tokens.

    In each row of the folded square, the three views' patches stand one after the other; zeros fill the row up.

    Args:
        config: the encoder's geometry.
    """

    def __init__(self, config: HtsatConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Linear(3 * config.patch_size**2, config.embed_dim)
        self.enter = Reorder(config.block_order(0, 0))
        self.blend = build_blend(config.fusion, config.embed_dim)

    def forward(
        self,
        tokens: Float[Tensor, "batch tokens dim"],
        local: Float[Tensor, "rows 3 frames mels"],
        rows: Int[Tensor, " rows"],
    ) -> Float[Tensor, "batch tokens dim"]:
        """The tokens, those of `rows` fused with their stretched local views."""
        if not len(rows):
            return tokens
        embedded = self.embed(self._patches(local))
        filled = F.pad(embedded, (0, 0, 0, self.config.sides[0] - embedded.shape[2]))
        fused: Tensor = self.blend(tokens[rows], self.enter(filled.flatten(1, 2)))
        return tokens.index_copy(0, rows, fused.to(tokens.dtype))

    def _patches(
        self, local: Float[Tensor, "rows 3 frames mels"]
    ) -> Float[Tensor, "rows {self.config.sides[0]} columns area"]:
        c, p = self.config, self.config.patch_size
        wide = c.square_size // (3 * p)
        square = local.view(len(local), 3, c.segments, c.square_size, c.n_mels // p, p)[:, :, :, : wide * 3 * p]
        cut = square.reshape(len(local), 3, c.segments, wide, 3 * p, c.n_mels // p, p)
        return cut.permute(0, 2, 5, 1, 3, 6, 4).reshape(len(local), c.sides[0], 3 * wide, 3 * p * p)


class _Stage(nn.Module):
    """Blocks on a grid of one size, then, but for the last stage, the merging of every four tokens."""

    def __init__(self, config: HtsatConfig, stage: int, leave: Int[Tensor, " tokens"]) -> None:
        super().__init__()
        dim, side = config.dims[stage], config.sides[stage]
        before, depth = sum(config.depths[:stage]), config.depths[stage]
        rise = config.drop_path / max(sum(config.depths) - 1, 1)
        self.blocks = nn.ModuleList(
            SwinBlock(
                dim=dim,
                heads=config.heads[stage],
                side=side,
                window=config.window(stage, block)[0],
                shift=config.window(stage, block)[1],
                mlp_ratio=config.mlp_ratio,
                drop_path=rise * (before + block),
            )
            for block in range(depth)
        )
        orders = [*(config.block_order(stage, block) for block in range(depth)), leave]
        self.reorders = nn.ModuleList(Reorder(compose(here, there)) for here, there in pairwise(orders))
        self.merge = PatchMerging(dim) if stage + 1 < len(config.depths) else nn.Identity()

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch left wide"]:
        for block, reorder in zip(self.blocks, self.reorders, strict=True):
            tokens = reorder(block(tokens))
        merged: Tensor = self.merge(tokens)
        return merged


def _time_order(config: HtsatConfig) -> Int[Tensor, " tokens"]:
    """The order of the last map in which time runs first, through all segments, and mel bins second."""
    side = config.sides[-1]
    raster = torch.arange(side * side).view(config.segments, side // config.segments, side)
    return raster.transpose(1, 2).flatten()


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, WindowAttention):
        nn.init.trunc_normal_(module.relative_bias, std=0.02)


_SMALL: dict[str, Any] = {"square_size": 128, "drop_path": 0.0, "spec_augment": None}
_PRESETS: dict[str, dict[str, Any]] = {
    "htsat-tiny": {},
    "htsat-base": {"embed_dim": 128, "depths": (2, 2, 12, 2)},
    "htsat-large": {"embed_dim": 256, "depths": (2, 2, 12, 2)},
    # Sizes of our own: one to train on two CPU cores (1.4 M weights), one for tests (0.15 M).
    "htsat-mini": _SMALL | {"embed_dim": 32, "depths": (1, 1, 2, 1), "heads": (1, 2, 4, 8)},
    "htsat-micro": _SMALL | {"embed_dim": 16, "depths": (2, 2, 2), "heads": (2, 4, 8)},
}


def _build(name: str, **options: Any) -> Htsat:
    return Htsat(HtsatConfig.read(_PRESETS[name] | options, origin=f"audio encoder {name!r}"))


for _name in _PRESETS:
    audio_encoders.add(_name, partial(_build, _name))
