from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from openclap.checkpoints.adapters.audiomae import read_audiomae, write_audiomae
from openclap.checkpoints.load import load, recognise
from openclap.checkpoints.pretrained_audio import AudioInit, load_audio, merge_audio
from openclap.checkpoints.source import open_file
from openclap.errors import CheckpointError, ConfigError
from openclap.models.audio.vit import Vit
from openclap.models.clap import EncoderConfig
from openclap.models.mae_decoder import MaeDecoder, MaeDecoderConfig
from openclap.models.zoo import audio_encoders

DIM, DECODER_DIM = 32, 16


def table(dim: int, height: int = 8, width: int = 64) -> Tensor:
    """What AudioMAE's pre-training builds for its 64 times of 8 bands: it asks for 8 rows of 64."""
    frequency = [10000 ** (-i / (dim // 4)) for i in range(dim // 4)]
    rows = [[0.0] * dim]
    for y in range(height):
        for x in range(width):
            halves = [[wave(place * f) for wave in (math.sin, math.cos) for f in frequency] for place in (x, y)]
            rows.append(halves[0] + halves[1])
    return torch.tensor(rows)[None]


def block(prefix: str, dim: int, windows: bool = False) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "norm1.weight": (dim,), "norm1.bias": (dim,), "norm2.weight": (dim,), "norm2.bias": (dim,),
        "attn.qkv.weight": (3 * dim, dim), "attn.qkv.bias": (3 * dim,),
        "attn.proj.weight": (dim, dim), "attn.proj.bias": (dim,),
        "mlp.fc1.weight": (4 * dim, dim), "mlp.fc1.bias": (4 * dim,),
        "mlp.fc2.weight": (dim, 4 * dim), "mlp.fc2.bias": (dim,),
    }  # fmt: skip
    if windows:
        shapes |= {
            "attn.tau": (2,), "attn.meta_mlp.fc1.weight": (384, 2), "attn.meta_mlp.fc1.bias": (384,),
            "attn.meta_mlp.fc2.weight": (2, 384), "attn.meta_mlp.fc2.bias": (2,),
        }  # fmt: skip
    return {f"{prefix}.{name}": shape for name, shape in shapes.items()}


def published(kind: str) -> dict[str, Tensor]:
    """A state dict by the names and shapes of AudioMAE's own modules, of a micro size."""
    shapes = {"cls_token": (1, 1, DIM), "patch_embed.proj.weight": (DIM, 1, 16, 16), "patch_embed.proj.bias": (DIM,)}
    shapes |= block("blocks.0", DIM) | block("blocks.1", DIM)
    if kind == "fine-tuned":
        shapes |= {"fc_norm.weight": (DIM,), "fc_norm.bias": (DIM,), "head.weight": (527, DIM), "head.bias": (527,)}
    else:
        windows = kind == "windows"
        shapes |= {
            "norm.weight": (DIM,), "norm.bias": (DIM,), "mask_token": (1, 1, DECODER_DIM),
            "decoder_embed.weight": (DECODER_DIM, DIM), "decoder_embed.bias": (DECODER_DIM,),
            "decoder_norm.weight": (DECODER_DIM,), "decoder_norm.bias": (DECODER_DIM,),
            "decoder_pred.weight": (256, DECODER_DIM), "decoder_pred.bias": (256,),
        }  # fmt: skip
        shapes |= block("decoder_blocks.0", DECODER_DIM, windows) | block("decoder_blocks.1", DECODER_DIM, windows)
    generator = torch.Generator().manual_seed(0)
    state = {name: torch.randn(shape, generator=generator) * 0.3 for name, shape in shapes.items()}
    state["pos_embed"] = table(DIM)
    if kind != "fine-tuned":
        state["decoder_pos_embed"] = table(DECODER_DIM)
    return state


def save(state: dict[str, Tensor], folder: Path) -> Path:
    """A file as its training script writes it, baggage included."""
    path = folder / "checkpoint-30.pth"
    torch.save({"model": state, "epoch": 30, "args": argparse.Namespace(lr=1e-3), "scaler": {"scale": 2.0}}, path)
    return path


@torch.no_grad()
@pytest.mark.parametrize("kind", ["global", "windows", "fine-tuned"])
def test_what_was_read_is_written_again_as_it_was(kind: str, tmp_path: Path) -> None:
    state = published(kind)
    mae = read_audiomae(open_file(save(state, tmp_path)))
    assert mae.encoder.name == "vit-micro"
    vit, decoder = mae.build()
    write_audiomae(tmp_path / "again.pth", vit, decoder, mae.unused)
    again = torch.load(tmp_path / "again.pth")["model"]
    assert again.keys() == state.keys()
    for name, value in state.items():
        torch.testing.assert_close(again[name], value, rtol=0, atol=1e-5 if "pos_embed" in name else 0)


@torch.no_grad()
def test_the_encoder_computes_what_its_own_project_computes(tmp_path: Path) -> None:
    """Embedding by a convolution, torch's attention, and the mean of the fine-tuned form, from the published names."""
    state = published("fine-tuned")
    vit, _ = read_audiomae(open_file(save(state, tmp_path))).build()
    features = torch.randn(1, 1, 1024, 128, generator=torch.Generator().manual_seed(1))
    x = nn.functional.conv2d(features, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=16)
    tokens = x.flatten(2).transpose(1, 2) + state["pos_embed"][:, 1:]
    tokens = torch.cat([state["cls_token"] + state["pos_embed"][:, :1], tokens], dim=1)
    for i in (0, 1):
        own = {name.removeprefix(f"blocks.{i}."): value for name, value in state.items() if f"blocks.{i}." in name}
        layer = nn.TransformerEncoderLayer(
            DIM, 2, 4 * DIM, dropout=0, activation="gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True
        )
        theirs = {"self_attn.in_proj_": "attn.qkv.", "self_attn.out_proj.": "attn.proj.", "linear1.": "mlp.fc1.",
                  "linear2.": "mlp.fc2.", "norm1.": "norm1.", "norm2.": "norm2."}  # fmt: skip
        layer.load_state_dict({f"{k}{end}": own[f"{v}{end}"] for k, v in theirs.items() for end in ("weight", "bias")})
        tokens = layer.eval()(tokens)
    pooled = nn.functional.layer_norm(
        tokens[:, 1:].mean(dim=1), (DIM,), state["fc_norm.weight"], state["fc_norm.bias"], 1e-6
    )
    torch.testing.assert_close(vit(features).pooled, pooled, atol=1e-5, rtol=1e-5)  # float32 sums in another order


def test_the_form_of_the_file_decides_the_encoder_and_the_decoder(tmp_path: Path) -> None:
    tuned = read_audiomae(open_file(save(published("fine-tuned"), tmp_path)))
    assert tuned.encoder.options["norm"] == "pooled"
    assert tuned.decoder is None
    assert tuned.unused.keys() == {"head.weight", "head.bias"}
    trained = read_audiomae(open_file(save(published("windows"), tmp_path)))
    assert trained.encoder.options["norm"] == "tokens"
    assert trained.encoder.options["cls_token"] is True
    assert trained.encoder.options["positions"] == "audiomae"
    assert trained.decoder is not None
    assert trained.decoder.blocks == "windows"
    assert trained.decoder.heads == 2
    assert read_audiomae(open_file(save(published("global"), tmp_path))).decoder.blocks == "global"  # type: ignore[union-attr]


def test_a_file_with_the_positions_of_the_true_grid_is_read_as_such(tmp_path: Path) -> None:
    state = published("fine-tuned") | {"pos_embed": table(DIM, height=64, width=8)}
    assert read_audiomae(open_file(save(state, tmp_path))).encoder.options["positions"] == "grid"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"pos_embed": table(DIM) + 1e-3}, r"pos_embed \(1, 513, 32\) holds neither"),
        ({"pos_embed": torch.zeros(1, 1213, DIM)}, r"pos_embed \(1, 1213, 32\).*overlapping patches"),
        ({"pos_embed": torch.zeros(DIM)}, r"pos_embed \(32,\) holds neither"),
        ({"decoder_embed.weight": torch.zeros(DECODER_DIM)}, "not the shapes of an AudioMAE"),
        ({"decoder_pos_embed": table(DECODER_DIM, 64, 8)}, "decoder_pos_embed"),
        ({"patch_embed.proj.weight": torch.zeros(DIM, 3, 16, 16)}, r"\(32, 3, 16, 16\).*ViT of pictures"),
        ({"patch_embed.proj.weight": torch.zeros(40, 1, 16, 16)}, r"\(40, 1, 16, 16\)"),
        ({"blocks.1.norm1.bias": None}, r"missing blocks\.1\.norm1\.bias"),
        ({"blocks.0.attn.extra": torch.zeros(1)}, r"left over, and of no known use, blocks\.0\.attn\.extra"),
        ({"decoder_blocks.1.attn.tau": None}, r"missing decoder_blocks\.1\.attn\.tau"),
        ({"decoder_pred.weight": None}, r"decoder_pred\.weight"),
        ({"norm.bias": torch.zeros(7)}, r"AudioMAE's encoder.*norm\.bias \(\(7,\)"),
        ({"mask_token": torch.zeros(1, 1, 7)}, r"AudioMAE's decoder.*mask_token"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    state = {name: value for name, value in (published("windows") | change).items() if value is not None}
    with pytest.raises(CheckpointError, match=told):
        read_audiomae(open_file(save(state, tmp_path))).build()


def test_it_is_recognised_and_told_that_it_is_no_whole_model(tmp_path: Path) -> None:
    path = save(published("windows"), tmp_path)
    assert recognise(open_file(path)) == "audiomae"
    with pytest.raises(CheckpointError, match=r"AudioMAE audio encoder, which knows no text.*audio_init\.source"):
        load(path)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"cls_token": False}, "lacks cls_token"),
        ({"n_mels": 64}, "n_mels is 64, and there 128"),
        ({"heads": 4}, "heads is 4, and there 2"),
    ],
)
def test_an_encoder_without_a_place_there_is_not_written(options: dict[str, Any], told: str, tmp_path: Path) -> None:
    vit = audio_encoders.get("vit-micro")(**{"cls_token": True, **options})
    assert isinstance(vit, Vit)
    with pytest.raises(CheckpointError, match=told):
        write_audiomae(tmp_path / "x.pth", vit)
    assert not (tmp_path / "x.pth").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"cls_token": False}, "cls_token is False, and there True"),
        ({"positions": "audiomae"}, "positions is 'audiomae', and there 'grid'"),
        ({"blocks": "global", "heads": 8}, "heads is 8, and there 16"),
    ],
)
def test_a_decoder_without_a_place_there_is_not_written(options: dict[str, Any], told: str, tmp_path: Path) -> None:
    vit = audio_encoders.get("vit-micro")(cls_token=True)
    assert isinstance(vit, Vit)
    small = {"encoder_dim": DIM, "dim": DECODER_DIM, "depth": 1, "cls_token": True}
    decoder = MaeDecoder(MaeDecoderConfig.read(small | options))
    with pytest.raises(CheckpointError, match=told):
        write_audiomae(tmp_path / "x.pth", vit, decoder)


def test_a_tower_starts_from_it_and_keeps_what_it_asks_of_training(tmp_path: Path) -> None:
    pretrained = load_audio(AudioInit(source=str(save(published("windows"), tmp_path))))
    merged = merge_audio(pretrained, EncoderConfig(name="vit-micro", options={"drop_path": 0.1}))
    assert merged.options["drop_path"] == 0.1
    assert merged.options["positions"] == "audiomae"
    with pytest.raises(ConfigError, match=r"model\.audio\.name is 'vit-base', but audio_init brings 'vit-micro'"):
        merge_audio(pretrained, EncoderConfig(name="vit-base"))
    with pytest.raises(ConfigError, match=r"options\.positions is 'grid', but the weights .* 'audiomae'"):
        merge_audio(pretrained, EncoderConfig(name="vit-micro", options={"positions": "grid"}))


def test_a_tower_starts_from_that_of_a_whole_model(bundle: Any, tmp_path: Path) -> None:
    from openclap.checkpoints.native import save_bundle

    source = save_bundle(bundle, tmp_path / "model")
    pretrained = load_audio(AudioInit(source=str(source)))
    merged = merge_audio(pretrained, EncoderConfig(name="htsat-micro", options={"depths": (1, 1, 1)}))
    encoder = audio_encoders.get(merged.name)(**merged.options)
    assert isinstance(encoder, nn.Module)
    encoder.load_state_dict(dict(pretrained.state))
    expected = bundle.model.audio_encoder.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in encoder.state_dict().items())
