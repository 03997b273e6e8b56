"""What HTSAT and the PANNs have in common at their entry: normalised mel bins, augmentation, and views to fuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from openclap.errors import ConfigError
from openclap.models.layers.fusion import FrameFusion, FusionKind, count_views, longer_rows
from openclap.models.layers.spec_augment import SpecAugment, SpecAugmentConfig


class Views(NamedTuple):
    """What goes into the first map.

    Attributes:
        whole: one view of every clip; all four for "channel-map".
        local: the three local views of the clips that are longer, for 2-D fusion; else None.
        rows: which clips are longer; None where `local` is.
    """

    whole: Float[Tensor, "batch channels frames mels"]
    local: Float[Tensor, "rows 3 frames mels"] | None = None
    rows: Int[Tensor, " rows"] | None = None


class ViewEncoder(nn.Module):
    """Base of the encoders that LAION-CLAP trained with feature fusion.

    Args:
        n_mels: mel bins of the features.
        kind: how views are fused; a subclass sets `fusion` to what `_fusion` gives.
        spec_augment: stripes of zeros over the features, in training; None has none.
    """

    def __init__(self, n_mels: int, kind: FusionKind, spec_augment: SpecAugmentConfig | None) -> None:
        super().__init__()
        self.n_mels: int | None = n_mels
        self.views = count_views(kind)
        self.mel_norm = nn.BatchNorm1d(n_mels)
        self.spec_augment = SpecAugment(spec_augment) if spec_augment else nn.Identity()
        self.fusion: nn.Module | None = None
        self._kind = kind

    def _fusion(self, of_maps: Callable[[], nn.Module]) -> nn.Module | None:
        """The module that fuses views: of frames for 1-D kinds, what `of_maps` makes for 2-D ones; else None."""
        if self._kind.endswith("1d"):
            assert self.n_mels is not None
            return FrameFusion(self._kind, self.n_mels)
        return of_maps() if self._kind.endswith("2d") else None

    def _check(self, features: Float[Tensor, "batch views frames mels"], least: int, most: int | None) -> None:
        _, views, frames, mels = features.shape
        if views == self.views and mels == self.n_mels and least <= frames and (most is None or frames <= most):
            return
        count = f"at most {most}" if most is not None else f"at least {least}"
        raise ConfigError(
            f"features have {views} view(s), {frames} frames and {mels} mel bins, but this {type(self).__name__} takes "
            f"{self.views} view(s), {count} frames and {self.n_mels} mel bins: make the front-end's settings fit"
        )

    def _prepare(
        self, features: Float[Tensor, "batch views frames mels"], is_longer: Bool[Tensor, " batch"] | None
    ) -> Views:
        """Normalised views, augmented in training; after 1-D fusion, where that is the encoder's."""
        if self._kind in ("none", "channel-map"):
            return Views(self.spec_augment(self._normalised(features)))
        rows = longer_rows(is_longer, features.device)
        if self._kind.endswith("2d"):
            whole, local = self._split(features, rows, lambda views: self.spec_augment(self._normalised(views)))
            return Views(whole, local, rows)
        assert self.fusion is not None
        return Views(self.spec_augment(self.fusion(*self._split(features, rows, self._normalised), rows)))

    def _split(
        self,
        features: Float[Tensor, "batch views frames mels"],
        rows: Int[Tensor, " rows"],
        prepare: Callable[[Tensor], Tensor],
    ) -> tuple[Float[Tensor, "batch 1 frames mels"], Float[Tensor, "rows 3 frames mels"]]:
        """The global views of all clips, and the local views of those that are longer."""
        if self.training:  # as published, the batch norm's statistics are of all views, and stripes are a clip's
            views = prepare(features)
            return views[:, :1], views[rows, 1:]
        return prepare(features[:, :1]), prepare(features[rows, 1:])

    def _normalised(self, views: Float[Tensor, "some views frames mels"]) -> Float[Tensor, "some views frames mels"]:
        normed: Tensor = self.mel_norm(views.reshape(-1, views.shape[-1]))
        return normed.view(views.shape)
