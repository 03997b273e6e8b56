"""`openclap checkpoint` and the conversion behind it: what they print, write, refuse, and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from tokenizers import models, pre_tokenizers, processors

from openclap.audio.frontend import FRONTEND_PRESETS, Frontend
from openclap.checkpoints.load import load
from openclap.checkpoints.native import Bundle, BundleConfig, load_bundle, save_bundle, weights_digest
from openclap.cli.app import run
from openclap.inference import sanity
from openclap.models.clap import Clap, ClapConfig, EncoderConfig
from openclap.text.tokenizer import Tokenizer, TokenizerConfig

Run = Callable[..., tuple[int, Any, str]]
SIZES = {"vocab_size": 200, "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1,
         "intermediate_size": 32, "max_position_embeddings": 82}  # fmt: skip
BERT = SIZES | {"model_type": "bert", "pad_token_id": 0}
ROBERTA = SIZES | {"model_type": "roberta", "type_vocab_size": 1, "layer_norm_eps": 1e-5, "pad_token_id": 1,
                   "bos_token_id": 0, "eos_token_id": 2}  # fmt: skip


def bert_words() -> Tokenizer:
    return Tokenizer.train(["a dog barks", "rain falls"], 200, TokenizerConfig(max_length=77))


def roberta_words() -> Tokenizer:
    """Whole words between RoBERTa's <s> and </s>."""
    words = ["<s>", "<pad>", "</s>", "<unk>", "a", "dog", "rain"]
    backend = tokenizers.Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, "<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return Tokenizer(backend, TokenizerConfig(max_length=77), 1)


def small(hf: dict[str, Any], tokenizer: Tokenizer, folder: Path) -> Path:
    """A bundle of LAION-CLAP's kind, of a micro size."""
    audio = {"square_size": 256, "patch_size": 8, "embed_dim": 8, "depths": (2, 1), "heads": (2, 4)}
    config = ClapConfig(
        audio=EncoderConfig(name="htsat-tiny", options=audio),
        text=EncoderConfig(name="hf", options={"hf": hf, "pooling": "pooler"}),
        embed_dim=16,
        mlp_heads=True,  # which a LAION-CLAP file always has
    )
    torch.manual_seed(0)
    described = BundleConfig(name="small", model=config, frontend=FRONTEND_PRESETS["laion"], tokenizer=tokenizer.config)
    return save_bundle(Bundle(Clap(config), Frontend(FRONTEND_PRESETS["laion"]), tokenizer, described), folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With BERT, which our own tokenizers are of."""
    return small(BERT, bert_words(), tmp_path_factory.mktemp("models") / "small")


@pytest.fixture
def openclap(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line; gives its exit code, its JSON if it printed any, and its words."""

    def call(*arguments: object) -> tuple[int, Any, str]:
        code = run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, json.loads(said.out) if said.out.startswith(("{", "[")) else None, said.out + said.err

    return call


def test_a_bundle_becomes_another_bundle_with_the_same_weights(model: Path, openclap: Run, tmp_path: Path) -> None:
    code, found, _ = openclap("checkpoint", "convert", model, tmp_path / "copy", "--json")
    assert code == 0
    assert found["largest_difference"] == {"text": 0.0, "audio": 0.0}
    assert weights_digest(load_bundle(tmp_path / "copy").model) == weights_digest(load_bundle(model).model)


def test_a_file_of_laions_format_comes_back_the_same(model: Path, openclap: Run, tmp_path: Path) -> None:
    file, back = tmp_path / "model.pt", tmp_path / "back"
    code, found, _ = openclap("checkpoint", "convert", model, file, "--to", "laion", "--json")
    assert code == 0
    assert found["not_kept"] == []
    assert openclap("checkpoint", "convert", file, back, "--tokenizer", model)[0] == 0
    assert weights_digest(load(back).model) == weights_digest(load(model).model)


def test_a_model_of_sound_alone_becomes_another_bundle(openclap: Run, tmp_path: Path) -> None:
    config = ClapConfig(audio=EncoderConfig(name="htsat-micro"), text=None)
    heard = Frontend(FRONTEND_PRESETS["laion"].model_copy(update={"window_s": 2.5}))
    described = BundleConfig(name="sound", model=config, frontend=heard.config)
    save_bundle(Bundle(Clap(config), heard, None, described), tmp_path / "sound")
    code, found, _ = openclap("checkpoint", "convert", tmp_path / "sound", tmp_path / "copy", "--json")
    assert code == 0
    assert found["largest_difference"] == {"text": 0.0, "audio": 0.0}


def test_what_a_format_has_no_word_for_is_told(openclap: Run, tmp_path: Path) -> None:
    roberta = small(ROBERTA, roberta_words(), tmp_path / "roberta")
    code, found, _ = openclap("checkpoint", "convert", roberta, tmp_path / "hf", "--to", "hf", "--json")
    assert code == 0
    assert found["not_kept"] == ["frontend.int16_round_trip is True, and there False"]
    assert 0 < found["largest_difference"]["audio"] < 0.1  # what the rounding to 16 bits moves
    assert found["largest_difference"]["text"] == 0.0


@pytest.mark.parametrize("to", ["openclap", "laion", "hf"])
def test_nothing_else_is_ever_overwritten(model: Path, openclap: Run, tmp_path: Path, to: str) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.txt").write_text("years of work")
    code, _, said = openclap("checkpoint", "convert", model, taken, "--to", to)
    assert code == 5
    assert "is there already, and would be lost" in said
    assert [file.name for file in taken.iterdir()] == ["thesis.txt"]


def test_a_model_without_a_place_in_a_format_leaves_nothing_behind(model: Path, openclap: Run, tmp_path: Path) -> None:
    code, _, said = openclap("checkpoint", "convert", model, tmp_path / "model.pth", "--to", "msclap")
    assert code == 5
    assert str(tmp_path / "model.pth") in said
    assert list(tmp_path.iterdir()) == []


def test_vectors_that_do_not_come_back_are_never_kept(
    model: Path, openclap: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe, calls = sanity.probe, []

    def unlike(embedder: Any) -> Any:
        calls.append(embedder)
        texts, sounds = probe(embedder)
        return (texts, sounds) if len(calls) == 1 else (-texts, sounds)

    monkeypatch.setattr(sanity, "probe", unlike)
    code, _, said = openclap("checkpoint", "convert", model, tmp_path / "copy")
    assert code == 5
    assert "nothing is kept" in said
    assert list(tmp_path.iterdir()) == []


def test_a_format_that_is_nearly_right_is_answered_with_the_right_one(
    model: Path, openclap: Run, tmp_path: Path
) -> None:
    code, _, said = openclap("checkpoint", "convert", model, tmp_path / "x", "--to", "loin")
    assert code == 2
    assert "did you mean 'laion'" in said


def test_inspect_says_what_a_model_is(model: Path, openclap: Run) -> None:
    code, found, _ = openclap("checkpoint", "inspect", model, "--json")
    assert code == 0
    assert found["format"] == "openclap, version 1"
    assert found["architecture"]["text_encoder"] == "hf"
    assert len(found["files"][0]["sha256"]) == 64
    assert "audio_encoder" in openclap("checkpoint", "inspect", model)[2]


def test_verify_fails_for_a_model_with_random_weights(model: Path, openclap: Run) -> None:
    code, found, _ = openclap("checkpoint", "verify", model, "--json")
    assert code == 5
    assert found["passed"] is False
    failed = {check["check"] for check in found["checks"] if not check["passed"]}
    assert "text-collapse" in failed
    assert len(found["identity"]) == 64


def test_verify_names_what_cannot_be_read(model: Path, openclap: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    openclap("checkpoint", "convert", model, broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    code, _, said = openclap("checkpoint", "verify", broken)
    assert code == 5
    assert "is truncated" in said


def test_list_shows_every_known_model_and_whether_it_is_here(openclap: Run) -> None:
    code, found, _ = openclap("checkpoint", "list", "--json")
    assert code == 0
    names = {weights["name"] for weights in found}
    assert {"laion-630k-audioset-best", "hf-clap-htsat-fused", "msclap-2023", "audiomae-pretrained"} <= names
    assert all(isinstance(weights["cached"], bool) for weights in found)
    assert "hf-larger-clap-music: its text tower" in openclap("checkpoint", "list")[2].replace("\n", " ")
