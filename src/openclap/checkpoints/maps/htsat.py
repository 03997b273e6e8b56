"""HTSAT's tensors in LAION-CLAP's and MS-CLAP's files, and in ours; its geometry from the tensors' shapes.

Source of the names: the public code of both (`htsat.py`), which is the same but for feature fusion.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from torch import Tensor

from openclap.checkpoints.maps.fusion import blend_pairs, conv, frame_fusion_pairs, fusion_kind
from openclap.checkpoints.maps.rules import Fixed, Pair, batch_norm, count, linear, same
from openclap.errors import CheckpointError
from openclap.models.audio.htsat import HtsatConfig
from openclap.models.clap import EncoderConfig
from openclap.models.layers.windows import relative_position_index, shift_mask

_REGISTERED: dict[tuple[int, tuple[int, ...]], str] = {
    (128, (2, 2, 12, 2)): "htsat-base",
    (256, (2, 2, 12, 2)): "htsat-large",
}


def read_htsat_config(tensors: Mapping[str, Tensor], prefix: str) -> HtsatConfig:
    """The geometry of the HTSAT whose tensors' names begin with `prefix`.

    Raises:
        CheckpointError: if a tensor that says it is missing.
        ConfigError: if the sizes do not fit each other.
    """
    try:
        patch = tensors[f"{prefix}patch_embed.proj.weight"]
        stages = count(tensors, f"{prefix}layers.")
        depths = tuple(count(tensors, f"{prefix}layers.{stage}.blocks.") for stage in range(stages))
        first = [f"{prefix}layers.{stage}.blocks.0." for stage in range(stages)]
        tables = [tensors[f"{block}attn.relative_position_bias_table"] for block in first]
        ratio = len(tensors[f"{first[0]}mlp.fc1.weight"]) / len(patch)
        n_mels = len(tensors[f"{prefix}bn0.weight"])
        window = (math.isqrt(len(tables[0])) + 1) // 2
    except (KeyError, IndexError) as error:
        raise CheckpointError(
            f"the audio encoder is an HTSAT, but has no {error}, which says how large it is"
        ) from error
    return HtsatConfig.read(
        {
            "square_size": _side(tensors, prefix) * patch.shape[-1],
            "patch_size": patch.shape[-1],
            "window_size": window,
            "embed_dim": len(patch),
            "depths": depths,
            "heads": tuple(table.shape[1] for table in tables),
            "n_mels": n_mels,
            "mlp_ratio": ratio,
            "fusion": fusion_kind(tensors, prefix, "patch_embed.", four_channels=patch.shape[1] == 4),
        },
        origin="the HTSAT's tensors",
    )


def htsat_encoder(config: HtsatConfig) -> EncoderConfig:
    """What builds an HTSAT here, by the name of its size; other sizes go as "htsat-tiny" with options."""
    return EncoderConfig(name=_REGISTERED.get((config.embed_dim, config.depths), "htsat-tiny"), options=config.plain())


def htsat_pairs(config: HtsatConfig, theirs: str, ours: str) -> list[Pair]:
    """Every tensor of an HTSAT there and here; both prefixes end in a dot or are empty."""
    return [*batch_norm(f"{theirs}bn0", f"{ours}mel_norm"), *body_pairs(config, theirs, ours, _block)]


def body_pairs(
    config: HtsatConfig, theirs: str, ours: str, block_pairs: Callable[[str, str], list[Pair]]
) -> list[Pair]:
    """All of an HTSAT but the norm of its mel bins, as every project calls it but for the insides of blocks.

    Args:
        config: the geometry.
        theirs: prefix there; ends in a dot or is empty.
        ours: prefix here; likewise.
        block_pairs: the pairs of a block, by its names there and here.
    """
    views = 4 if config.fusion == "channel-map" else 1
    patch = (config.patch_size, config.patch_size)
    pairs = [
        Pair((f"{theirs}patch_embed.proj.weight",), (f"{ours}patch_embed.weight",), kernel=(views, *patch)),
        *same(f"{theirs}patch_embed.proj", f"{ours}patch_embed", "bias"),
        *linear(f"{theirs}patch_embed.norm", f"{ours}patch_norm"),
        *linear(f"{theirs}norm", f"{ours}norm"),
    ]
    if config.fusion.endswith("1d"):
        pairs += frame_fusion_pairs(config.fusion, theirs, ours)
    elif config.fusion.endswith("2d"):
        wide = (config.patch_size, 3 * config.patch_size)
        pairs += conv(f"{theirs}patch_embed.mel_conv2d", f"{ours}fusion.embed", wide)
        pairs += blend_pairs(config.fusion, f"{theirs}patch_embed.fusion_model", f"{ours}fusion.blend")
    for stage, depth in enumerate(config.depths):
        for block in range(depth):
            pairs += block_pairs(f"{theirs}layers.{stage}.blocks.{block}", f"{ours}stages.{stage}.blocks.{block}")
        if stage + 1 < len(config.depths):
            merge = f"{ours}stages.{stage}.merge"
            pairs += same(f"{theirs}layers.{stage}.downsample.reduction", f"{merge}.reduction", "weight")
            pairs += linear(f"{theirs}layers.{stage}.downsample.norm", f"{merge}.norm")
    return pairs


def htsat_fixed(config: HtsatConfig, theirs: str) -> list[Fixed]:
    """The tables that theirs keeps beside its weights: offsets inside a window, and masks of rolled windows."""
    rules: list[Fixed] = []
    for stage, depth in enumerate(config.depths):
        for block in range(depth):
            window, shift = config.window(stage, block)
            name, side, area = f"{theirs}layers.{stage}.blocks.{block}", config.sides[stage], window * window
            rules.append(
                Fixed(
                    f"{name}.attn.relative_position_index",
                    lambda window=window, area=area: relative_position_index(window).view(area, area),  # type: ignore[misc]
                )
            )
            if shift:
                rules.append(
                    Fixed(
                        f"{name}.attn_mask",
                        lambda side=side, window=window, shift=shift: shift_mask(side, window, shift)[:, 0],  # type: ignore[misc]
                    )
                )
    return rules


def htsat_heads(config: HtsatConfig, theirs: str, classes: int = 527) -> dict[str, tuple[int, ...]]:
    """Name and shape of each tensor of the AudioSet heads."""
    bins = config.n_mels // config.patch_size >> (len(config.depths) - 1)  # mel rows of the last map
    return {
        f"{theirs}tscam_conv.weight": (classes, config.dims[-1], bins, 3),
        f"{theirs}tscam_conv.bias": (classes,),
        f"{theirs}head.weight": (classes, classes),
        f"{theirs}head.bias": (classes,),
    }


def _block(theirs: str, ours: str) -> list[Pair]:
    return [
        *linear(f"{theirs}.norm1", f"{ours}.norm1"),
        *same(f"{theirs}.attn.relative_position_bias_table", f"{ours}.attention.relative_bias"),
        *linear(f"{theirs}.attn.qkv", f"{ours}.attention.qkv"),
        *linear(f"{theirs}.attn.proj", f"{ours}.attention.proj"),
        *linear(f"{theirs}.norm2", f"{ours}.norm2"),
        *linear(f"{theirs}.mlp.fc1", f"{ours}.mlp.0"),
        *linear(f"{theirs}.mlp.fc2", f"{ours}.mlp.2"),
    ]


def _side(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """Tokens on a side of the first stage's grid, which only the masks of rolled windows tell."""
    for name, mask in tensors.items():
        found = re.fullmatch(rf"{re.escape(prefix)}layers\.(\d+)\.blocks\.\d+\.attn_mask", name)
        if found and mask.ndim == 3:
            windows, window = math.isqrt(mask.shape[0]), math.isqrt(mask.shape[1])
            return windows * window << int(found[1])
    raise CheckpointError(
        f"the audio encoder is an HTSAT, but no tensor {prefix}layers.….attn_mask says how large its grid is"
    )
