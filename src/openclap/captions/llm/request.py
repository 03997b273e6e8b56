"""What a model is asked, known by the digest of all of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from openclap.config import digest

# Tokens that a chat template and the description of the answer's form add to the messages' own; generous.
_EXTRA_TOKENS = 160


@dataclass(frozen=True)
class Request:
    """One request for captions of one clip.

    Attributes:
        model: the model's name.
        messages: the instructions, and the clip as data.
        parameters: of the sampling: temperature, seed, max_tokens; those that are left to the server are absent.
        about: what else decides the reply: the prompt's name and digest, and of a local model its files.
        likely_out: tokens that will likely be written; decides nothing but estimates.
    """

    model: str
    messages: tuple[dict[str, str], ...]
    parameters: dict[str, Any]
    about: tuple[str, ...]
    likely_out: int = 60

    @cached_property
    def key(self) -> str:
        """Digest of the prompt, the model, the parameters and the clip: equal requests have equal replies."""
        return digest([self.model, self.messages, self.parameters, self.about])

    def body(self, *, ask: int = 0) -> dict[str, Any]:
        """The request as a server takes it, without what makes the reply JSON.

        Args:
            ask: how often it was asked before in vain: the seed moves on, for the same would give the same reply.
        """
        body = {"model": self.model, "messages": list(self.messages), **self.parameters}
        return body | ({"seed": body["seed"] + ask} if "seed" in body else {})

    @property
    def likely_tokens(self) -> tuple[int, int]:
        """Tokens that are likely read and written: a token is some four bytes of English."""
        return self._bytes // 4 + _EXTRA_TOKENS // 2, min(
            self.likely_out, self.parameters.get("max_tokens", self.likely_out)
        )

    @property
    def most_tokens(self) -> tuple[int, int]:
        """Tokens that are read and written at most: none is shorter than a byte."""
        return self._bytes + _EXTRA_TOKENS, self.parameters.get("max_tokens", 0)

    @cached_property
    def _bytes(self) -> int:
        return sum(len(message["content"].encode()) for message in self.messages)
