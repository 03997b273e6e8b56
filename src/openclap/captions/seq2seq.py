"""An encoder-decoder of Hugging Face `transformers` that turns one text into another, the same in whatever batch.

Sampling draws from a generator of each text's own (`draws.py`): neither the batch's other texts nor anything global
decides what is written.
"""

from __future__ import annotations

import hashlib
import pickle
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field

from openclap.captions.draws import drawing
from openclap.captions.weights import device_for, folder_digest
from openclap.config import Config
from openclap.errors import CaptionError, first_line, some
from openclap.optional import require

_FILES = ("*.json", "*.safetensors", "*.model", "*.txt")
_TOKENIZERS = ("tokenizer.json", "spiece.model", "sentencepiece.bpe.model", "vocab.json")
_MOST_TOKENS = 512  # as T5s were trained; their tokenizers state none
_PROBE = "a dog barks in the rain"


class WritingOptions(Config):
    """How a text is written; the defaults are those of keytotext's own pipeline, but for the length.

    Attributes:
        beams: width of the beam search; 1 takes the likeliest token each time.
        temperature: above 0, tokens are drawn instead (with beams=1): the higher, the less likely ones.
        seed: what the draws start from.
        max_new_tokens: as long as a text may become.
        no_repeat_ngram: as many tokens never come twice in the same order; 0 allows it.
        length_penalty: above 0 favours longer texts in the beam search.
    """

    beams: int = Field(default=4, ge=1)
    temperature: float = Field(default=0.0, ge=0.0)
    seed: int = 0
    max_new_tokens: int = Field(default=64, ge=1)
    no_repeat_ngram: int = Field(default=3, ge=0)
    length_penalty: float = 1.5


class Seq2Seq:
    """A model that writes texts; loaded when it is first needed.

    Args:
        name: a folder as `save_pretrained` writes it, or a hub name. Weights are read from safetensors, or from a
            pickle of nothing but tensors.
        revision: of a hub name.
        device: auto, cpu or cuda.
        options: how it writes.
        batch_size: texts at once.
    """

    def __init__(
        self, name: str, revision: str | None, device: str, options: WritingOptions, batch_size: int = 32
    ) -> None:
        self._name, self._revision, self._device = name, revision, device
        self._options, self._batch_size = options, batch_size
        self._lock = threading.Lock()

    @cached_property
    def digest(self) -> str:
        """Twelve hex digits that stand for the model's files."""
        return folder_digest(self._folder)

    def write(self, texts: Sequence[str], draws: Sequence[str]) -> list[str]:
        """What the model makes of each text, in order; may be called by several threads.

        Args:
            texts: what it reads.
            draws: of each text, what its draws start from beside the seed; of no effect without a temperature.

        Raises:
            CaptionError: if the model cannot be loaded, or its tokenizer is not its own.
        """
        with self._lock:
            tokenizer, _ = self._loaded
            ids = [tokenizer(text, truncation=True, max_length=_MOST_TOKENS).input_ids for text in texts]
            order = sorted(range(len(texts)), key=lambda place: len(ids[place]))
            written = [""] * len(texts)
            for begin in range(0, len(order), self._batch_size):
                places = order[begin : begin + self._batch_size]
                results = self._write([texts[p] for p in places], [draws[p] for p in places])
                for place, text in zip(places, results, strict=True):
                    written[place] = text
        return written

    def _write(self, texts: Sequence[str], draws: Sequence[str]) -> list[str]:
        import torch

        tokenizer, model = self._loaded
        options = self._options
        batch = tokenizer(list(texts), return_tensors="pt", padding=True, truncation=True, max_length=_MOST_TOKENS).to(
            model.device
        )
        drawn = options.temperature > 0
        with torch.inference_mode():
            ids = model.generate(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                max_new_tokens=options.max_new_tokens,
                num_beams=1 if drawn else options.beams,
                do_sample=False,
                no_repeat_ngram_size=options.no_repeat_ngram,
                length_penalty=options.length_penalty if options.beams > 1 and not drawn else None,
                early_stopping=options.beams > 1 and not drawn,
                logits_processor=[drawing([_seed(draw, options) for draw in draws], options.temperature)]
                if drawn
                else [],
            )
        return [" ".join(text.split()) for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]

    @cached_property
    def _folder(self) -> Path:
        if Path(self._name).is_dir():
            return Path(self._name)
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

        try:
            found = Path(snapshot_download(self._name, revision=self._revision, allow_patterns=[*_FILES]))
            if not any(found.glob("*.safetensors")):
                found = Path(snapshot_download(self._name, revision=self._revision, allow_patterns=[*_FILES, "*.bin"]))
        except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
            raise CaptionError(
                f"model {self._name!r} is no folder, and cannot be had from the hub ({first_line(error)}): give a "
                "folder with config.json, weights and tokenizer"
            ) from error
        return found

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        import torch
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        from openclap.models.text.backbone import quiet_transformers

        folder = self._folder
        if not any((folder / name).is_file() for name in _TOKENIZERS):
            # transformers would not say so: it makes up a tokenizer of a few tokens.
            raise CaptionError(f"model {self._name!r} has no tokenizer, none of {', '.join(_TOKENIZERS)}, in {folder}")
        if not (folder / "tokenizer.json").is_file() and (folder / "spiece.model").is_file():
            for package in ("sentencepiece", "google.protobuf"):
                require(package, extra="captions", purpose=f"reading {folder / 'spiece.model'}")
        try:
            with quiet_transformers():
                tokenizer = AutoTokenizer.from_pretrained(folder)
                model, report = AutoModelForSeq2SeqLM.from_pretrained(
                    folder, dtype=torch.float32, weights_only=True, output_loading_info=True
                )
        except pickle.UnpicklingError as error:
            raise CaptionError(
                f"model {self._name!r} is a pickle of more than tensors, which could run code and is not loaded: save "
                "it as safetensors where you trust it"
            ) from error
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            reason = first_line(error)
            raise CaptionError(f"model {self._name!r} cannot be loaded as an encoder-decoder: {reason}") from error
        if missing := sorted(report["missing_keys"]):
            raise CaptionError(f"model {self._name!r} lacks weights that its config calls for: {some(missing)}")
        _check_tokenizer(tokenizer, model, self._name)
        return tokenizer, model.to(device_for(self._device)).eval()


def _check_tokenizer(tokenizer: Any, model: Any, name: str) -> None:
    """Raise if the tokenizer cannot be the one that the model was trained with."""
    tokens, rows = len(tokenizer), model.config.vocab_size
    if tokens > rows:
        raise CaptionError(f"model {name!r} knows {rows:,} tokens, but its tokenizer has {tokens:,}: it is another's")
    ends = model.config.eos_token_id
    if tokenizer.eos_token_id not in (ends if isinstance(ends, list) else [ends]):
        given = tokenizer.eos_token_id
        raise CaptionError(f"model {name!r} ends texts with token {ends}, but its tokenizer with {given}: another's")
    if tokenizer.unk_token_id in tokenizer(_PROBE, add_special_tokens=False).input_ids:
        raise CaptionError(f"model {name!r}: its tokenizer does not know plain English words, as in {_PROBE!r}")


def _seed(draw: str, options: WritingOptions) -> int:
    return int.from_bytes(hashlib.blake2b(f"{options.seed} {draw}".encode(), digest_size=7).digest(), "big")
