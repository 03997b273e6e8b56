"""Which tokens of a spectrogram are kept: random ones, whole times and mel rows, blocks, or by what is heard in them.

Source: FLAP, arXiv 2311.01615, section 3.1 (1-D and 2-D masking), on AudioMAE, arXiv 2207.06405, section 3.2; written
anew. Blocks and masking by energy are our own: the paper names informed masking as future work.

Every kind keeps an exact number of tokens, the same for each clip of a batch, so that what is removed costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from openclap.config import Config
from openclap.errors import ConfigError


class MaskingConfig(Config):
    """How many tokens are removed, and which. However short a clip is, one of its times or tokens is kept [ours].

    Attributes:
        kind: "none"; "1d": any tokens, each clip its own; "2d": whole times (columns) and whole mel rows; "block":
            whole squares of `block` tokens a side, as far as the number allows; "energy": like "1d", but what is loud
            is likelier to be kept.
        ratio: share of the tokens that is removed, but for "2d".
        time_ratio: share of the columns that "2d" removes.
        mel_ratio: share of the rows that "2d" removes.
        block: side of a block, in tokens.
        sharpness: how much likelier "energy" keeps a token that is one standard deviation louder, as a power of e.
    """

    kind: Literal["none", "1d", "2d", "block", "energy"] = "none"
    ratio: float = Field(default=0.0, ge=0, lt=1)
    time_ratio: float = Field(default=0.0, ge=0, lt=1)
    mel_ratio: float = Field(default=0.0, ge=0, lt=1)
    block: int = Field(default=4, gt=0)
    sharpness: float = Field(default=1.0, ge=0)

    @model_validator(mode="after")
    def _says_one_thing(self) -> MaskingConfig:
        if self.ratio and self.kind in {"none", "2d"}:
            raise ValueError(f"ratio is {self.ratio}, but kind {self.kind!r} does not read it: set kind to '1d'")
        if (self.time_ratio or self.mel_ratio) and self.kind != "2d":
            raise ValueError(f"time_ratio and mel_ratio belong to kind '2d', but kind is {self.kind!r}")
        return self

    @property
    def removes(self) -> bool:
        """Whether anything is removed."""
        return self.ratio > 0 or self.time_ratio > 0 or self.mel_ratio > 0

    def kept(self, tokens: int, rows: int) -> int:
        """How many of a clip's tokens are kept.

        Args:
            tokens: of the clip.
            rows: tokens of one time.

        Raises:
            ConfigError: if none would be.
        """
        if self.kind != "2d":
            return _share(tokens, self.ratio)
        mels = self.kept_rows(rows)
        if mels == 0:
            raise ConfigError(
                f"masking keeps 0 of {rows} mel rows, so that nothing is left to hear: lower masking.mel_ratio"
            )
        return _share(tokens // rows, self.time_ratio) * mels

    def kept_rows(self, rows: int) -> int:
        """How many of so many mel rows "2d" keeps, rounded down; 0 leaves nothing to hear."""
        return int(rows * (1 - self.mel_ratio))


class Mask(NamedTuple):
    """Which tokens of each clip are kept, in the words of MAE.

    Attributes:
        keep_ids: the kept tokens, ascending.
        restore_ids: for every token, its place when the kept ones stand first and the removed ones after them.
        removed: 1 for a token that is removed, 0 for one that is kept.
    """

    keep_ids: Int[Tensor, "batch kept"]
    restore_ids: Int[Tensor, "batch tokens"]
    removed: Float[Tensor, "batch tokens"]

    def keep(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch kept dim"]:
        """The kept ones of any values that stand one a token."""
        return at_places(tokens, self.keep_ids)

    def kept_and_some(self, share: float, generator: torch.Generator | None = None) -> Int[Tensor, "batch chosen"]:
        """The kept tokens and, chosen by chance, a share of the removed ones, one at least; ascending.

        Args:
            share: of the removed tokens, above 0; with 1 these are all tokens.
            generator: where the chance comes from, as for `draw_mask`.
        """
        tokens, kept = self.removed.shape[1], self.keep_ids.shape[1]
        count = kept + min(tokens - kept, max(1, round(share * (tokens - kept))))
        noise = torch.rand(self.removed.shape, generator=generator, device=self.removed.device)
        return torch.argsort((1 + noise) * self.removed, dim=1)[:, :count].sort(dim=1).values


def at_places(
    values: Float[Tensor, "batch tokens dim"], places: Int[Tensor, "batch chosen"]
) -> Float[Tensor, "batch chosen dim"]:
    """Those of each clip's tokens that stand at some places, in the places' order."""
    return values.gather(1, places[:, :, None].expand(-1, -1, values.shape[2]))


def draw_mask(
    config: MaskingConfig,
    patches: Float[Tensor, "batch tokens pixels"],
    rows: int,
    generator: torch.Generator | None = None,
) -> Mask:
    """A mask for each clip.

    Args:
        config: which kind, and how much.
        patches: the values in each token's patch, one time after the other; only "energy" looks at them.
        rows: tokens of one time.
        generator: where the chance comes from, on the patches' device; None is torch's own, as for dropout.

    Raises:
        ConfigError: if nothing would be kept.
    """
    batch, tokens, _ = patches.shape
    count = config.kept(tokens, rows)

    def noise(*shape: int) -> Tensor:
        return torch.rand(batch, *shape, generator=generator, device=patches.device)

    if config.kind == "2d":
        times = _ranks(noise(tokens // rows)) >= _share(tokens // rows, config.time_ratio)
        mels = _ranks(noise(rows)) >= _share(rows, config.mel_ratio)
        removed = (times[:, :, None] | mels[:, None, :]).flatten(1)
    elif config.kind == "none" or count == tokens:
        removed = torch.zeros(batch, tokens, dtype=torch.bool, device=patches.device)
    else:
        removed = _ranks(_scores(config, patches, rows, noise(tokens), noise)) >= count
    order = torch.argsort(removed.to(torch.uint8), dim=1, stable=True)  # the kept ones first, both in the grid's order
    return Mask(keep_ids=order[:, :count], restore_ids=_inverse(order), removed=removed.float())


def _scores(
    config: MaskingConfig,
    patches: Float[Tensor, "batch tokens pixels"],
    rows: int,
    noise: Float[Tensor, "batch tokens"],
    draw: Callable[..., Tensor],
) -> Float[Tensor, "batch tokens"]:
    """What is kept has the least scores."""
    if config.kind == "1d":
        return noise
    if config.kind == "energy":
        loudness = patches.float().mean(dim=2)
        spread = loudness.std(dim=1, keepdim=True, unbiased=False).clamp(min=1e-6)
        louder = (loudness - loudness.mean(dim=1, keepdim=True)) / spread
        # The k least of -log(u) / weight are a draw of k without replacement in proportion to the weights. Their
        # logarithms are in the same order, and no weight is too large or too small for float32.
        return (-noise.clamp(min=1e-12).log()).log() - config.sharpness * louder
    columns = patches.shape[1] // rows
    coarse = draw(-(-columns // config.block), -(-rows // config.block))
    turns = _ranks(coarse.flatten(1)).view_as(coarse).float()
    size = (coarse.shape[1] * config.block, coarse.shape[2] * config.block)
    blocks = F.interpolate(turns[:, None], size, mode="nearest")[:, 0, :columns, :rows].flatten(1)
    return blocks + noise  # below 1: where the number cuts through a block, chance decides inside it


def _share(count: int, ratio: float) -> int:
    """How many are kept when a share is removed, rounded down as MAE does, but one at least."""
    return max(1, int(count * (1 - ratio)))


def _ranks(scores: Float[Tensor, "batch count"]) -> Int[Tensor, "batch count"]:
    return _inverse(torch.argsort(scores, dim=1, stable=True))


def _inverse(order: Int[Tensor, "batch count"]) -> Int[Tensor, "batch count"]:
    places = torch.arange(order.shape[1], device=order.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, places)
