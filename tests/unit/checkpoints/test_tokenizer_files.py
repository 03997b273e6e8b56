"""Tokenizers of foreign checkpoints: today's file, older files, and files of another encoder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import BertTokenizer, GPT2Tokenizer

from openclap.checkpoints.native import Bundle
from openclap.checkpoints.tokenizer_files import find_tokenizer, has_tokenizer, read_tokenizer
from openclap.errors import CheckpointError
from openclap.text.tokenizer import TokenizerConfig

TEXTS = ["a dog barks", "", "A Dog barks, Ünder rain!", "bells ring ring"]
CONFIG = TokenizerConfig(max_length=40)
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "bark", "##s", "rain", "A", "Dog", ",", "!", "under"]


@pytest.mark.parametrize("lower", [True, False])
def test_berts_word_list_gives_the_ids_that_transformers_gives(tmp_path: Path, lower: bool) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lower}))
    theirs = BertTokenizer.from_pretrained(tmp_path)
    expected = theirs(TEXTS, padding=True)["input_ids"]
    assert read_tokenizer(tmp_path, CONFIG)(TEXTS).input_ids.tolist() == expected
    assert has_tokenizer(tmp_path)


def test_gpt2s_files_give_the_ids_that_transformers_gives(tmp_path: Path) -> None:
    letters = "abcdefghijklmnopqrstuvwxyzADU,!Ġ"
    vocab = [*letters, "Ã", "ľ", "do", "dog", "in", "<|endoftext|>"]
    (tmp_path / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(vocab)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\nd o\ndo g\ni n\n")
    theirs = GPT2Tokenizer.from_pretrained(tmp_path)
    found = read_tokenizer(tmp_path, CONFIG)
    for text in TEXTS[:2]:
        assert found([text]).input_ids[0].tolist() == theirs(text)["input_ids"]
    assert found.pad_id == len(vocab) - 1


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no tokenizer"),
        ({"vocab.json": "{}"}, "holds no tokenizer"),
        ({"vocab.json": "{}", "merges.txt": "#version: 0.2\n"}, "has neither <s>, </s> and <pad> nor"),
        ({"vocab.json": '{"a": 0}', "merges.txt": "x y z w\n"}, "are no byte-level BPE"),
        ({"vocab.json": "[1]", "merges.txt": ""}, "must hold an object"),
        ({"vocab.txt": "[PAD]\na\n"}, r"lacks \[UNK\], \[CLS\], \[SEP\]"),
    ],
)
def test_files_that_are_no_tokenizer_are_named(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(CheckpointError, match=message):
        read_tokenizer(tmp_path, CONFIG)


def test_a_given_directory_goes_before_the_published_one(bundle: Bundle, tmp_path: Path) -> None:
    bundle.tokenizer.save(tmp_path)
    assert (
        find_tokenizer(tmp_path, "no/such", CONFIG)(["a dog"]).input_ids.tolist()
        == bundle.tokenizer(["a dog"]).input_ids.tolist()
    )


def test_the_frame_of_an_empty_text_tells_another_encoders_tokenizer(bundle: Bundle, tmp_path: Path) -> None:
    bundle.tokenizer.save(tmp_path)
    frame = bundle.tokenizer([""]).input_ids[0].tolist()
    find_tokenizer(tmp_path, "some/encoder", CONFIG, frame)
    with pytest.raises(CheckpointError, match=r"this text encoder's is \[0, 2\]; give the tokenizer of some/encoder"):
        find_tokenizer(tmp_path, "some/encoder", CONFIG, (0, 2))


def test_a_name_that_cannot_be_fetched_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="carries no tokenizer, and the published one cannot be had"):
        find_tokenizer(None, "nobody/nothing", CONFIG)
    with pytest.raises(CheckpointError):
        find_tokenizer("nobody/nothing", "some/encoder", CONFIG)
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError, match="is no directory"):
        find_tokenizer(tmp_path / "file", "some/encoder", CONFIG)
