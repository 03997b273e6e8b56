from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers

from openclap.errors import CheckpointError, ConfigError
from openclap.text.tokenizer import Tokenizer, TokenizerConfig

CAPTIONS = [
    "a dog barks while rain falls",
    "two birds sing in the distance, then an engine starts",
    "heavy rain on a metal roof",
    "a man speaks and a dog barks twice",
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(CAPTIONS, vocab_size=200)


def gpt2_like(config: TokenizerConfig) -> Tokenizer:
    """A byte-level tokenizer without special tokens of its own, as GPT-2's."""
    vocab = {character: index for index, character in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(["<|endoftext|>"])
    return Tokenizer(backend, config, pad_id=backend.token_to_id("<|endoftext|>"))


def test_a_row_holds_the_text_between_its_special_tokens_and_then_padding(tokenizer: Tokenizer) -> None:
    batch = tokenizer(["rain", "a dog barks twice"])
    cls, sep = batch.input_ids[0, 0].item(), batch.input_ids[1, -1].item()
    short = int(batch.attention_mask[0].sum())
    assert batch.input_ids[1, 0] == cls
    assert batch.input_ids[0, short - 1] == sep
    assert batch.input_ids[0, short:].unique().tolist() == [tokenizer.pad_id]
    assert batch.attention_mask[0].tolist() == [1] * short + [0] * (batch.input_ids.shape[1] - short)


def test_padding_to_the_longest_or_to_max_length_gives_the_same_ids_in_front(tokenizer: Tokenizer) -> None:
    fixed = Tokenizer(tokenizer._backend, TokenizerConfig(max_length=32, padding="max-length"), tokenizer.pad_id)
    loose, full = tokenizer(CAPTIONS), fixed(CAPTIONS)
    assert full.input_ids.shape == (4, 32)
    assert full.input_ids[:, : loose.input_ids.shape[1]].equal(loose.input_ids)
    assert full.attention_mask.sum(1).equal(loose.attention_mask.sum(1))


def test_a_long_text_keeps_its_first_words_and_its_end_token(tokenizer: Tokenizer) -> None:
    short = Tokenizer(tokenizer._backend, TokenizerConfig(max_length=8), tokenizer.pad_id)
    whole, cut = tokenizer([CAPTIONS[1]]).input_ids[0].tolist(), short([CAPTIONS[1]]).input_ids[0].tolist()
    assert len(whole) > 8
    assert cut == whole[:7] + whole[-1:]


def test_what_is_appended_to_every_caption_is_never_cut() -> None:
    tokenizer = gpt2_like(TokenizerConfig(max_length=8, append=" <|endoftext|>"))
    batch = tokenizer(["ab", "a caption that is too long"])
    end = tokenizer.pad_id
    assert batch.attention_mask.tolist() == [[1, 1, 1, 1, 0, 0, 0, 0], [1] * 8]
    assert batch.input_ids[0, 3] == end
    assert batch.input_ids[1, 7] == end
    assert (batch.input_ids[1, :7] != end).all()


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(max_size=60), max_size=5))
def test_any_text_gives_rows_within_bounds_and_lengths_that_the_mask_counts(
    tokenizer: Tokenizer, texts: list[str]
) -> None:
    batch = tokenizer(texts)
    assert batch.attention_mask.sum(1).tolist() == tokenizer.lengths(texts)
    assert batch.input_ids.shape[0] == len(texts)
    assert batch.input_ids.shape[1] <= tokenizer.config.max_length
    assert all(0 <= token < tokenizer.vocab_size for token in batch.input_ids.flatten().tolist())


def test_a_batch_does_not_change_a_text(tokenizer: Tokenizer) -> None:
    together = tokenizer(CAPTIONS)
    for row, mask, text in zip(together.input_ids, together.attention_mask, CAPTIONS, strict=True):
        assert row[mask.bool()].equal(tokenizer([text]).input_ids[0])


@pytest.mark.parametrize("texts", ["a dog barks", ["a dog", 3], [None]])
def test_what_is_not_a_list_of_strings_is_refused(tokenizer: Tokenizer, texts: object) -> None:
    with pytest.raises(Exception, match=r"list of strings|texts"):  # the tests' type checker may speak first
        tokenizer(texts)


def test_max_length_must_leave_room_for_a_word(tokenizer: Tokenizer) -> None:
    append = " ".join(["rain"] * 5)
    with pytest.raises(ConfigError, match="max_length is 6"):
        Tokenizer(tokenizer._backend, TokenizerConfig(max_length=6, append=append), tokenizer.pad_id)


def test_a_tokenizer_survives_saving(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    again = Tokenizer.read(tmp_path, tokenizer.config)
    assert again(CAPTIONS).input_ids.equal(tokenizer(CAPTIONS).input_ids)
    assert (again.pad_id, again.vocab_size, again.digest) == (tokenizer.pad_id, tokenizer.vocab_size, tokenizer.digest)


def test_transformers_reads_what_is_saved_and_agrees(tokenizer: Tokenizer, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer.save(tmp_path)
    theirs = AutoTokenizer.from_pretrained(str(tmp_path))(CAPTIONS, padding=True)
    ours = tokenizer(CAPTIONS)
    assert theirs["input_ids"] == ours.input_ids.tolist()
    assert theirs["attention_mask"] == ours.attention_mask.tolist()


def test_a_tokenizer_without_padding_token_pads_with_its_end_token(tmp_path: Path) -> None:
    tokenizer = gpt2_like(TokenizerConfig())
    tokenizer.save(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": {"content": "<|endoftext|>"}}))
    assert Tokenizer.read(tmp_path).pad_id == tokenizer.pad_id


def test_a_tokenizer_of_only_special_tokens_is_refused(tmp_path: Path) -> None:
    backend = tokenizers.Tokenizer(models.BPE())
    backend.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    Tokenizer(backend, TokenizerConfig(), pad_id=1).save(tmp_path)
    with pytest.raises(CheckpointError, match=r"5 tokens.*only special tokens"):
        Tokenizer.read(tmp_path)


def test_missing_and_broken_files_are_named(tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no tokenizer\.json"):
        Tokenizer.read(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"model": ')
    with pytest.raises(CheckpointError, match=r"tokenizer\.json is not a tokenizer"):
        Tokenizer.read(tmp_path)
    tokenizer.save(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="names no pad_token"):
        Tokenizer.read(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(CheckpointError, match="is not JSON"):
        Tokenizer.read(tmp_path)


def test_training_depends_on_the_captions_alone_not_on_their_order_or_the_process(tokenizer: Tokenizer) -> None:
    assert Tokenizer.train(reversed(CAPTIONS), vocab_size=200).digest == tokenizer.digest
    code = f"from openclap.text.tokenizer import Tokenizer\nprint(Tokenizer.train({CAPTIONS!r}, vocab_size=200).digest)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == tokenizer.digest


def test_case_does_not_matter_and_unseen_words_are_spelled(tokenizer: Tokenizer) -> None:
    assert tokenizer(["A DOG Barks"]).input_ids.equal(tokenizer(["a dog barks"]).input_ids)
    unknown = tokenizer._backend.token_to_id("[UNK]")
    assert unknown not in tokenizer(["xylophone #3: 'quartz'?"]).input_ids


def test_a_word_that_every_caption_has_becomes_one_token(tokenizer: Tokenizer) -> None:
    assert tokenizer.lengths(["dog"]) == [3]


def test_a_vocabulary_too_small_for_the_characters_is_refused() -> None:
    with pytest.raises(ConfigError, match="the characters alone need"):
        Tokenizer.train(CAPTIONS, vocab_size=50)


def test_real_captions_fit_into_77_tokens(audiocaps_captions: Path) -> None:
    with (audiocaps_captions / "audiocaps_val.csv").open(encoding="utf-8") as file:
        captions = [row["caption"] for row in csv.DictReader(file)]
    tokenizer = Tokenizer.train(captions, vocab_size=2000)
    lengths = tokenizer.lengths(captions)
    assert sum(lengths) / len(lengths) < 20
    assert max(lengths) < 77


def test_half_a_character_is_a_question_mark() -> None:
    texts = ["a dog \ud83d", "rain"]  # JSON can hold a caption that was cut in an emoji
    made = Tokenizer.train(texts, 200)
    assert made(texts).input_ids.tolist() == made(["a dog ?", "rain"]).input_ids.tolist()


def test_a_padding_token_of_ones_own_stands_alone_wherever_it_stands() -> None:
    plain = Tokenizer.train(["a dog barks", "dog"], 200)
    padded = plain.padded_with("dog")
    assert padded.pad_id == plain(["dog"]).input_ids[0, 1]  # the id that it had as a word
    assert padded(["hotdog"]).input_ids[0, -2] == padded.pad_id  # and not a part of another word
    batch = padded(["a dog barks", "a"])
    assert (batch.input_ids[1, -2:] == padded.pad_id).all()
    assert plain.pad_id == 0
