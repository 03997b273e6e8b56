"""The tokenizer of a foreign checkpoint: beside it, given, or the published one; of today's files or of older ones.

LAION-CLAP's and MS-CLAP's files hold none: their code fetches the published one of their text encoder, and so does this
unless a directory or name is given. Older directories have `vocab.json` and `merges.txt` (byte-level BPE, as RoBERTa's
and GPT-2's), or `vocab.txt` (BERT's WordPiece), from which the same tokenizer is built here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors

from openclap.checkpoints.hub import fetch
from openclap.checkpoints.json_files import read_json, write_json
from openclap.errors import CheckpointError
from openclap.text.tokenizer import Tokenizer, TokenizerConfig

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt",
                   "vocab.txt")  # fmt: skip


def find_tokenizer(
    given: str | Path | None, published: str, config: TokenizerConfig, frame: Sequence[int] | int | None = None
) -> Tokenizer:
    """The tokenizer for a checkpoint that carries none.

    Args:
        given: a directory, or a hub name; None takes the published one.
        published: hub name of the tokenizer that the checkpoint was trained with.
        config: lengths, padding, and what is put after each text.
        frame: the ids of an empty text, where the text encoder says which they are, or else how many: another encoder's
            tokenizer has others.

    Raises:
        CheckpointError: if it cannot be had, or is another encoder's.
    """
    if given is None:
        try:
            directory = fetch(published, TOKENIZER_FILES)
        except CheckpointError as error:
            raise CheckpointError(
                f"the checkpoint carries no tokenizer, and the published one cannot be had ({error}); give tokenizer: "
                f"a directory with the tokenizer.json of {published}, or a hub name"
            ) from error
    else:
        directory = Path(given) if Path(given).exists() else fetch(str(given), TOKENIZER_FILES)
    tokenizer = read_tokenizer(directory, config)
    if frame is not None:
        found = tokenizer([""]).input_ids[0].tolist()
        fits, wanted = (
            (len(found) == frame, f"has {frame}")
            if isinstance(frame, int)
            else (found == list(frame), f"is {list(frame)}")
        )
        if not fits:
            raise CheckpointError(
                f"{directory} holds another encoder's tokenizer: an empty text has the ids {found}, but this text "
                f"encoder's {wanted}; give the tokenizer of {published}"
            )
    return tokenizer


def read_tokenizer(directory: Path, config: TokenizerConfig) -> Tokenizer:
    """The tokenizer in a directory, of today's file or of older ones.

    Raises:
        CheckpointError: if there is none, or a file is broken.
    """
    if not directory.is_dir():
        raise CheckpointError(
            f"{directory} is no directory; a tokenizer is a directory with tokenizer.json, or a hub name"
        )
    if (directory / "tokenizer.json").is_file():
        return Tokenizer.read(directory, config)
    if (directory / "vocab.json").is_file() and (directory / "merges.txt").is_file():
        backend, pad_id = _byte_level_bpe(directory)
    elif (directory / "vocab.txt").is_file():
        backend, pad_id = _word_piece(directory)
    else:
        raise CheckpointError(f"{directory} holds no tokenizer: neither tokenizer.json, nor vocab.json and merges.txt")
    return Tokenizer(backend, config, pad_id)


def has_tokenizer(directory: Path) -> bool:
    """Whether a directory holds a tokenizer's files."""
    return any((directory / name).is_file() for name in ("tokenizer.json", "merges.txt", "vocab.txt"))


def write_tokenizer(tokenizer: Tokenizer, directory: Path, max_length: int) -> None:
    """Write a tokenizer with the files that transformers looks for, and the length that it cuts at."""
    tokenizer.save(directory)
    path = directory / "tokenizer_config.json"
    write_json(read_json(path) | {"model_max_length": max_length}, path)


def _byte_level_bpe(directory: Path) -> tuple[tokenizers.Tokenizer, int]:
    """RoBERTa's tokenizer where its frame <s> … </s> is in the vocabulary, else GPT-2's, which has none."""
    vocab = read_json(directory / "vocab.json")
    try:
        backend = tokenizers.Tokenizer(
            models.BPE.from_file(str(directory / "vocab.json"), str(directory / "merges.txt"))
        )
    except Exception as error:  # the package raises plain Exception for anything it cannot parse
        raise CheckpointError(f"{directory}: vocab.json and merges.txt are no byte-level BPE ({error})") from error
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    if {"<s>", "</s>", "<pad>"} <= vocab.keys():
        backend.post_processor = processors.RobertaProcessing(
            ("</s>", vocab["</s>"]), ("<s>", vocab["<s>"]), add_prefix_space=False
        )
        plain = [token for token in ("<s>", "<pad>", "</s>", "<unk>") if token in vocab]
        backend.add_special_tokens([*plain, AddedToken("<mask>", lstrip=True)] if "<mask>" in vocab else plain)
        return backend, vocab["<pad>"]
    if "<|endoftext|>" not in vocab:
        raise CheckpointError(f"{directory / 'vocab.json'} has neither <s>, </s> and <pad> nor <|endoftext|>")
    backend.add_special_tokens(["<|endoftext|>"])
    return backend, vocab["<|endoftext|>"]


def _word_piece(directory: Path) -> tuple[tokenizers.Tokenizer, int]:
    words = (directory / "vocab.txt").read_text(encoding="utf-8").splitlines()
    vocab = {word: number for number, word in enumerate(words)}
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    missing = [token for token in special[:4] if token not in vocab]
    if missing:
        raise CheckpointError(f"{directory / 'vocab.txt'} lacks {', '.join(missing)}, and is no BERT vocabulary")
    settings = directory / "tokenizer_config.json"
    lower = read_json(settings).get("do_lower_case", True) if settings.is_file() else True
    backend = tokenizers.Tokenizer(models.WordPiece(vocab, unk_token=special[1]))
    backend.normalizer = normalizers.BertNormalizer(lowercase=bool(lower))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    backend.post_processor = processors.BertProcessing(("[SEP]", vocab["[SEP]"]), ("[CLS]", vocab["[CLS]"]))
    backend.add_special_tokens([token for token in special if token in vocab])
    return backend, vocab["[PAD]"]
