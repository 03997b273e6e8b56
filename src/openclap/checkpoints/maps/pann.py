"""PANNs' tensors in LAION-CLAP's and MS-CLAP's files, and in ours; CNN14, CNN10 or CNN6 from the tensors' shapes.

Source of the names: the public code of both (`pann_model.py`, `audio.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from openclap.checkpoints.maps.fusion import blend_pairs, frame_fusion_pairs, fusion_kind
from openclap.checkpoints.maps.rules import Pair, batch_norm, count, linear, same
from openclap.errors import CheckpointError
from openclap.models.audio.pann import PannConfig
from openclap.models.clap import EncoderConfig

_REGISTERED = {(2, 5): "pann-cnn10", (1, 4): "pann-cnn6"}  # by convolutions a block, and blocks


def read_pann_config(tensors: Mapping[str, Tensor], prefix: str) -> PannConfig:
    """The geometry of the PANN whose tensors' names begin with `prefix`.

    Blocks of two convolutions are CNN14's or CNN10's, blocks of one CNN6's; where there are six, the last averages
    nothing, which no tensor says.

    Raises:
        CheckpointError: if a tensor that says it is missing.
        ConfigError: if the sizes do not fit each other.
    """
    blocks = count(tensors, f"{prefix}conv_block")
    try:
        kernels = [tensors[f"{prefix}conv_block{number}.conv1.weight"] for number in range(1, blocks + 1)]
        n_mels = len(tensors[f"{prefix}bn0.weight"])
        first = kernels[0]
    except (KeyError, IndexError) as error:
        raise CheckpointError(f"the audio encoder is a PANN, but has no {error}, which says how large it is") from error
    return PannConfig.read(
        {
            "channels": tuple(len(kernel) for kernel in kernels),
            "pools": tuple(1 if number == 5 else 2 for number in range(blocks)),
            "convs": 2 if f"{prefix}conv_block1.conv2.weight" in tensors else 1,
            "kernel_size": first.shape[-1],
            "n_mels": n_mels,
            "fusion": fusion_kind(tensors, prefix, "", four_channels=first.shape[1] == 4),
        },
        origin="the PANN's tensors",
    )


def pann_encoder(config: PannConfig) -> EncoderConfig:
    """What builds a PANN here, by the name of its size; other sizes go as "pann-cnn14" with options."""
    name = _REGISTERED.get((config.convs, len(config.channels)), "pann-cnn14")
    return EncoderConfig(name=name, options=config.plain())


def pann_pairs(config: PannConfig, theirs: str, ours: str) -> list[Pair]:
    """Every tensor of a PANN there and here; both prefixes end in a dot or are empty."""
    pairs = [*batch_norm(f"{theirs}bn0", f"{ours}mel_norm"), *linear(f"{theirs}fc1", f"{ours}head")]
    for block in range(len(config.channels)):
        for layer in range(config.convs):
            there, here = f"{theirs}conv_block{block + 1}", f"{ours}blocks.{block}.layers.{layer}"
            pairs += same(f"{there}.conv{layer + 1}", f"{here}.conv", "weight")
            pairs += batch_norm(f"{there}.bn{layer + 1}", f"{here}.norm")
    if config.fusion.endswith("1d"):
        pairs += frame_fusion_pairs(config.fusion, theirs, ours)
    elif config.fusion.endswith("2d"):
        pairs += linear(f"{theirs}mel_conv2d.0", f"{ours}fusion.conv")
        pairs += batch_norm(f"{theirs}mel_conv2d.1", f"{ours}fusion.norm")
        pairs += blend_pairs(config.fusion, f"{theirs}fusion_model", f"{ours}fusion.blend")
    return pairs


def pann_heads(config: PannConfig, theirs: str, classes: int = 527) -> dict[str, tuple[int, ...]]:
    """Name and shape of each tensor of the AudioSet heads."""
    return {f"{theirs}fc_audioset.weight": (classes, config.channels[-1]), f"{theirs}fc_audioset.bias": (classes,)}
