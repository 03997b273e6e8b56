"""A model of Hugging Face `transformers` in this process: batched, and the same for the same seed.

Sampling draws from a generator of its own for each request (`draws.py`): neither the batch's other clips nor anything
global decides a reply.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from openclap.captions.draws import drawing
from openclap.captions.llm.config import WritingConfig
from openclap.captions.llm.replies import is_final
from openclap.captions.llm.request import Request
from openclap.captions.llm.store import Reply, ReplyStore
from openclap.captions.weights import device_for
from openclap.errors import CaptionError, first_line, some

_MOST_NEW_TOKENS = 2048  # where max_tokens is left open: a model without an end would write for ever


class LocalModel:
    """Replies of a chat model in a folder or at the hub; what is in the store is not generated again.

    Args:
        config: the stage's options.
        store: where replies are kept.
    """

    def __init__(self, config: WritingConfig, store: ReplyStore) -> None:
        self._config, self._store = config, store
        self._lock = threading.Lock()

    def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """A reply to each request, in order.

        Raises:
            CaptionError: if the model cannot be loaded, or is none that can chat.
        """
        with self._lock:
            for ask in range(self._config.asks):
                missing = {request.key: (request, reply) for request, reply in self._unanswered(requests)}
                if not missing:
                    break
                self._generate([request for request, _ in missing.values()], ask)
        replies = [self._store.get(request.key) for request in requests]
        return [reply for reply in replies if reply is not None]  # all of them: what was missing was generated

    def _unanswered(self, requests: Sequence[Request]) -> list[tuple[Request, Reply | None]]:
        found = [(request, self._store.get(request.key)) for request in requests]
        return [(request, reply) for request, reply in found if not (reply and is_final(reply, self._config.asks))]

    def _generate(self, requests: Sequence[Request], ask: int) -> None:
        import torch

        tokenizer, model = self._loaded
        prompts = [self._prompt(request) for request in requests]
        temperature = self._config.temperature
        seeds = [int(request.key[:12], 16) + request.parameters.get("seed", 0) + ask for request in requests]
        began = time.monotonic()
        batch = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False).to(model.device)
        batch.pop("token_type_ids", None)
        width = batch["input_ids"].shape[1]
        with torch.inference_mode():
            ids = model.generate(
                **batch,
                max_new_tokens=self._config.max_tokens or _MOST_NEW_TOKENS,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
                logits_processor=[drawing(seeds, temperature)] if temperature else [],
            )[:, width:]
        seconds = (time.monotonic() - began) / len(requests)
        ends = _end_ids(tokenizer, model)
        for request, row, mask in zip(requests, ids.tolist(), batch["attention_mask"], strict=True):
            end = next((place for place, token in enumerate(row) if token in ends), None)
            text = tokenizer.decode(row[:end], skip_special_tokens=True)
            reply = Reply(text, "length" if end is None else "stop", int(mask.sum()), len(row[:end]), ask + 1, seconds)
            self._store.add(request.key, request.model, reply, 0.0)

    def _prompt(self, request: Request) -> str:
        from jinja2 import TemplateError

        tokenizer, _ = self._loaded
        options: dict[str, Any] = {"tokenize": False, "add_generation_prompt": True}
        options["enable_thinking"] = self._config.local.thinking  # templates without such a switch do not look at it
        try:
            return str(tokenizer.apply_chat_template(list(request.messages), **options))
        except TemplateError:  # some templates know no system message: the instructions then begin the user's
            text = "\n\n".join(message["content"] for message in request.messages)
            return str(tokenizer.apply_chat_template([{"role": "user", "content": text}], **options))

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from openclap.models.text.backbone import quiet_transformers

        config = self._config.local
        name = self._config.model
        try:
            with quiet_transformers():
                tokenizer = AutoTokenizer.from_pretrained(name, padding_side="left")
                model, report = AutoModelForCausalLM.from_pretrained(
                    name, dtype=config.dtype, use_safetensors=True, output_loading_info=True
                )
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise CaptionError(
                f"model {name!r} cannot be loaded as a causal language model: {first_line(error)}"
            ) from error
        if missing := sorted(report["missing_keys"]):
            raise CaptionError(f"model {name!r} lacks weights that its config calls for: {some(missing)}")
        if tokenizer.chat_template is None:
            raise CaptionError(f"model {name!r} has no chat template: take one that was trained to follow instructions")
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        model.generation_config.update(temperature=None, top_p=None, top_k=None)  # sampling is ours
        return tokenizer, model.to(device_for(config.device)).eval()


def _end_ids(tokenizer: Any, model: Any) -> set[int]:
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    return {end for end in [*ends, tokenizer.eos_token_id] if end is not None}
