"""Hugging Face ClapModel directories: transformers itself is the judge, on models of a micro size."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import ClapConfig as TheirConfig
from transformers import ClapFeatureExtractor, ClapModel, RobertaTokenizer

from openclap.audio.frontend import FRONTEND_PRESETS, Frontend
from openclap.checkpoints.adapter import adapters
from openclap.checkpoints.load import load
from openclap.checkpoints.native import Bundle
from openclap.errors import CheckpointError
from openclap.models.clap import Clap, ClapConfig

Small = Callable[..., Bundle]
HUGGING_FACE = adapters.get("huggingface")
TEXTS = ["a dog barks", "", "rain! falls on a roof"]


def edit(path: Path, **changes: Any) -> None:
    values = json.loads(path.read_text())
    for key, value in changes.items():
        values[key] = values[key] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(values))


@pytest.fixture
def directory(small: Small, tmp_path: Path) -> Path:
    """A ClapModel without fusion, as openclap writes it."""
    HUGGING_FACE.write(small(), tmp_path / "clap")
    return tmp_path / "clap"


@pytest.mark.parametrize("fusion", ["none", "aff-2d"])
def test_transformers_loads_what_is_written_to_the_same_vectors(small: Small, tmp_path: Path, fusion: str) -> None:
    bundle = small(fusion=fusion)
    HUGGING_FACE.write(bundle, tmp_path / "clap")
    theirs, report = ClapModel.from_pretrained(tmp_path / "clap", output_loading_info=True)
    assert not any(report.values())
    # transformers' features, not ours: 10 s and 960 samples give one place for each third, so nothing is random.
    seconds = (3.0, 10.02) if fusion == "aff-2d" else (3.0, 10.0)
    generator = np.random.default_rng(0)
    sounds = [generator.standard_normal(round(s * 48_000)).astype(np.float32) * 0.1 for s in seconds]
    extractor = ClapFeatureExtractor.from_pretrained(tmp_path / "clap")
    given = extractor(sounds, sampling_rate=48_000, return_tensors="pt")
    words = bundle.tokenizer(TEXTS)
    found = load(tmp_path / "clap")
    with torch.inference_mode():
        longer = {"is_longer": torch.tensor([[False], [True]])} if fusion == "aff-2d" else {}
        audio = theirs.get_audio_features(input_features=given["input_features"], **longer).pooler_output
        text = theirs.get_text_features(input_ids=words.input_ids, attention_mask=words.attention_mask).pooler_output
        batch = found.frontend.batch([found.frontend.load(sound, sample_rate_hz=48_000) for sound in sounds])
        ours = found.model.encode_audio(found.frontend(batch), batch.is_longer)
        our_text = found.model.encode_text(words.input_ids, words.attention_mask)
    assert batch.is_longer.tolist() == [False, fusion == "aff-2d"]
    # Two implementations in float32; the features are theirs in float64.
    torch.testing.assert_close(ours, torch.nn.functional.normalize(audio.float(), dim=-1), atol=2e-5, rtol=0)
    torch.testing.assert_close(our_text, torch.nn.functional.normalize(text, dim=-1), atol=2e-6, rtol=0)


@pytest.mark.parametrize("fusion", ["none", "aff-2d"])
def test_what_is_written_comes_back_as_it_went(small: Small, tmp_path: Path, fusion: str) -> None:
    bundle = small(fusion=fusion, mlp_heads=False)
    HUGGING_FACE.write(bundle, tmp_path / "one")
    found = load(tmp_path / "one")
    HUGGING_FACE.write(found, tmp_path / "two")
    expected = bundle.model.state_dict()
    assert found.model.state_dict().keys() == expected.keys()
    assert all(value.equal(expected[name]) for name, value in found.model.state_dict().items())
    for file in ("config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "one" / file).read_text() == (tmp_path / "two" / file).read_text()
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert all(one[name].equal(two[name]) for name in one)


def test_the_front_end_is_transformers_and_not_laions(directory: Path) -> None:
    frontend = load(directory).config.frontend
    assert frontend == FRONTEND_PRESETS["laion"].model_copy(update={"int16_round_trip": False})


def test_the_extractors_own_defaults_stand_where_its_file_says_nothing(directory: Path) -> None:
    (directory / "preprocessor_config.json").write_text('{"truncation": "rand_trunc", "padding": "pad"}')
    frontend = load(directory).config.frontend
    assert frontend.mel.f_min_hz == 0.0  # and not the 50 Hz of LAION-CLAP's training
    assert frontend.length.short == "zero-pad"


def test_a_processors_file_of_newer_versions_is_read(directory: Path) -> None:
    values = json.loads((directory / "preprocessor_config.json").read_text())
    expected = load(directory).config.frontend
    (directory / "preprocessor_config.json").unlink()
    (directory / "processor_config.json").write_text(json.dumps({"feature_extractor": values}))
    assert load(directory).config.frontend == expected


def test_a_directory_without_extractor_says_where_to_get_one(directory: Path) -> None:
    (directory / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match=r"there is no preprocessor_config\.json"):
        load(directory)


@pytest.mark.parametrize("form", ["shards", "bin", "bin-shards"])
def test_weights_may_be_in_shards_and_of_pytorchs_format(directory: Path, form: str) -> None:
    expected = load(directory).model.state_dict()
    tensors = load_file(directory / "model.safetensors")
    (directory / "model.safetensors").unlink()
    ending = "safetensors" if form == "shards" else "bin"
    stem = "model" if form == "shards" else "pytorch_model"

    def put(part: dict[str, torch.Tensor], name: str) -> None:
        save_file(part, directory / name) if ending == "safetensors" else torch.save(part, directory / name)

    if form == "bin":
        put(tensors, f"{stem}.{ending}")
    else:
        names = list(tensors)
        placed = {name: f"{stem}-0000{1 + number % 2}-of-00002.{ending}" for number, name in enumerate(names)}
        for file in set(placed.values()):
            put({name: tensors[name] for name in names if placed[name] == file}, file)
        (directory / f"{stem}.{ending}.index.json").write_text(json.dumps({"weight_map": placed}))
    found = load(directory)
    assert all(value.equal(expected[name]) for name, value in found.model.state_dict().items())
    assert len(found.provenance["sha256"]) == (64 if form == "bin" else 2)


def test_shards_of_two_models_are_not_mixed(directory: Path) -> None:
    tensors = load_file(directory / "model.safetensors")
    (directory / "model.safetensors").unlink()
    placed = {name: f"{1 + number % 2}.safetensors" for number, name in enumerate(tensors)}
    for file in set(placed.values()):
        save_file({name: tensors[name] for name in tensors if placed[name] == file}, directory / file)
    save_file({name: value + 1 for name, value in tensors.items()}, directory / "2.safetensors")
    (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": placed}))
    with pytest.raises(CheckpointError, match="in several of its files"):
        load(directory)


def test_a_lost_shard_is_named(directory: Path) -> None:
    (directory / "model.safetensors").rename(directory / "one.safetensors")
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"lacks two\.safetensors"):
        load(directory)


def test_a_shard_elsewhere_is_not_followed(directory: Path) -> None:
    (directory / "model.safetensors").unlink()
    index = {"weight_map": {"a": "../elsewhere.safetensors"}}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="no file of its own directory"):
        load(directory)


def test_older_tokenizer_files_give_the_ids_that_transformers_gives(directory: Path) -> None:
    model = json.loads((directory / "tokenizer.json").read_text())["model"]
    (directory / "tokenizer.json").unlink()
    (directory / "tokenizer_config.json").unlink()
    (directory / "vocab.json").write_text(json.dumps(model["vocab"]))
    (directory / "merges.txt").write_text("\n".join(["#version: 0.2", *(" ".join(pair) for pair in model["merges"])]))
    found, theirs = load(directory).tokenizer, RobertaTokenizer.from_pretrained(directory)
    texts = [*TEXTS, "bells<pad> ring</s>", "ünïcode ☔  twice"]
    assert found(texts).input_ids.tolist() == theirs(texts, padding=True)["input_ids"]


def test_captions_are_cut_where_the_tokenizers_settings_or_the_encoder_end(directory: Path) -> None:
    assert load(directory).tokenizer.config.max_length == 77
    for said, expected in ((12, 12), (10**30, 80), (None, 80)):  # 82 positions, of which RoBERTa leaves the first two
        edit(directory / "tokenizer_config.json", model_max_length=said)
        assert load(directory).tokenizer.config.max_length == expected


def test_the_projections_activation_is_read_and_written(small: Small, tmp_path: Path) -> None:
    HUGGING_FACE.write(small(projection={"activation": "gelu"}), tmp_path / "clap")
    assert json.loads((tmp_path / "clap" / "config.json").read_text())["projection_hidden_act"] == "gelu"
    assert load(tmp_path / "clap").config.model.projection.activation == "gelu"


def test_names_are_checked_both_ways(directory: Path) -> None:
    path = directory / "model.safetensors"
    tensors = load_file(path)
    name = "audio_model.audio_encoder.layers.0.blocks.1.attention.self.key.bias"
    save_file({other: value for other, value in tensors.items() if other != name}, path)
    with pytest.raises(CheckpointError, match=rf"missing {re.escape(name)}; left over, and of no known use, nothing"):
        load(directory)
    save_file(tensors | {"extra": torch.ones(1)}, path)
    with pytest.raises(CheckpointError, match="of no known use, extra"):
        load(directory)
    save_file(tensors | {"text_projection.linear1.bias": torch.ones(3)}, path)
    with pytest.raises(CheckpointError, match=r"text_projection\.0\.bias \(\(3,\), the config needs \(12,\)\)"):
        load(directory)


@pytest.mark.parametrize("fixed", ["relative_position_index", "position_ids", "token_type_ids"])
def test_buffers_may_be_absent_and_may_not_be_wrong(directory: Path, fixed: str) -> None:
    path = directory / "model.safetensors"
    tensors = load_file(path)
    bare = {name: value for name, value in tensors.items() if not name.endswith(fixed)}
    assert len(bare) < len(tensors)
    save_file(bare, path)
    load(directory)
    wrong = next(name for name in tensors if name.endswith(fixed))
    save_file(tensors | {wrong: tensors[wrong] + 1}, path)
    with pytest.raises(CheckpointError, match=rf"{fixed} is a table that follows"):
        load(directory)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"audio_config": {"hidden_act": "relu"}}, "hidden_act is 'relu', and there 'gelu'"),
        ({"audio_config": {"patch_stride": [4, 4]}}, "patches must be square and stand edge to edge"),
        ({"audio_config": {"enable_fusion": True, "fusion_type": "channel_map"}}, "fusion_type is 'channel_map'"),
        ({"audio_config": {"hidden_size": 99}}, "audio_config.hidden_size is 99"),
        ({"projection_hidden_act": "silu"}, "projection_hidden_act is 'silu'"),
        ({"audio_config": {"depths": [2, 1, 1]}}, "heads has 2 stages"),
        ({"audio_config": {"depths": "many"}}, "transformers cannot read it"),
    ],
)
def test_a_config_that_openclap_cannot_be_is_refused_by_name(
    directory: Path, changes: dict[str, Any], message: str
) -> None:
    edit(directory / "config.json", **changes)
    with pytest.raises(CheckpointError, match=re.escape(message)):
        load(directory)


def test_an_extractor_for_fused_clips_does_not_fit_a_model_without_fusion(directory: Path) -> None:
    edit(directory / "preprocessor_config.json", truncation="fusion")
    with pytest.raises(CheckpointError, match=r"the front-end makes 4 view\(s\)"):
        load(directory)


def changed(bundle: Bundle, **changes: Any) -> Bundle:
    config = ClapConfig.read(bundle.config.model.plain() | changes)
    return replace(bundle, model=Clap(config), config=bundle.config.model_copy(update={"model": config}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"audio": {"name": "pann-micro"}}, "the encoders Pann and HfTextEncoder have no place"),
        ({"text": {"name": "text-micro", "options": {"vocab_size": 300}}}, "model_type is 'bert', and there 'roberta'"),
        ({"projection": {"kind": "residual"}}, "projection.kind is 'residual', and there 'mlp'"),
        ({"projection": {"hidden": 7}}, "projection.hidden is 7, and there None"),
        ({"init_logit_bias": -10.0}, "there is a logit_bias"),
        ({"text": None, "mlp_heads": False}, "a model of sound alone has no place"),
    ],
)
def test_what_has_no_place_there_is_named(small: Small, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=re.escape(message)):
        HUGGING_FACE.write(changed(small(), **changes), tmp_path / "clap")
    assert not (tmp_path / "clap").exists()


@pytest.mark.parametrize("fusion", ["channel-map", "iaff-2d", "daf-1d"])
def test_other_kinds_of_fusion_have_no_place_there(small: Small, tmp_path: Path, fusion: str) -> None:
    with pytest.raises(CheckpointError, match=f"audio.options.fusion is '{fusion}'"):
        HUGGING_FACE.write(small(fusion=fusion), tmp_path / "clap")


def test_another_front_end_has_no_place_there(small: Small, tmp_path: Path) -> None:
    preset = FRONTEND_PRESETS["laion"]
    other = preset.model_copy(update={"mel": preset.mel.model_copy(update={"log": "ln"})})
    with pytest.raises(CheckpointError, match=r"no place in a ClapFeatureExtractor: mel\.log is 'ln', and there 'db'"):
        HUGGING_FACE.write(replace(small(), frontend=Frontend(other)), tmp_path / "clap")


def test_a_directory_that_holds_something_else_is_left_alone(small: Small, directory: Path, tmp_path: Path) -> None:
    HUGGING_FACE.write(small(), directory)  # a ClapModel gives way to another
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(CheckpointError, match="holds something else than a ClapModel"):
        HUGGING_FACE.write(small(), tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_sizes_come_from_the_config_alone(tmp_path: Path, small: Small) -> None:
    """A larger model, as transformers makes and saves it."""
    audio = {"spec_size": 256, "patch_size": 8, "patch_stride": [8, 8], "patch_embeds_hidden_size": 12,
             "depths": [1, 2, 1], "num_attention_heads": [2, 4, 6], "hidden_size": 48}  # fmt: skip
    text = {"vocab_size": 400, "hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 3,
            "intermediate_size": 20, "max_position_embeddings": 60}  # fmt: skip
    torch.manual_seed(0)
    theirs = ClapModel(TheirConfig(audio_config=audio, text_config=text, projection_dim=20))
    theirs.save_pretrained(tmp_path)
    ClapFeatureExtractor(truncation="rand_trunc").save_pretrained(tmp_path)
    small().tokenizer.save(tmp_path)
    found = load(tmp_path)
    assert found.model.audio_encoder.config.depths == (1, 2, 1)
    assert found.config.tokenizer.max_length == 58
    words = found.tokenizer(TEXTS)
    with torch.inference_mode():
        expected = theirs.eval().get_text_features(words.input_ids, words.attention_mask).pooler_output
        ours = found.model.encode_text(words.input_ids, words.attention_mask)
    torch.testing.assert_close(ours, torch.nn.functional.normalize(expected, dim=-1), atol=2e-6, rtol=0)
