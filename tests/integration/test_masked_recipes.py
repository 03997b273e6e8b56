"""FLAP's runs train: at a toy's size, on a few clips, with all else as the recipe says; and MAE's goes on as FLAP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers

from openclap.checkpoints.native import load_bundle
from openclap.cli.app import run
from openclap.models.masking import MaskingConfig
from openclap.recipes.registry import recipes
from openclap.text.tokenizer import Tokenizer
from openclap.training.config import RunConfig

from .conftest import with_flag

SIZES = {"num_hidden_layers": 1, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
ENCODER = [f"model.audio.options.{size}" for size in ("dim=32", "depth=2", "heads=2")]
DECODER = [f"model.decoder.{size}" for size in ("dim=32", "depth=2", "heads=2")]
SHORT = [
    "data.batch_size=3",
    "data.workers=0",
    "trainer.max_steps=2",
    "trainer.max_epochs=null",
    "trainer.max_minutes=null",
    "trainer.tensorboard=false",
    "trainer.curves=false",
]
RECIPES = [name for name in recipes.names() if name.startswith("flap-")]


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    """A small random RoBERTa with a tokenizer."""
    folder = tmp_path_factory.mktemp("text")
    tokenizer = Tokenizer.train(["noise number one two"], 200)
    tokenizer.save(folder)
    torch.manual_seed(0)
    config = transformers.RobertaConfig(**SIZES, vocab_size=tokenizer.vocab_size, pad_token_id=1)
    transformers.RobertaModel(config).save_pretrained(folder)
    return folder


def train(recipe: str, data: Path, out: Path, settings: list[str], capsys: pytest.CaptureFixture[str]) -> dict:
    arguments = ["train", recipe, "--data", str(data), "--out", str(out), *with_flag("--set", [*settings, *SHORT])]
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_flap_run_learns_saves_and_loads(recipe, clips, text, tmp_path, capsys):
    has_decoder = recipes.get(recipe)().model.decoder is not None
    settings = [f"text_init.source={text}", *ENCODER, *(DECODER if has_decoder else [])]
    assert train(recipe, clips, tmp_path / "run", settings, capsys)["steps"] == 2
    bundle = load_bundle(tmp_path / "run" / "last")
    assert bundle.config.frontend.sample_rate_hz == 16_000
    assert (bundle.model.decoder is not None) == has_decoder == recipe.endswith("-recon")
    logged = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    parts = set().union(*logged)
    assert "contrastive" in parts
    assert ("reconstruction" in parts) == has_decoder


@pytest.mark.parametrize(("mae", "flap"), [("mae-vitb", "flap-vitb-2d-recon"), ("mae-tiny", "flap-tiny")])
def test_pre_training_without_captions_starts_flap_and_draws_what_it_learnt(mae, flap, clips, text, tmp_path, capsys):
    bare = tmp_path / "bare"
    bare.mkdir()
    for sound in clips.glob("*.flac"):
        (bare / sound.name).write_bytes(sound.read_bytes())
    assert train(mae, bare, tmp_path / "mae", [*ENCODER, *DECODER], capsys)["steps"] == 2
    last = tmp_path / "mae" / "last"
    picture = tmp_path / "picture.png"
    assert run(["reconstruct", str(last), str(bare / "1.flac"), "--out", str(picture), "--json"]) == 0
    assert 0.5 < json.loads(capsys.readouterr().out)["error"] < 3  # two steps in, it knows nothing: about 1
    assert picture.stat().st_size > 0
    decoder = DECODER if flap.endswith("-recon") else []
    settings = [f"text_init.source={text}", f"audio_init.source={last}", *ENCODER, *decoder]
    train(flap, clips, tmp_path / "flap", settings, capsys)
    assert load_bundle(tmp_path / "flap" / "last").model.audio_encoder.config.dim == 32


@pytest.mark.parametrize("recipe", [*RECIPES, "mae-vitb"])
def test_a_recipes_yaml_is_the_recipe(recipe):
    config = recipes.get(recipe)()
    assert RunConfig.read(config.plain()) == config


def test_2d_masks_of_the_recipes_keep_as_much_as_1d_masks():
    kept = {
        name: MaskingConfig.read(recipes.get(name)().objective.options["masking"]).kept(512, 8)
        for name in ("flap-vitb-1d", "flap-vitb-2d")
    }
    assert set(kept.values()) == {128}
