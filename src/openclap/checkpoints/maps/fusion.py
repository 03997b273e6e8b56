"""Names of LAION-CLAP's feature fusion there and here, for both kinds of audio encoder; kinds found from the names."""

from __future__ import annotations

from collections.abc import Collection

from openclap.checkpoints.maps.rules import Pair, batch_norm, linear, same
from openclap.models.layers.fusion import FusionKind

_ATTENTIONS = {"local_att": "local_attention", "global_att": "global_attention"}


def fusion_kind(names: Collection[str], prefix: str, place_2d: str, *, four_channels: bool) -> FusionKind:
    """How an encoder fuses views, from the tensors that it has.

    Args:
        names: of all tensors.
        prefix: what stands before the encoder's.
        place_2d: where, after the prefix, the 2-D fusion stands ("patch_embed." or "").
        four_channels: whether the first convolution takes four views at once.
    """
    if four_channels:
        return "channel-map"
    for place, conv, one, two, plain in (
        ("", "mel_conv1d.", "aff-1d", "iaff-1d", "daf-1d"),
        (place_2d, "mel_conv2d.", "aff-2d", "iaff-2d", "daf-2d"),
    ):
        if any(name.startswith(f"{prefix}{place}{conv}") for name in names):
            model = f"{prefix}{place}fusion_model."
            if f"{model}local_att2.0.weight" in names:
                return two  # type: ignore[return-value]
            return one if f"{model}local_att.0.weight" in names else plain  # type: ignore[return-value]
    return "none"


def blend_pairs(kind: FusionKind, theirs: str, ours: str) -> list[Pair]:
    """The attention of a blend: convolutions of one place there, linear maps here; addition has none."""
    if not kind.startswith(("aff", "iaff")):
        return []
    spread = (1,) if kind.endswith("1d") else (1, 1)
    rounds = ("", "2") if kind.startswith("iaff") else ("",)
    pairs: list[Pair] = []
    for again in rounds:
        for there, here in _ATTENTIONS.items():
            # The global attention begins with an averaging, which takes a number and has no weights.
            first = 1 if there == "global_att" else 0
            before, after = f"{theirs}.{there}{again}", f"{ours}.{here}{again and '_2'}"
            for offset, name in ((0, "squeeze"), (3, "expand")):
                place = first + offset
                pairs += conv(f"{before}.{place}", f"{after}.{name}", spread)
                pairs += batch_norm(f"{before}.{place + 1}", f"{after}.{name}_norm")
    return pairs


def frame_fusion_pairs(kind: FusionKind, theirs: str, ours: str) -> list[Pair]:
    """The 1-D fusion, which both kinds of encoder have alike; `theirs` and `ours` end in a dot or are empty."""
    return [
        *linear(f"{theirs}mel_conv1d.0", f"{ours}fusion.conv"),
        *batch_norm(f"{theirs}mel_conv1d.1", f"{ours}fusion.norm"),
        *blend_pairs(kind, f"{theirs}fusion_model", f"{ours}fusion.blend"),
    ]


def conv(theirs: str, ours: str, spread: tuple[int, ...]) -> list[Pair]:
    """A convolution there with kernels of (channels, *spread) values, a linear map over the same values here."""
    return [Pair((f"{theirs}.weight",), (f"{ours}.weight",), kernel=(-1, *spread)), *same(theirs, ours, "bias")]
