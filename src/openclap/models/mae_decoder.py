"""The decoder of a masked autoencoder: from the tokens that were kept, the values of every patch.

Source: "Masked Autoencoders", arXiv 2111.06377, section 3, and AudioMAE, arXiv 2207.06405, section 3.3; written anew.
To decode some of the patches alone is VideoMAE V2's idea, arXiv 2303.16727, section 3.2, here with random ones.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from openclap.config import Config
from openclap.errors import ConfigError
from openclap.models.encoder import PatchEncoder
from openclap.models.layers.cosine_window import CosineWindowBlock
from openclap.models.layers.positions import Positions, PositionTable
from openclap.models.layers.vit_block import LAYER_NORM_EPS, VitBlock, initialise
from openclap.models.masking import at_places

_WINDOW, _SHIFT = 4, 2


class DecoderConfig(Config):
    """What is free to choose of a decoder, whatever the encoder.

    The defaults are those that AudioMAE was pre-trained with; `depth` 8 of "global" blocks is MAE's.

    Attributes:
        dim: width of the decoder's tokens.
        depth: blocks.
        heads: attention heads.
        mlp_ratio: hidden width of the blocks' perceptrons, in `dim`s.
        blocks: "windows" for Swin V2 blocks of 4×4 tokens, every second one shifted by 2 through time; "global" for
            attention of all tokens to all.
        target: what it learns to predict: the "raw" values of a patch, or its "normalised" ones, of mean 0 and
            variance 1 (MAE, section 4.1), which say what the patch is like and not how loud it is.
    """

    dim: int = Field(default=512, gt=0)
    depth: int = Field(default=16, gt=0)
    heads: int = Field(default=16, gt=0)
    mlp_ratio: float = Field(default=4.0, gt=0)
    blocks: Literal["windows", "global"] = "windows"
    target: Literal["normalised", "raw"] = "normalised"


class MaeDecoderConfig(DecoderConfig):
    """A decoder of one encoder.

    Attributes:
        encoder_dim: width of the encoder's tokens.
        patch_pixels: values of a patch.
        rows: tokens of one time.
        positions: which fixed positions, as in the encoder.
        cls_token: the encoder's tokens begin with a CLS token. "global" blocks attend to it, "windows" leave it out.
    """

    encoder_dim: int = Field(gt=0)
    patch_pixels: int = Field(default=256, gt=0)
    rows: int = Field(default=8, gt=0)
    positions: Positions = "grid"
    cls_token: bool = False

    @model_validator(mode="after")
    def _fits(self) -> MaeDecoderConfig:
        if self.dim % self.heads:
            raise ValueError(f"heads: {self.heads} heads do not divide the width of {self.dim}")
        if self.dim % 4:
            raise ValueError(f"dim: {self.dim} is no multiple of 4, which the positions need")
        if self.blocks == "windows" and self.rows % _WINDOW:
            raise ValueError(f"rows: {self.rows} is no multiple of {_WINDOW}, the side of a window")
        return self


def decoder_for(encoder: PatchEncoder, config: DecoderConfig) -> MaeDecoderConfig:
    """A decoder's config with all that the encoder decides."""
    return MaeDecoderConfig(
        **{name: getattr(config, name) for name in DecoderConfig.model_fields},
        encoder_dim=encoder.dim,
        patch_pixels=encoder.patch_size**2,
        rows=encoder.rows,
        positions=encoder.position_kind,
        cls_token=encoder.leading > 0,
    )


class MaeDecoder(nn.Module):
    """Kept tokens of an encoder to the values of all patches.

    Args:
        config: the geometry; the weights start random, as MAE's do.
    """

    def __init__(self, config: MaeDecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Linear(config.encoder_dim, config.dim)
        self.mask_token = nn.Parameter(torch.empty(1, 1, config.dim))
        self.blocks = nn.ModuleList(_block(config, index) for index in range(config.depth))
        self.norm = nn.LayerNorm(config.dim, eps=LAYER_NORM_EPS)
        self.predict = nn.Linear(config.dim, config.patch_pixels)
        self.positions = PositionTable(config.positions, config.rows, config.dim)
        self.apply(initialise)
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(
        self,
        tokens: Float[Tensor, "batch kept wide"],
        restore_ids: Int[Tensor, "batch patches"],
        places: Int[Tensor, "batch decoded"] | None = None,
    ) -> Float[Tensor, "batch _decoded {self.config.patch_pixels}"]:
        """What is predicted of every patch (`DecoderConfig.target`), in the order of the grid, or of those at `places`.

        Args:
            tokens: what the encoder gave, its CLS token first if the config says so.
            restore_ids: for every patch of the grid, its place when the kept ones, in their order, stand first and the
                removed ones after them.
            places: the patches that are decoded, those that were kept among them; the others cost nothing, and no
                decoded one attends to them. None decodes all. "global" blocks only.

        Raises:
            ConfigError: if the grid cannot be cut into windows.
        """
        count, leading = restore_ids.shape[1], int(self.config.cls_token)
        self.check_grid(count)
        embedded = self.embed(tokens)
        masked = self.mask_token.expand(len(tokens), count + leading - tokens.shape[1], -1)
        shuffled = torch.cat([embedded[:, leading:], masked.to(embedded.dtype)], dim=1)
        grid = at_places(shuffled, restore_ids) + self.positions(count)
        if places is not None:
            self.check_any_places()
            grid = at_places(grid, places)
            count = places.shape[1]
        if leading and self.config.blocks == "global":
            grid = torch.cat([embedded[:, :1], grid], dim=1)
        for block in self.blocks:
            grid = block(grid)
        pixels: Tensor = self.predict(self.norm(grid[:, -count:]))
        return pixels

    def targets(self, patches: Float[Tensor, "batch patches pixels"]) -> Float[Tensor, "batch patches pixels"]:
        """What it should predict of patches; in float32, and without a gradient."""
        patches = patches.detach().float()
        if self.config.target == "raw":
            return patches
        mean, spread = _spread(patches)
        return (patches - mean) / spread

    def pixels(
        self, predicted: Float[Tensor, "batch patches pixels"], patches: Float[Tensor, "batch patches pixels"]
    ) -> Float[Tensor, "batch patches pixels"]:
        """The values that a prediction stands for.

        A normalised prediction says nothing of a patch's mean and spread: those of the true patch are put in.

        Args:
            predicted: what `forward` gave.
            patches: the true ones.
        """
        if self.config.target == "raw":
            return predicted.float()
        mean, spread = _spread(patches.float())
        return predicted.float() * spread + mean

    def check_grid(self, count: int) -> None:
        """Make sure that a clip of so many patches can be decoded.

        Raises:
            ConfigError: if the grid cannot be cut into windows.
        """
        whole = self.config.rows * (_WINDOW if self.config.blocks == "windows" else 1)
        if count % whole:
            raise ConfigError(
                f"there are {count} patches, but this decoder takes multiples of {whole} ({self.config.rows} rows, "
                f"{whole // self.config.rows} column(s) at a time): set model.decoder.blocks=global, or another number "
                "of frames (frontend.mel.frames, or where that is null frontend.window_s)"
            )

    def check_any_places(self) -> None:
        """Make sure that some patches can be decoded without the others.

        Raises:
            ConfigError: if this decoder cuts the whole grid into windows.
        """
        if self.config.blocks == "windows":
            raise ConfigError(
                "reconstruction.share below 1 decodes some of the masked patches alone, but model.decoder.blocks "
                "'windows' need the whole grid: set model.decoder.blocks to 'global', or the share to 1"
            )

    def check_any_length(self) -> None:
        """Make sure that clips of any number of patches can be decoded.

        Raises:
            ConfigError: if this decoder cuts them into windows.
        """
        if self.config.blocks == "windows":
            raise ConfigError(
                "frontend.length.short is 'keep', but model.decoder.blocks 'windows' need clips that windows fill "
                "without rest: set model.decoder.blocks to 'global', or frontend.length.short to 'repeat-pad'"
            )


def _spread(
    patches: Float[Tensor, "batch patches pixels"],
) -> tuple[Float[Tensor, "batch patches 1"], Float[Tensor, "batch patches 1"]]:
    """Each patch's mean and standard deviation, unbiased and with 1e-6 beneath the root, as MAE has it."""
    variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
    return mean, (variance + 1e-6).sqrt()


def _block(config: MaeDecoderConfig, index: int) -> nn.Module:
    if config.blocks == "global":
        return VitBlock(config.dim, config.heads, config.mlp_ratio)
    shift = _SHIFT if index % 2 else 0
    return CosineWindowBlock(config.dim, config.heads, config.rows, _WINDOW, shift, config.mlp_ratio)
