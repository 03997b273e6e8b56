"""AudioMAE's files (.pth): the encoder, and after pre-training its decoder, to `Vit` and `MaeDecoder` and back.

Source of the names: AudioMAE's public code, `models_mae.py`, `models_vit.py` and `timm_patch/swin_transformer.py` of
github.com/facebookresearch/AudioMAE; its issue 12 lists the same names in the released pre-trained file. No file of
theirs was at hand, so that no values were compared. An encoder alone is no CLAP model: `openclap.load` refuses it and
says where it belongs, which is the start of a training, by `audio_init`.

What a file does not say is taken as published: heads 64 wide in the encoder, 16 heads in the decoder, windows that
shift, 128 mel bins. Its table of positions must be one that the encoder here can make.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, get_args

import torch
from torch import Tensor

from openclap.atomic import file_written_whole
from openclap.checkpoints.adapter import Source, adapters
from openclap.checkpoints.differences import differences
from openclap.checkpoints.maps.rules import Fixed, Pair, count, has_value, linear, same, to_ours, to_theirs
from openclap.checkpoints.native import Bundle
from openclap.checkpoints.pickles import write_pickle
from openclap.checkpoints.weights import WithoutRandomFill, put_weights
from openclap.errors import CheckpointError, ConfigError
from openclap.models.audio.vit import VIT_SIZES, Vit, VitConfig
from openclap.models.clap import EncoderConfig
from openclap.models.layers.positions import Positions, position_table
from openclap.models.mae_decoder import MaeDecoder, MaeDecoderConfig

_COLUMNS = 64  # of the published 1024 frames
_MELS, _PATCH, _DECODER_HEADS = 128, 16, 16
_ROWS = _MELS // _PATCH
_ROUNDING = 1e-5  # sines of numpy and torch, in float32
_DECODER_NAMES = ("decoder_", "mask_token")
_HEAD = ("head.weight", "head.bias")


@dataclass(frozen=True, eq=False)
class AudioMae:
    """What an AudioMAE file holds.

    Attributes:
        encoder: the full options of its ViT.
        encoder_state: the ViT's weights, by their names here.
        decoder: the decoder, of a file from pre-training.
        decoder_state: the decoder's weights, by their names here.
        unused: the classifier of a fine-tuned file, under its names there.
    """

    encoder: EncoderConfig
    encoder_state: Mapping[str, Tensor]
    decoder: MaeDecoderConfig | None = None
    decoder_state: Mapping[str, Tensor] = field(default_factory=dict)
    unused: Mapping[str, Tensor] = field(default_factory=dict)

    def build(self) -> tuple[Vit, MaeDecoder | None]:
        """The encoder and the decoder with their weights, in evaluation mode.

        Raises:
            CheckpointError: if a tensor is misshapen.
        """
        with WithoutRandomFill():
            encoder = Vit(VitConfig(**self.encoder.options))
            decoder = None if self.decoder is None else MaeDecoder(self.decoder)
        put_weights(encoder, self.encoder_state, "AudioMAE's encoder")
        if decoder is not None:
            put_weights(decoder.eval(), self.decoder_state, "AudioMAE's decoder")
        return encoder.eval(), decoder


def read_audiomae(source: Source) -> AudioMae:
    """The encoder in an AudioMAE file, and its decoder if it has one.

    Raises:
        CheckpointError: if a tensor is missing, left over or misshapen, or the positions are others than the two that
            a ViT here can have; names it.
    """
    try:
        return _read(source.weights(), source.path)
    except (IndexError, TypeError, ConfigError) as error:
        raise CheckpointError(f"{source.path}: its tensors have not the shapes of an AudioMAE ({error})") from error


def write_audiomae(
    path: Path, encoder: Vit, decoder: MaeDecoder | None = None, unused: Mapping[str, Tensor] | None = None
) -> None:
    """Write a file that AudioMAE's own code loads, with the table of positions for 1024 frames.

    Args:
        path: of the file.
        encoder: one that its code can build: with a CLS token, for one.
        decoder: of the same kind of positions.
        unused: what `read_audiomae` found besides.

    Raises:
        CheckpointError: if AudioMAE's code cannot build the encoder or the decoder; says why.
    """
    config = encoder.config
    shape = (1, 1 + _COLUMNS * _ROWS, config.dim)
    tensors = to_theirs(
        encoder.state_dict(),
        _encoder_pairs(config.depth, "norm" if config.norm == "tokens" else "fc_norm"),
        [_fixed("pos_embed", shape, config.positions)],
    )
    known = _encoder_config(tensors, path)
    wrong = differences(config.plain(), known.options)
    if decoder is not None:
        fixed = [_fixed("decoder_pos_embed", (*shape[:2], decoder.config.dim), config.positions)]
        tensors |= to_theirs(decoder.state_dict(), _decoder_pairs(decoder.config), fixed)
        wrong += differences(decoder.config.plain(), _decoder_config(tensors, known, path).plain())
    if wrong:
        raise CheckpointError(f"{path}: the model has no place in AudioMAE's format: {'; '.join(wrong)}")
    tensors |= unused or {}
    with file_written_whole(path) as fresh:
        write_pickle({"model": {name: value.cpu().contiguous() for name, value in tensors.items()}}, fresh)


class AudioMaeAdapter:
    """AudioMAE's `.pth`, which is no CLAP: it is recognised, and what it is good for is said."""

    title = "AudioMAE"
    extension = ".pth"

    def recognises(self, source: Source) -> bool:
        """Whether it has a ViT's tensors under their names in AudioMAE."""
        return {"cls_token", "pos_embed", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight"} <= source.names

    def read(self, source: Source, tokenizer: str | Path | None) -> NoReturn:  # noqa: ARG002
        """Refuses: the file holds no text encoder; see `read_audiomae`."""
        raise CheckpointError(
            f"{source.path}: is recognised as an AudioMAE audio encoder, which knows no text: start a training from it "
            f"with audio_init.source={source.path}"
        )

    def write(self, bundle: Bundle, path: Path) -> NoReturn:  # noqa: ARG002
        """Refuses: the format has no text encoder; see `write_audiomae`."""
        raise CheckpointError(
            f"{path}: AudioMAE's format has no place for a text encoder; its ViT alone is written by "
            "openclap.checkpoints.adapters.audiomae.write_audiomae"
        )


adapters.add("audiomae", AudioMaeAdapter())


def _read(tensors: Mapping[str, Tensor], origin: Path) -> AudioMae:
    encoder = _encoder_config(tensors, origin)
    depth, norm, positions = (encoder.options[key] for key in ("depth", "norm", "positions"))
    mine = {name: value for name, value in tensors.items() if not name.startswith(_DECODER_NAMES)}
    pairs = _encoder_pairs(depth, "norm" if norm == "tokens" else "fc_norm")
    state, unused = to_ours(mine, pairs, [_fixed("pos_embed", mine["pos_embed"].shape, positions)], _HEAD, origin)
    if mine.keys() == tensors.keys():
        return AudioMae(encoder, state, unused=unused)
    rest = {name: value for name, value in tensors.items() if name not in mine}
    decoder = _decoder_config(rest, encoder, origin)
    fixed = [_fixed("decoder_pos_embed", rest["decoder_pos_embed"].shape, positions)]
    decoder_state, _ = to_ours(rest, _decoder_pairs(decoder), fixed, (), origin)
    return AudioMae(encoder, state, decoder, decoder_state, unused)


def _encoder_config(tensors: Mapping[str, Tensor], origin: Path) -> EncoderConfig:
    kernel, depth = tensors["patch_embed.proj.weight"], count(tensors, "blocks.")
    dim = len(kernel)
    sizes = [name for name, size in VIT_SIZES.items() if size["dim"] == dim]
    if not sizes or tuple(kernel.shape[1:]) != (1, _PATCH, _PATCH):
        raise CheckpointError(
            f"{origin}: patch_embed.proj.weight has the shape {tuple(kernel.shape)}, but AudioMAE's has (width, 1, 16, "
            "16), with one of the widths of the registered ViTs: this may be a ViT of pictures"
        )
    options: dict[str, Any] = {
        "dim": dim,
        "depth": depth,
        "heads": VIT_SIZES[sizes[0]]["heads"],
        "mlp_ratio": len(_get(tensors, "blocks.0.mlp.fc1.weight", origin)) / dim,
        "n_mels": _MELS,
        "patch_size": _PATCH,
        "positions": _positions(tensors["pos_embed"], origin),
        "cls_token": True,
        "norm": "pooled" if "fc_norm.weight" in tensors else "tokens",
    }
    VitConfig.read(options, origin="its encoder")  # drop_path is left open: it is training's choice
    return EncoderConfig(name=sizes[0], options=options)


def _decoder_config(tensors: Mapping[str, Tensor], encoder: EncoderConfig, origin: Path) -> MaeDecoderConfig:
    embed = _get(tensors, "decoder_embed.weight", origin)
    _get(tensors, "decoder_pos_embed", origin)
    windows = "decoder_blocks.0.attn.tau" in tensors
    return MaeDecoderConfig.read(
        {
            "encoder_dim": embed.shape[1],
            "dim": len(embed),
            "depth": count(tensors, "decoder_blocks."),
            "heads": len(tensors["decoder_blocks.0.attn.tau"]) if windows else _DECODER_HEADS,
            "mlp_ratio": len(_get(tensors, "decoder_blocks.0.mlp.fc1.weight", origin)) / len(embed),
            "blocks": "windows" if windows else "global",
            "patch_pixels": len(_get(tensors, "decoder_pred.weight", origin)),
            "rows": _ROWS,
            "positions": encoder.options["positions"],
            "cls_token": True,
        },
        origin="its decoder",
    )


def _positions(found: Tensor, origin: Path) -> Positions:
    """Which kind of positions a file was trained with."""
    kinds: tuple[Positions, ...] = get_args(Positions)
    for kind in kinds:
        made = _table(found.shape, kind) if found.ndim == 3 and found.shape[-1] % 4 == 0 else None
        if made is not None and has_value(found, made, _ROUNDING):
            return kind
    raise CheckpointError(
        f"{origin}: pos_embed {tuple(found.shape)} holds neither of the fixed tables of 16×16 patches without overlap "
        f"over {_MELS} mel bins ({', '.join(kinds)}): it was made for overlapping patches, another "
        "length, or learnt"
    )


def _fixed(name: str, shape: Sequence[int], kind: Positions) -> Fixed:
    return Fixed(name, partial(_table, shape, kind), tolerance=_ROUNDING)


def _table(shape: Sequence[int], kind: Positions) -> Tensor:
    """A table as the file has it: a row of zeros for the CLS token, then the patches."""
    patches = position_table(kind, shape[-2] - 1, _ROWS, shape[-1])
    return torch.cat([torch.zeros(1, shape[-1]), patches])[None]


def _encoder_pairs(depth: int, norm: str) -> list[Pair]:
    return [
        Pair(("patch_embed.proj.weight",), ("patch_embed.weight",), kernel=(1, _PATCH, _PATCH)),
        *same("patch_embed.proj", "patch_embed", "bias"),
        *same("cls_token", "cls_token"),
        *(pair for block in range(depth) for pair in _block_pairs(f"blocks.{block}", f"blocks.{block}")),
        *linear(norm, "norm"),
    ]


def _decoder_pairs(config: MaeDecoderConfig) -> list[Pair]:
    block_pairs: Callable[[str, str], list[Pair]] = _window_pairs if config.blocks == "windows" else _block_pairs
    return [
        *linear("decoder_embed", "embed"),
        *same("mask_token", "mask_token"),
        *(pair for index in range(config.depth) for pair in block_pairs(f"decoder_blocks.{index}", f"blocks.{index}")),
        *linear("decoder_norm", "norm"),
        *linear("decoder_pred", "predict"),
    ]


def _window_pairs(theirs: str, ours: str) -> list[Pair]:
    return [
        *_block_pairs(theirs, ours),
        *same(f"{theirs}.attn.tau", f"{ours}.attention.temperature"),
        *linear(f"{theirs}.attn.meta_mlp.fc1", f"{ours}.attention.bias_mlp.0"),
        *linear(f"{theirs}.attn.meta_mlp.fc2", f"{ours}.attention.bias_mlp.3"),
    ]


def _block_pairs(theirs: str, ours: str) -> list[Pair]:
    return [
        *linear(f"{theirs}.norm1", f"{ours}.norm1"),
        *linear(f"{theirs}.attn.qkv", f"{ours}.attention.qkv"),
        *linear(f"{theirs}.attn.proj", f"{ours}.attention.proj"),
        *linear(f"{theirs}.norm2", f"{ours}.norm2"),
        *linear(f"{theirs}.mlp.fc1", f"{ours}.mlp.0"),
        *linear(f"{theirs}.mlp.fc2", f"{ours}.mlp.2"),
    ]


def _get(tensors: Mapping[str, Tensor], name: str, origin: Path) -> Tensor:
    if name not in tensors:
        raise CheckpointError(f"{origin}: lacks {name}, without which it is no AudioMAE")
    return tensors[name]
