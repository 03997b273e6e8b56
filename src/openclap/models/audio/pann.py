"""PANNs: the convolutional audio encoders CNN14, CNN10 and CNN6, as LAION-CLAP and MS-CLAP use them.

Source: "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern Recognition", arXiv 1912.10211, section
2; fusion: LAION-CLAP, arXiv 2211.06687, section 3. Written anew. What differs from theirs: the log-mel front-end and
the heads for AudioSet's classes stand outside. MS-CLAP 2022's CNN14 is the same net without augmentation.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from openclap.config import Config
from openclap.models.layers.conv_norm import ConvNorm, average
from openclap.models.layers.fusion import FusionKind, build_blend
from openclap.models.layers.spec_augment import SpecAugmentConfig
from openclap.models.layers.view_encoder import ViewEncoder
from openclap.models.zoo import audio_encoders
from openclap.types import EncoderOutput


class PannConfig(Config):
    """A PANN; the defaults are those of "pann-cnn14".

    Attributes:
        channels: width of each block's maps.
        pools: into how many frames and mel bins each block's maps are averaged, a side.
        convs: convolutions a block.
        kernel_size: frames and mel bins that a convolution sees; odd.
        n_mels: mel bins of the features.
        dropout: after each block, in training.
        head_dropout: before and after the last linear map, in training.
        fusion: how the four views of a clip are fused; "none" takes one view. LAION-CLAP has it for CNN14.
        spec_augment: stripes of zeros over the features, in training; None has none.
    """

    channels: tuple[int, ...] = Field(default=(64, 128, 256, 512, 1024, 2048), min_length=1)
    pools: tuple[int, ...] = (2, 2, 2, 2, 2, 1)
    convs: int = Field(default=2, gt=0)
    kernel_size: int = Field(default=3, gt=0)
    n_mels: int = Field(default=64, gt=0)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    head_dropout: float = Field(default=0.5, ge=0, lt=1)
    fusion: FusionKind = "none"
    spec_augment: SpecAugmentConfig | None = SpecAugmentConfig()

    @property
    def min_frames(self) -> int:
        """The fewest frames that leave one after all averaging: as many as go into one token."""
        return math.prod(self.pools)

    @model_validator(mode="after")
    def _fits(self) -> PannConfig:
        if len(self.pools) != len(self.channels):
            raise ValueError(f"pools has {len(self.pools)} blocks, but channels has {len(self.channels)}")
        if min(*self.channels, *self.pools) < 1:
            raise ValueError(f"channels {self.channels} and pools {self.pools} must be 1 or more")
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size: {self.kernel_size} is even, so that maps would shrink: take an odd one")
        if self.n_mels < self.min_frames:
            raise ValueError(f"n_mels: {self.n_mels} mel bins cannot be averaged by {self.min_frames} (pools)")
        if self.fusion.endswith("2d") and (self.pools[0] != 2 or self.n_mels % 2):
            raise ValueError(f"fusion: {self.fusion} needs a first pool of 2 and an even n_mels")
        return self


class Pann(ViewEncoder):
    """Log-mel features of any length to one token a time step, and a pooled vector.

    A token is the last map at one time, averaged over mel bins: what pooling reads, so a token lies in another space
    than the pooled vector. A time step of CNN14 is 32 frames long, and what is left at the end is not heard.

    Its modules, for those who map weights: `mel_norm`; `blocks.B.layers.L.conv` and `.norm`; `head`; and where views
    are fused, `fusion`: a `FrameFusion` (1-D) or a `MapFusion` (2-D).

    Args:
        config: the geometry; the weights start random, by Xavier's rule as published.
    """

    def __init__(self, config: PannConfig) -> None:
        super().__init__(config.n_mels, config.fusion, config.spec_augment)
        self.config = config
        self.dim = config.channels[-1]
        self.max_frames: int | None = None
        first = self.views if config.fusion == "channel-map" else 1
        widths = [first, *config.channels]
        self.blocks = nn.ModuleList(
            _Block(widths[number], widths[number + 1], config.convs, config.kernel_size, pool)
            for number, pool in enumerate(config.pools)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head_dropout = nn.Dropout(config.head_dropout)
        self.head = nn.Linear(self.dim, self.dim)
        self.apply(_initialise)
        self.fusion = self._fusion(lambda: MapFusion(config.fusion, config.channels[0]))

    def forward(
        self, features: Float[Tensor, "batch views frames mels"], is_longer: Bool[Tensor, " batch"] | None = None
    ) -> EncoderOutput:
        """Tokens of the last map, and the pooled vector of their sum of maximum and mean.

        Args:
            features: log-mel features: one view, or four (global, front, middle, back) where views are fused.
            is_longer: which clips are longer than the window; None has none. Only the local views of those are read,
                except by "channel-map", which reads all.

        Returns:
            One token a time step, and one vector of values that are not negative.

        Raises:
            ConfigError: if the features have another number of views or mel bins, or too few frames.
        """
        self._check(features, least=self.config.min_frames, most=None)
        views = self._prepare(features, is_longer)
        maps = views.whole
        for number, block in enumerate(self.blocks):
            maps = block(maps)
            if number == 0 and views.local is not None and self.fusion is not None:
                maps = self.fusion(maps, views.local, views.rows)
            maps = self.dropout(maps)
        tokens = maps.mean(dim=3).transpose(1, 2)
        pooled = self.head_dropout(tokens.amax(dim=1) + tokens.mean(dim=1))
        return EncoderOutput(tokens=tokens, pooled=self.head_dropout(F.relu(self.head(pooled))))


class MapFusion(nn.Module):
    """The 2-D fusion: local views become maps as large as the first block's, and are blended with them.

    A convolution makes each local view six times shorter and its mel bins half as many; the three stand one after the
    other, cut or filled up with zeros to the map's frames.

    Args:
        kind: which blend.
        channels: width of the first block's map.
    """

    def __init__(self, kind: FusionKind, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, channels, kernel_size=5, stride=(6, 2), padding=2)
        self.norm = nn.BatchNorm2d(channels)
        self.blend = build_blend(kind, channels)

    def forward(
        self,
        maps: Float[Tensor, "batch channels times bins"],
        local: Float[Tensor, "rows 3 frames mels"],
        rows: Int[Tensor, " rows"],
    ) -> Float[Tensor, "batch channels times bins"]:
        """The maps, those of `rows` fused with their local views."""
        if not len(rows):
            return maps
        shrunk = F.relu(self.norm(self.conv(local.flatten(0, 1)[:, None])))
        joined = shrunk.view(len(rows), 3, *shrunk.shape[1:]).transpose(1, 2).flatten(2, 3)
        fitted = F.pad(joined, (0, 0, 0, maps.shape[2] - joined.shape[2]))  # a negative width cuts
        whole = maps[rows]
        fused: Tensor = self.blend(whole.flatten(2).transpose(1, 2), fitted.flatten(2).transpose(1, 2))
        return maps.index_copy(0, rows, fused.transpose(1, 2).reshape(whole.shape).to(maps.dtype))


class _Block(nn.Module):
    """Convolutions at one resolution, then averaging over frames and mel bins."""

    def __init__(self, before: int, width: int, convs: int, kernel_size: int, pool: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            ConvNorm(before if number == 0 else width, width, kernel_size) for number in range(convs)
        )
        self.pool = pool

    def forward(self, maps: Float[Tensor, "batch channels frames mels"]) -> Float[Tensor, "batch width times bins"]:
        for layer in self.layers:
            maps = layer(maps)
        return average(maps, self.pool)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


_PRESETS: dict[str, dict[str, Any]] = {
    "pann-cnn14": {},
    "pann-cnn10": {"channels": (64, 128, 256, 512, 1024), "pools": (2, 2, 2, 2, 2)},
    "pann-cnn6": {"channels": (64, 128, 256, 512), "pools": (2, 2, 2, 2), "convs": 1, "kernel_size": 5},
    # Of our own, for tests: 0.1 M weights.
    "pann-micro": {
        "channels": (16, 32, 64),
        "pools": (2, 2, 2),
        "dropout": 0.0,
        "head_dropout": 0.0,
        "spec_augment": None,
    },
}


def _build(name: str, **options: Any) -> Pann:
    return Pann(PannConfig.read(_PRESETS[name] | options, origin=f"audio encoder {name!r}"))


for _name in _PRESETS:
    audio_encoders.add(_name, partial(_build, _name))
