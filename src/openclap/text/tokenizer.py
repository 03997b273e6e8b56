"""Captions to token ids: any `tokenizer.json` that Hugging Face publishes, or a small one trained on captions.

Built on the `tokenizers` package alone, which imports in milliseconds. Nothing here asks a hub: a tokenizer is read
from a directory, and is written into every checkpoint.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import tokenizers
import torch
from jaxtyping import Int64
from pydantic import Field
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor

from openclap.config import Config, digest
from openclap.errors import CheckpointError, ConfigError
from openclap.types import TextBatch

_MODEL_FILE = "tokenizer.json"
_SETTINGS_FILE = "tokenizer_config.json"
_PROBE = "a dog barks while rain falls on the roof"
_CHARACTERS = [chr(code) for code in range(0x21, 0x7F) if not chr(code).isupper()]
_SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}


class TokenizerConfig(Config):
    """How captions become a batch of ids.

    Attributes:
        max_length: the most tokens a caption may have, special tokens included; longer captions are cut.
        padding: fill a batch to its longest caption, or always to `max_length`. Embeddings are the same either way.
        append: text put after every caption, before the tokenizer's own end token (MS-CLAP 2023 appends
            " <|endoftext|>" and pools there). It is never cut off.
    """

    max_length: int = Field(default=77, ge=4)
    padding: Literal["longest", "max-length"] = "longest"
    append: str = ""


class Tokenizer:
    """Captions to right-padded token ids.

    Args:
        backend: the tokenizer proper; this object takes it over and switches its own padding and truncation off.
        config: lengths and padding.
        pad_id: the id that fills short rows. The mask hides it, so any id gives the same embeddings.

    Raises:
        ConfigError: if `max_length` leaves no room for a caption beside the tokens that every caption gets.
    """

    def __init__(self, backend: tokenizers.Tokenizer, config: TokenizerConfig, pad_id: int) -> None:
        backend.no_truncation()
        backend.no_padding()
        self._backend = backend
        self.config = config
        self.pad_id = pad_id
        self.end_tokens = _end_tokens(backend, config.append)
        fixed = len(backend.encode(config.append).ids)
        if fixed >= config.max_length:
            raise ConfigError(
                f"tokenizer.max_length is {config.max_length}, but every caption gets {fixed} special tokens: "
                f"set it to more than {fixed}"
            )

    def __call__(self, texts: Sequence[str]) -> TextBatch:
        """Ids and mask of texts, padded on the right to one length.

        A text that is too long loses its last words; the tokens that end every text stay.

        Raises:
            TypeError: if `texts` is one string, or holds something else than strings.
        """
        rows = self._rows(texts)
        length = self.config.max_length if self.config.padding == "max-length" else max(map(len, rows), default=0)
        input_ids = [row + [self.pad_id] * (length - len(row)) for row in rows]
        attention_mask = [[1] * len(row) + [0] * (length - len(row)) for row in rows]
        return TextBatch(input_ids=_matrix(input_ids, length), attention_mask=_matrix(attention_mask, length))

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has in a batch, special tokens included and after cutting."""
        return [len(row) for row in self._rows(texts)]

    def padded_with(self, token: str) -> Tokenizer:
        """This tokenizer with a token that pads and is a special one: wherever it stands in a text, it stands alone.

        MS-CLAP pads GPT-2's texts with "!", which the vocabulary has as an ordinary token.
        """
        backend = tokenizers.Tokenizer.from_str(self._backend.to_str())
        backend.add_special_tokens([tokenizers.AddedToken(token, special=True, normalized=False)])
        return Tokenizer(backend, self.config, backend.get_vocab()[token])

    @property
    def vocab_size(self) -> int:
        """How many ids there are, special tokens included: the encoder's vocabulary must have at least as many."""
        return max(self._backend.get_vocab().values()) + 1

    @property
    def digest(self) -> str:
        """SHA-256 hex over everything that decides which ids a caption gets."""
        model = hashlib.sha256(self._backend.to_str().encode()).hexdigest()
        return digest({"model": model, "config": self.config.plain(), "pad_id": self.pad_id})

    def save(self, directory: str | Path) -> None:
        """Write `tokenizer.json` and `tokenizer_config.json`, which Hugging Face's AutoTokenizer reads as well."""
        settings: dict[str, Any] = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": self.config.max_length,
            "padding_side": "right",
            "truncation_side": "right",
            "pad_token": self._backend.id_to_token(self.pad_id),
        }
        directory = Path(directory)
        (directory / _MODEL_FILE).write_text(self._backend.to_str(pretty=True), encoding="utf-8")
        text = json.dumps(settings, indent=2, ensure_ascii=False)
        (directory / _SETTINGS_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, directory: str | Path, config: TokenizerConfig | None = None) -> Tokenizer:
        """The tokenizer in a directory with `tokenizer.json` and `tokenizer_config.json`.

        A tokenizer without a padding token (GPT-2) pads with its end token.

        Raises:
            CheckpointError: if a file is missing or broken, or the vocabulary holds only special tokens.
        """
        directory = Path(directory)
        path = directory / _MODEL_FILE
        if not path.is_file():
            raise CheckpointError(
                f"{directory} has no {_MODEL_FILE}; a directory with older tokenizer files gets one by "
                "transformers.AutoTokenizer.from_pretrained(DIRECTORY).save_pretrained(DIRECTORY)"
            )
        try:
            backend = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the package raises plain Exception for anything it cannot parse
            raise CheckpointError(f"{path} is not a tokenizer ({error})") from error
        _check_vocabulary(backend, path)
        return cls(backend, config or TokenizerConfig(), _find_pad_id(backend, directory))

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int, config: TokenizerConfig | None = None) -> Tokenizer:
        """A small lower-cased WordPiece tokenizer learnt from captions; the same captions give the same tokenizer.

        It is of BERT's form: [CLS] first, [SEP] last, [PAD] with id 0. Letters, digits and ASCII punctuation are always
        in the vocabulary, so that words which no caption had can still be spelled.

        Args:
            texts: captions to learn from.
            vocab_size: how many tokens at most, special tokens included.
            config: lengths and padding.

        Raises:
            ConfigError: if `vocab_size` has no room for the characters themselves.
        """
        reserved = [*_SPECIAL.values(), *_CHARACTERS, *(f"##{c}" for c in _CHARACTERS if c.isalnum())]
        if vocab_size < len(reserved):
            raise ConfigError(f"vocab_size is {vocab_size}, but the characters alone need {len(reserved)}")
        backend = tokenizers.Tokenizer(models.WordPiece(unk_token=_SPECIAL["unk_token"]))
        backend.normalizer = normalizers.BertNormalizer(lowercase=True)
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=vocab_size, special_tokens=reserved, show_progress=False)
        backend.train_from_iterator(
            sorted(map(_unicode, texts)), trainer
        )  # sorted: the order of captions must not matter
        backend = _with_only_true_specials(backend)
        cls_token, sep_token = _SPECIAL["cls_token"], _SPECIAL["sep_token"]
        backend.post_processor = processors.TemplateProcessing(
            single=f"{cls_token} $A {sep_token}",
            special_tokens=[(token, backend.token_to_id(token)) for token in (cls_token, sep_token)],
        )
        return cls(backend, config or TokenizerConfig(), backend.get_vocab()[_SPECIAL["pad_token"]])

    def _rows(self, texts: Sequence[str]) -> list[list[int]]:
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise TypeError(f"texts must be a list of strings, but got {texts!r:.80}")
        # One by one and not encode_batch: its thread pool makes every later fork of a data loader's worker warn.
        encode, most, end = self._backend.encode, self.config.max_length, self.end_tokens
        rows = (encode(_unicode(text) + self.config.append).ids for text in texts)
        return [row if len(row) <= most else row[: most - end] + row[len(row) - end :] for row in rows]


def _unicode(text: str) -> str:
    """The text with "?" for halves of characters, which JSON can hold (a caption cut in an emoji), and UTF-8 cannot."""
    return text.encode(errors="replace").decode()


def _matrix(rows: list[list[int]], length: int) -> Int64[Tensor, "batch tokens"]:
    return torch.tensor(rows, dtype=torch.int64).reshape(len(rows), length)  # a list of no rows has no length


def _end_tokens(backend: tokenizers.Tokenizer, append: str) -> int:
    """How many tokens end every text: those of `append`, then those that the tokenizer itself adds at the end."""
    added = backend.encode("a").special_tokens_mask
    own = next((count for count, special in enumerate(reversed(added)) if not special), len(added))
    return own + len(backend.encode(append, add_special_tokens=False).ids)


def _with_only_true_specials(backend: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """The tokenizer with the characters as ordinary tokens: the trainer knows no other way to reserve a token."""
    state = json.loads(backend.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] in _SPECIAL.values()]
    return tokenizers.Tokenizer.from_str(json.dumps(state))


def _check_vocabulary(backend: tokenizers.Tokenizer, path: Path) -> None:
    """Refuse the tokenizer that a hub library makes up offline: all specials, no words, and no error."""
    encoding = backend.encode(_PROBE, add_special_tokens=False)
    specials = {token.content for token in backend.get_added_tokens_decoder().values()}
    words = [token for token in encoding.tokens if token not in specials]
    if not words:
        raise CheckpointError(
            f"{path} knows {backend.get_vocab_size()} tokens and none of the words in {_PROBE!r}: it holds only "
            "special tokens, as transformers makes up when it cannot reach its hub; get the real tokenizer files"
        )


def _find_pad_id(backend: tokenizers.Tokenizer, directory: Path) -> int:
    for file in (_SETTINGS_FILE, "special_tokens_map.json"):
        settings = _read_settings(directory / file)
        for key in ("pad_token", "eos_token"):
            token = settings.get(key)
            content = token.get("content") if isinstance(token, dict) else token
            found = backend.token_to_id(content) if content and isinstance(content, str) else None
            if found is not None:
                return found
    raise CheckpointError(
        f"{directory / _SETTINGS_FILE} names no pad_token or eos_token that {_MODEL_FILE} knows: add one"
    )


def _read_settings(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON ({error})") from error
    return settings if isinstance(settings, dict) else {}
