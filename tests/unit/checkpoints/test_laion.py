"""LAION-CLAP's files: what openclap writes it reads back whole, and whatever does not fit is named."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from torch import Tensor

from openclap.audio.filter_bank import mel_filter_bank
from openclap.audio.frontend import FRONTEND_PRESETS, Frontend
from openclap.checkpoints.adapter import adapters
from openclap.checkpoints.load import load
from openclap.checkpoints.native import Bundle, load_bundle, save_bundle
from openclap.checkpoints.pickles import read_pickle, write_pickle
from openclap.checkpoints.weights import write_tensors
from openclap.errors import CheckpointError
from openclap.inference.embedder import Embedder
from openclap.models.clap import Clap, ClapConfig

Small = Callable[..., Bundle]
LAION = adapters.get("laion")
FUSIONS = ["none", "channel-map", "daf-1d", "aff-1d", "iaff-1d", "daf-2d", "aff-2d", "iaff-2d"]


def written(bundle: Bundle, tmp_path: Path) -> dict[str, Tensor]:
    LAION.write(bundle, tmp_path / "laion.pt")
    return read_pickle(tmp_path / "laion.pt")


def saved(tensors: dict[str, Tensor], tmp_path: Path, **baggage: Any) -> Path:
    """A file as LAION-CLAP's trainer writes it."""
    state = {f"module.{name}": value for name, value in tensors.items()}
    torch.save({"epoch": 3, "state_dict": state, **baggage}, tmp_path / "theirs.pt")
    return tmp_path / "theirs.pt"


def same_state(found: Bundle, expected: Bundle) -> bool:
    ours, theirs = found.model.state_dict(), expected.model.state_dict()
    return ours.keys() == theirs.keys() and all(ours[name].equal(value) for name, value in theirs.items())


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("audio", ["htsat-tiny", "pann-micro"])
def test_every_kind_of_fusion_comes_back_as_it_went(
    small: Small, words: Path, tmp_path: Path, audio: str, fusion: str
) -> None:
    bundle = small(audio, fusion=fusion)
    found = load(saved(written(bundle, tmp_path), tmp_path), tokenizer=words)
    assert same_state(found, bundle)
    assert found.config.frontend == bundle.config.frontend
    assert not found.model.training


@pytest.mark.parametrize("text", ["roberta", "bert", "clip", "bart"])
def test_every_text_encoder_comes_back_as_it_went(
    small: Small, words: Path, tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = small(text=text)
    tensors = written(bundle, tmp_path)
    if text == "clip":  # its frame is the two last ids, which the tests' tokenizer has not
        monkeypatch.setattr("openclap.checkpoints.adapters.laion.find_tokenizer", lambda *_: replace(bundle).tokenizer)
    found = load(saved(tensors, tmp_path), tokenizer=words)
    assert same_state(found, bundle)
    assert found.model.text_encoder.pooling == bundle.model.text_encoder.pooling


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_a_file_in_another_precision_is_the_same_model(
    small: Small, words: Path, tmp_path: Path, kind: torch.dtype
) -> None:
    bundle = small()
    tensors = written(bundle, tmp_path)
    rounded = {name: value.to(kind) if value.is_floating_point() else value for name, value in tensors.items()}
    found = load(saved(rounded, tmp_path), tokenizer=words)
    assert found.config.frontend == bundle.config.frontend
    for name, value in found.model.state_dict().items():
        assert value.equal(bundle.model.state_dict()[name].to(kind).to(value.dtype)), name


def test_filters_of_another_limit_are_refused_in_16_bits_too(small: Small, words: Path, tmp_path: Path) -> None:
    tensors = written(small(), tmp_path)
    tensors["audio_branch.logmel_extractor.melW"] = torch.from_numpy(
        mel_filter_bank(n_mels=64, n_fft=1024, sample_rate_hz=48_000, f_min_hz=50.0, f_max_hz=13_000.0)
    ).to(torch.bfloat16)
    with pytest.raises(CheckpointError, match="filter bank"):
        load(saved(tensors, tmp_path), tokenizer=words)


@pytest.mark.parametrize("shape", [(), (0,), (3,), (0, 0, 0, 0)])
@pytest.mark.parametrize(
    "name", ["audio_projection.0.weight", "audio_branch.patch_embed.proj.weight", "audio_branch.bn0.weight"]
)
def test_a_tensor_of_an_absurd_shape_is_an_error_of_the_file(
    small: Small, words: Path, tmp_path: Path, name: str, shape: tuple[int, ...]
) -> None:
    tensors = written(small(), tmp_path) | {name: torch.zeros(shape)}
    with pytest.raises(CheckpointError, match=r"theirs\.pt"):
        load(saved(tensors, tmp_path), tokenizer=words)


@pytest.mark.parametrize("second_heads", [True, False])
def test_a_model_that_left_and_came_back_has_the_identity_it_had(
    small: Small, words: Path, tmp_path: Path, second_heads: bool
) -> None:
    bundle = small(mlp_heads=second_heads)
    found = load(saved(written(bundle, tmp_path), tmp_path), tokenizer=words)
    assert Embedder.from_bundle(found).identity == Embedder.from_bundle(bundle).identity


@pytest.mark.parametrize(
    ("write", "broken", "error"),
    [
        (write_pickle, "torch.save", RuntimeError("basic_ios::clear: iostream error")),
        (write_tensors, "openclap.checkpoints.weights.save_file", SafetensorError("No space left on device")),
    ],
)
def test_a_full_disk_is_an_error_of_the_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[dict[str, Tensor], Path], None],
    broken: str,
    error: Exception,
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(broken, full)
    with pytest.raises(CheckpointError, match=r"x: cannot be written .* room on the disk"):
        write({"a": torch.zeros(1)}, tmp_path / "x")


def test_a_clip_transformers_query_key_and_value_are_one_tensor_there(small: Small, tmp_path: Path) -> None:
    bundle = small(text="clip")
    whole = written(bundle, tmp_path)["text_branch.resblocks.1.attn.in_proj_weight"]
    attention = bundle.model.text_encoder.backbone.encoder.layers[1].self_attn
    parts = [attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]
    assert whole.equal(torch.cat([part.detach() for part in parts]))


def test_vectors_are_the_same_before_and_after(small: Small, words: Path, tmp_path: Path) -> None:
    bundle = small(fusion="aff-2d")
    found = load(saved(written(bundle, tmp_path), tmp_path), tokenizer=words)
    sound = np.random.default_rng(0).standard_normal(48_000 * 11).astype(np.float32) * 0.1
    vectors = []
    for each in (bundle, found):
        batch = each.frontend.batch([each.frontend.load(sound, sample_rate_hz=48_000)])
        text = each.tokenizer(["a dog barks", ""])
        with torch.inference_mode():
            vectors.append(each.model.encode_audio(each.frontend(batch), batch.is_longer))
            vectors.append(each.model.encode_text(text.input_ids, text.attention_mask))
    assert vectors[0].equal(vectors[2])
    assert vectors[1].equal(vectors[3])


def test_the_names_are_those_that_laion_clap_gives(small: Small, tmp_path: Path) -> None:
    names = written(small(fusion="aff-2d"), tmp_path).keys()
    assert {
        "audio_branch.bn0.num_batches_tracked",
        "audio_branch.layers.0.blocks.1.attn.relative_position_bias_table",
        "audio_branch.layers.0.blocks.1.attn.relative_position_index",
        "audio_branch.layers.0.blocks.1.attn_mask",
        "audio_branch.layers.0.downsample.reduction.weight",
        "audio_branch.logmel_extractor.melW",
        "audio_branch.patch_embed.fusion_model.global_att.4.weight",
        "audio_branch.patch_embed.mel_conv2d.weight",
        "audio_branch.spectrogram_extractor.stft.conv_imag.weight",
        "audio_branch.tscam_conv.weight",
        "audio_transform.sequential.3.bias",
        "logit_scale_a",
        "logit_scale_t",
        "text_branch.embeddings.position_ids",
        "text_branch.pooler.dense.weight",
        "text_projection.2.weight",
    } <= names
    assert "audio_branch.layers.0.blocks.0.attn_mask" not in names  # a block whose windows are not rolled has none


def test_baggage_is_passed_over_and_heads_stay(small: Small, words: Path, tmp_path: Path) -> None:
    tensors = written(small(), tmp_path)
    heads = {
        name: torch.randn_like(value) for name, value in tensors.items() if "tscam_conv" in name or ".head." in name
    }
    path = saved(tensors | heads, tmp_path, optimizer={"lr": np.float64(1e-4)}, name="run")
    found = load(path, tokenizer=words)
    assert found.unused.keys() == heads.keys()
    again = load_bundle(save_bundle(found, tmp_path / "bundle"))
    LAION.write(again, tmp_path / "again.pt")
    left = read_pickle(tmp_path / "again.pt")
    assert left.keys() == tensors.keys()
    assert all(left[name].equal(value) for name, value in (tensors | heads).items())


def test_a_model_without_second_heads_gets_zeros_for_them(small: Small, words: Path, tmp_path: Path) -> None:
    bundle = small(mlp_heads=False)
    tensors = written(bundle, tmp_path)
    assert not tensors["audio_transform.sequential.0.weight"].any()
    assert tensors["logit_scale_t"].equal(tensors["logit_scale_a"])
    bare = {name: value for name, value in tensors.items() if "_transform." not in name}
    found = load(saved(bare, tmp_path), tokenizer=words)
    assert same_state(found, bundle)
    assert "logit_scale_t" in found.unused


def test_buffers_of_older_and_newer_versions_are_taken_and_checked(small: Small, words: Path, tmp_path: Path) -> None:
    tensors, index = written(small(), tmp_path), "audio_branch.layers.0.blocks.0.attn.relative_position_index"
    older = tensors | {"text_branch.embeddings.token_type_ids": torch.zeros(1, 82, dtype=torch.long)}
    newer = {name: value for name, value in tensors.items() if not name.endswith(("position_ids", "position_index"))}
    load(saved(older, tmp_path), tokenizer=words)
    load(saved(newer, tmp_path), tokenizer=words)
    with pytest.raises(CheckpointError, match=re.escape(f"{index} is a table that follows")):
        load(saved(tensors | {index: tensors[index].flip(0)}, tmp_path), tokenizer=words)


@pytest.mark.parametrize("audio", ["htsat-tiny", "pann-micro"])
def test_each_missing_tensor_is_named(small: Small, words: Path, tmp_path: Path, audio: str) -> None:
    bundle = small(audio)
    tensors = written(bundle, tmp_path)
    optional = re.compile(r"_extractor|position_i|attn_mask|tscam|head|fc_audioset|_transform|logit_scale_t|token_type")
    needed = [name for name in tensors if not optional.search(name)]
    for name in needed[:: len(needed) // 12]:
        path = saved({other: value for other, value in tensors.items() if other != name}, tmp_path)
        with pytest.raises(CheckpointError):
            load(path, tokenizer=words)
    lacking = saved({other: value for other, value in tensors.items() if other != "text_projection.2.bias"}, tmp_path)
    with pytest.raises(CheckpointError, match=r"missing text_projection\.2\.bias; left over, .* nothing"):
        load(lacking, tokenizer=words)


def test_a_tensor_too_many_is_named(small: Small, words: Path, tmp_path: Path) -> None:
    path = saved(written(small(), tmp_path) | {"audio_branch.extra": torch.ones(1)}, tmp_path)
    with pytest.raises(CheckpointError, match=r"left over, and of no known use, audio_branch\.extra"):
        load(path, tokenizer=words)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("text_projection.2.bias", (13,)),
        ("audio_branch.patch_embed.proj.bias", (9,)),
        ("audio_branch.norm.weight", (4,)),
    ],
)
def test_a_misshapen_tensor_is_named(
    small: Small, words: Path, tmp_path: Path, name: str, shape: tuple[int, ...]
) -> None:
    path = saved(written(small(), tmp_path) | {name: torch.ones(shape)}, tmp_path)
    with pytest.raises(CheckpointError, match="of another size than the config says"):
        load(path, tokenizer=words)


def test_nan_is_refused_by_name(small: Small, words: Path, tmp_path: Path) -> None:
    tensors = written(small(), tmp_path)
    tensors["audio_branch.norm.bias"] = torch.full((16,), float("nan"))
    with pytest.raises(CheckpointError, match=r"NaN or infinite values in audio_branch\.norm\.bias"):
        load(saved(tensors, tmp_path), tokenizer=words)


@pytest.mark.parametrize(
    ("changes", "mel"),
    [
        ({}, {"f_max_hz": 18_000.0}),
        ({"window_s": 20.0}, {"f_max_hz": 8_000.0, "hop_length": 360}),
        ({}, {"n_fft": 1536, "win_length": 1536}),
    ],
)
@pytest.mark.parametrize("fusion", ["none", "aff-2d"])
def test_the_front_end_is_found_from_the_filters_in_the_file(
    small: Small, words: Path, tmp_path: Path, changes: dict[str, Any], mel: dict[str, Any], fusion: str
) -> None:
    preset = FRONTEND_PRESETS["laion" if fusion == "none" else "laion-fusion"]
    frontend = preset.model_copy(update={**changes, "mel": preset.mel.model_copy(update=mel)})
    bundle = small("pann-micro", fusion=fusion, frontend=frontend)
    assert load(saved(written(bundle, tmp_path), tmp_path), tokenizer=words).config.frontend == frontend


def test_a_file_with_an_unknown_filter_bank_is_refused(small: Small, words: Path, tmp_path: Path) -> None:
    tensors = written(small(), tmp_path)
    tensors["audio_branch.logmel_extractor.melW"] *= 1.01
    with pytest.raises(CheckpointError, match="of none of LAION-CLAP's configs"):
        load(saved(tensors, tmp_path), tokenizer=words)


def test_a_file_without_its_filters_says_that_they_are_assumed(small: Small, words: Path, tmp_path: Path) -> None:
    bare = {name: value for name, value in written(small(), tmp_path).items() if "_extractor" not in name}
    assert str(load(saved(bare, tmp_path), tokenizer=words).provenance["frontend"]).startswith("assumed")


def test_provenance_says_what_was_read(small: Small, words: Path, tmp_path: Path) -> None:
    found = load(saved(written(small(), tmp_path), tmp_path), tokenizer=words)
    assert found.provenance["format"] == "laion"
    assert found.provenance["file"] == "theirs.pt"
    assert re.fullmatch(r"[0-9a-f]{64}", found.provenance["sha256"])


def test_without_a_tokenizer_the_error_says_what_to_give(small: Small, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"carries no tokenizer, .* give tokenizer: a directory"):
        load(saved(written(small(), tmp_path), tmp_path))


def test_another_encoders_tokenizer_is_refused(small: Small, bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    bundle.tokenizer.save(tmp_path / "other")
    with pytest.raises(CheckpointError, match="another encoder's tokenizer: an empty text has the ids"):
        load(saved(written(small(), tmp_path), tmp_path), tokenizer=tmp_path / "other")


def changed(bundle: Bundle, **changes: Any) -> Bundle:
    config = ClapConfig.read(bundle.config.model.plain() | changes)
    return replace(bundle, model=Clap(config), config=bundle.config.model_copy(update={"model": config}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"projection": {"kind": "residual"}}, "projection.kind is 'residual', and there 'mlp'"),
        ({"projection": {"activation": "gelu"}}, "projection.activation is 'gelu', and there 'relu'"),
        ({"projection": {"hidden": 7}}, "projection.hidden is 7"),
        ({"init_logit_bias": -10.0}, "there is a logit_bias"),
        ({"text": None, "mlp_heads": False}, "a model of sound alone has no place"),
        ({"text": {"name": "text-micro", "options": {"vocab_size": 300}}}, "'bert' pooled by 'mean' has no place"),
        (
            {"text": {"name": "text-micro", "options": {"vocab_size": 300, "pooling": "pooler"}}},
            "num_attention_heads is 2, and there 1",
        ),
        ({"audio": {"name": "vit-micro", "options": {}}}, "audio encoder Vit has no place"),
    ],
)
def test_what_has_no_place_there_is_named(small: Small, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=re.escape(message)):
        LAION.write(changed(small(), **changes), tmp_path / "x.pt")
    assert not (tmp_path / "x.pt").exists()


def test_another_front_end_has_no_place_there(small: Small, tmp_path: Path) -> None:
    preset = FRONTEND_PRESETS["laion"]
    other = preset.model_copy(update={"mel": preset.mel.model_copy(update={"top_db": 80.0})})
    with pytest.raises(CheckpointError, match=r"front-end has no place .* mel\.top_db is 80\.0, and there None"):
        LAION.write(replace(small(), frontend=Frontend(other)), tmp_path / "x.pt")


def test_a_directory_is_no_file(small: Small, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is a directory; a LAION-CLAP checkpoint is a file"):
        LAION.write(small(), tmp_path)
