"""The published runs train: at a toy's size, on a few clips of two lengths, with all else as the recipe says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tokenizers
import torch
import transformers

from openclap.checkpoints.native import load_bundle
from openclap.cli.app import run
from openclap.text.tokenizer import Tokenizer

from .conftest import with_flag

SMALL = {"num_hidden_layers": 1, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
HTSAT = ["embed_dim=8", "depths=[1,1]", "heads=[1,2]", "square_size=256", "patch_size=16"]
PANN = ["channels=[8,8]", "pools=[2,2]"]
RECIPES = {
    "laion-htsat-roberta": ("roberta", HTSAT),
    "laion-htsat-roberta-fusion": ("roberta", HTSAT),
    "laion-pann-roberta": ("roberta", PANN),
    "msclap-2022": ("bert", PANN),
    "msclap-2023": ("gpt2", HTSAT),
}


def _text(kind: str, folder: Path) -> None:
    """A small random text encoder of the kind, with a tokenizer that has its end token."""
    folder.mkdir()
    Tokenizer.train(["noise number one two"], 200).save(folder)
    backend = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    backend.add_special_tokens(["<|endoftext|>"])
    backend.save(str(folder / "tokenizer.json"))
    end = backend.token_to_id("<|endoftext|>")
    size = {"vocab_size": backend.get_vocab_size(), "eos_token_id": end, "bos_token_id": end}
    torch.manual_seed(0)
    models = {
        "roberta": lambda: transformers.RobertaModel(transformers.RobertaConfig(**SMALL, **size, pad_token_id=1)),
        "bert": lambda: transformers.BertModel(transformers.BertConfig(**SMALL, vocab_size=size["vocab_size"])),
        "gpt2": lambda: transformers.GPT2Model(transformers.GPT2Config(n_embd=16, n_layer=1, n_head=2, **size)),
    }
    models[kind]().save_pretrained(folder)


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_a_published_run_learns_saves_and_loads(recipe, clips, tmp_path, capsys):
    kind, sizes = RECIPES[recipe]
    _text(kind, tmp_path / "text")
    settings = [
        f"text_init.source={tmp_path / 'text'}",
        *(f"model.audio.options.{size}" for size in sizes),
        "data.batch_size=3",
        "data.workers=0",
        "trainer.max_steps=2",
        "trainer.max_epochs=null",
        "schedule.warmup_steps=1",
        "trainer.tensorboard=false",
        "trainer.curves=false",
    ]
    out = tmp_path / "run"
    arguments = ["train", recipe, "--data", str(clips), "--out", str(out), *with_flag("--set", settings)]
    assert run([*arguments, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["steps"] == 2
    bundle = load_bundle(out / "last")
    assert bundle.config.frontend.sample_rate_hz == (48_000 if recipe.startswith("laion") else 44_100)
    assert bundle.model.audio_encoder.views == (4 if recipe.endswith("fusion") else 1)


def test_a_recipe_is_printed_with_what_is_published_of_it(capsys):
    assert run(["recipes", "laion-htsat-roberta"]) == 0
    printed = capsys.readouterr().out
    comment = [line for line in printed.splitlines() if line.startswith("#")]
    assert any("2304" in line for line in comment)
    assert "warmup_steps: 3200" in printed
