from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from openclap.audio.frontend import Frontend
from openclap.checkpoints.native import Bundle, is_bundle, load_bundle, save_bundle, weights_digest
from openclap.checkpoints.weights import put_weights, read_weights, write_weights
from openclap.errors import CheckpointError, ConfigError
from openclap.models.clap import Clap
from openclap.text.tokenizer import Tokenizer, TokenizerConfig


@pytest.fixture
def saved(bundle: Bundle, tmp_path: Path) -> Path:
    return save_bundle(bundle, tmp_path / "model")


def change_config(directory: Path, **values: object) -> None:
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def change_weights(directory: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = {name: value.clone() for name, value in load_file(directory / "model.safetensors").items()}
    change(tensors)
    save_file(tensors, directory / "model.safetensors")


def test_a_bundle_comes_back_as_it_was(bundle: Bundle, saved: Path) -> None:
    again = load_bundle(saved)
    assert weights_digest(again.model) == weights_digest(bundle.model)
    assert again.frontend.config == bundle.frontend.config
    assert again.tokenizer.digest == bundle.tokenizer.digest
    assert again.config.name == "tiny"
    assert again.provenance["license"] == "CC0-1.0"
    assert not again.model.training


def test_a_loaded_model_computes_the_very_same_numbers(bundle: Bundle, saved: Path) -> None:
    again, text = load_bundle(saved), bundle.tokenizer(["a dog barks"])
    features = torch.randn(2, 1, bundle.frontend.config.frames, 64, generator=torch.Generator().manual_seed(0))
    bundle.model.eval()
    with torch.inference_mode():
        assert again.model.encode_audio(features).equal(bundle.model.encode_audio(features))
        theirs = bundle.model.encode_text(text.input_ids, text.attention_mask)
        assert again.model.encode_text(text.input_ids, text.attention_mask).equal(theirs)


def test_the_directory_holds_what_it_promises_and_others_may_read_it(saved: Path) -> None:
    expected = {"config.json", "model.safetensors", "provenance.json", "tokenizer.json", "tokenizer_config.json"}
    assert {file.name for file in saved.iterdir()} == expected
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]
    if os.name != "nt":
        modes = {(saved / name).stat().st_mode & 0o777 for name in expected}
        assert len(modes) == 1


def test_the_config_holds_every_option_and_the_provenance_the_versions(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text())
    assert config["format_version"] == 1
    assert config["model"]["text"]["options"]["heads"] == 2  # a default, never given
    assert config["model"]["audio"]["options"]["window_size"] == 8
    assert set(json.loads((saved / "provenance.json").read_text())["versions"]) >= {"openclap", "torch", "python"}


def test_saving_twice_gives_the_same_bytes(bundle: Bundle, saved: Path, tmp_path: Path) -> None:
    again = save_bundle(load_bundle(saved), tmp_path / "again")
    for file in saved.iterdir():
        assert (again / file.name).read_bytes() == file.read_bytes(), file.name


def test_loading_draws_no_random_numbers(saved: Path) -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    load_bundle(saved)
    assert torch.random.get_rng_state().equal(before)


def test_a_bundle_replaces_a_bundle(bundle: Bundle, saved: Path) -> None:
    torch.manual_seed(1)
    other = replace(bundle, model=Clap(bundle.config.model))
    save_bundle(other, saved)
    assert weights_digest(load_bundle(saved).model) == weights_digest(other.model)
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


def test_what_is_no_bundle_is_never_replaced(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(CheckpointError, match="would be lost"):
        save_bundle(bundle, tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_a_save_that_fails_leaves_the_old_bundle_whole(
    bundle: Bundle, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object) -> None:
        raise OSError("No space left on device")

    before = weights_digest(load_bundle(saved).model)
    monkeypatch.setattr("openclap.checkpoints.native.write_weights", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_bundle(bundle, saved)
    assert weights_digest(load_bundle(saved).model) == before
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "provenance.json", "tokenizer.json"])
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        load_bundle(saved)


@pytest.mark.parametrize("name", ["config.json", "provenance.json"])
@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_broken_json_is_named(saved: Path, name: str, text: str) -> None:
    (saved / name).write_text(text)
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        load_bundle(saved)


def test_a_newer_format_asks_for_an_upgrade(saved: Path) -> None:
    change_config(saved, format_version=2, brand_new="setting")
    with pytest.raises(CheckpointError, match=r"format version 2.*up to 1: upgrade openclap"):
        load_bundle(saved)


def test_an_unknown_setting_or_encoder_is_named(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text())
    config["model"]["audio"]["name"] = "htsat-micron"
    change_config(saved, model=config["model"])
    with pytest.raises(CheckpointError, match=r"htsat-micron.*did you mean 'htsat-micro'"):
        load_bundle(saved)
    change_config(saved, colour="red")
    with pytest.raises(CheckpointError, match="colour is not a setting"):
        load_bundle(saved)


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5, 0.999])
def test_truncated_weights_are_refused(saved: Path, keep: float) -> None:
    path = saved / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: is truncated or no safetensors file"):
        load_bundle(saved)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(saved: Path, value: float) -> None:
    change_weights(saved, lambda tensors: tensors["text_projection.0.weight"][0].fill_(value))
    with pytest.raises(CheckpointError, match=r"NaN or infinite values in text_projection\.0\.weight"):
        load_bundle(saved)


def test_large_finite_weights_are_not_taken_for_infinite(saved: Path) -> None:
    change_weights(saved, lambda tensors: tensors["text_projection.0.weight"].fill_(3e38))
    load_bundle(saved)


def test_weights_of_another_architecture_are_refused_by_name(saved: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["audio_encoder.extra"] = tensors.pop("logit_scale")

    change_weights(saved, change)
    with pytest.raises(CheckpointError, match=r"missing logit_scale; left over audio_encoder\.extra"):
        load_bundle(saved)


def test_weights_of_another_size_are_refused_by_name_and_shape(saved: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["logit_scale"] = torch.zeros(3)

    change_weights(saved, change)
    with pytest.raises(CheckpointError, match=r"logit_scale \(\(3,\), the config needs \(\)\)"):
        load_bundle(saved)


def test_parts_that_do_not_fit_each_other_are_not_saved(bundle: Bundle, tmp_path: Path) -> None:
    large = Tokenizer.train(["some other words for more tokens"], 260, bundle.tokenizer.config)
    with pytest.raises(ConfigError, match="the text encoder knows 200"):
        save_bundle(replace(bundle, tokenizer=_with_tokens(large, 220)), tmp_path / "model")
    long = Tokenizer(bundle.tokenizer._backend, TokenizerConfig(max_length=500), 0)
    with pytest.raises(ConfigError, match=r"max_length is 500.*at most 77"):
        save_bundle(replace(bundle, tokenizer=long), tmp_path / "model")
    mel = bundle.frontend.config.mel.model_copy(update={"n_mels": 32})
    frontend = Frontend(bundle.frontend.config.model_copy(update={"mel": mel}))
    with pytest.raises(ConfigError, match="n_mels is 32"):
        save_bundle(replace(bundle, frontend=frontend), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_knows_itself(saved: Path, tmp_path: Path) -> None:
    assert is_bundle(saved)
    assert not is_bundle(tmp_path)
    assert not is_bundle(tmp_path / "nowhere")


def test_the_digest_changes_with_any_weight_and_with_nothing_else(bundle: Bundle) -> None:
    before = weights_digest(bundle.model)
    bundle.model.train()
    assert weights_digest(bundle.model) == before
    with torch.no_grad():
        next(bundle.model.parameters()).view(-1)[0] += 1e-6
    assert weights_digest(bundle.model) != before


def _with_tokens(tokenizer: Tokenizer, count: int) -> Tokenizer:
    tokenizer._backend.add_tokens([f"extra{number}" for number in range(count)])
    return tokenizer


def test_what_no_vector_depends_on_comes_back_too(bundle: Bundle, tmp_path: Path) -> None:
    extra = {"head.weight": torch.randn(3, 2), "logit_scale_t": torch.tensor(1.5)}
    again = load_bundle(save_bundle(replace(bundle, unused=extra), tmp_path / "model"))
    assert again.unused.keys() == extra.keys()
    assert all(again.unused[name].equal(value) for name, value in extra.items())
    save_bundle(bundle, tmp_path / "model")
    assert not load_bundle(tmp_path / "model").unused


def test_weights_keep_the_order_in_memory_that_their_module_gave_them(tmp_path):
    given = nn.Conv2d(3, 4, 3)
    wanted = nn.Conv2d(3, 4, 3)
    wanted.weight.data = wanted.weight.data.contiguous(memory_format=torch.channels_last)
    write_weights(given, tmp_path / "model.safetensors")
    put_weights(wanted, read_weights(tmp_path / "model.safetensors"), "a file", keep_tensors=True)
    assert torch.equal(wanted.weight, given.weight)
    assert wanted.weight.is_contiguous(memory_format=torch.channels_last)
    assert not wanted.weight.is_contiguous()
