"""Options of the stages that let a language model write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from openclap.config import Config
from openclap.errors import ConfigError

Output = Literal["schema", "tool", "plain"]


class ServerConfig(Config):
    """An OpenAI-compatible server: vLLM, llama.cpp, Ollama or LM Studio on this machine, or a hosted one.

    Attributes:
        base_url: up to and with /v1. Without one only replies that are there already (as from batch files) are used.
        key_env: the environment variable that holds the API key; nothing is sent where it is not set, which is an error
            where it was named. The key itself stands in no option, file, log or message.
        output: how the server is made to answer in JSON: by its schema, by a tool's parameters, or by the prompt alone.
            "auto" takes the first of these that the server does not refuse.
        concurrency: requests at once.
        timeout_s: for one reply.
        attempts: tries of a request that fails in a way that may pass (429, 5xx, time-outs, broken connections).
        first_wait_s: the pause before the second try; it doubles from try to try, with chance in it.
        longest_wait_s: a server that asks for a longer pause ends the run, which is resumed by the same command.
        skip_refused: a request that is refused before the model has answered any, in this run or one before, counts as
            the clip's fault, and ends nothing.
        requests_per_min: the server's limit; requests are spaced evenly below it.
        tokens_per_min: the same for tokens, read and written.
    """

    base_url: str | None = None
    key_env: str = "OPENCLAP_LLM_API_KEY"
    output: Literal["auto"] | Output = "auto"
    concurrency: int = Field(default=4, ge=1, le=256)
    timeout_s: float = Field(default=120.0, gt=0)
    attempts: int = Field(default=6, ge=1)
    first_wait_s: float = Field(default=1.0, gt=0)
    longest_wait_s: float = Field(default=120.0, gt=0)
    skip_refused: bool = False
    requests_per_min: float | None = Field(default=None, gt=0)
    tokens_per_min: float | None = Field(default=None, gt=0)


class CostConfig(Config):
    """Prices, and what may be spent.

    Attributes:
        per_million_in: price of a million tokens that the model reads.
        per_million_out: price of a million tokens that it writes.
        budget: no request is sent that could bring what was paid into the store above this, over all runs with it.
        currency: a word for messages.
    """

    per_million_in: float = Field(default=0.0, ge=0)
    per_million_out: float = Field(default=0.0, ge=0)
    budget: float | None = Field(default=None, gt=0)
    currency: str = "USD"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.budget is not None and not (self.per_million_in or self.per_million_out):
            raise ValueError("a budget needs prices: set cost.per_million_in and cost.per_million_out")
        return self

    @property
    def known(self) -> bool:
        """Whether prices were given."""
        return bool(self.per_million_in or self.per_million_out)

    def of(self, tokens_in: float, tokens_out: float) -> float:
        """What so many tokens cost."""
        return (tokens_in * self.per_million_in + tokens_out * self.per_million_out) / 1e6


class LocalConfig(Config):
    """A model of Hugging Face `transformers` in this process.

    Attributes:
        device: "auto", "cpu" or "cuda".
        dtype: the weights' precision.
        batch_size: clips a pass.
        thinking: whether a model with a switch for it may reason first; what it reasons is dropped.
    """

    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    batch_size: int = Field(default=8, ge=1)
    thinking: bool = False


class GateConfig(Config):
    """What a written caption has to pass; one that does not is counted by its reason, and not used.

    Attributes:
        min_words: the fewest words.
        max_words: the most words.
        language: a code such as "en", which the prompt asks for; captions in another are rejected. "any" lets all pass.
        events: reject captions that name sound events which neither the evidence nor the original texts name (English).
        manner: let words pass that say how something sounds ("a low hum"), though they may be events of their own.
        related: reject captions that share no word, or kind of sound, with what is known of the clip.
        synonyms: a file of more words for sound events, in the form of the packaged `sound-events.txt`.
        most_alike: for how many different inputs the same caption may be written; 0 sets no limit.
    """

    min_words: int = Field(default=4, ge=1)
    max_words: int = Field(default=50, ge=1)
    language: str = "en"
    events: bool = True
    manner: bool = False
    related: bool = True
    synonyms: Path | None = None
    most_alike: int = Field(default=20, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is above max_words {self.max_words}")
        if self.language != "en" and (self.events or self.related):
            raise ValueError("events and related know English only: set gates.events=false and gates.related=false")
        return self


class EvidenceConfig(Config):
    """Where the events of a clip are found (`openclap.captions.llm.evidence` says in which form).

    Attributes:
        source: a column of the manifest, or a .jsonl file.
        min_score: events below are left out.
        most: so many of the surest events are told.
    """

    source: str = "events"
    min_score: float = 0.0
    most: int = Field(default=10, ge=0)


class WritingConfig(Config):
    """What the stages that let a language model write have in common.

    Attributes:
        model: its name at the server; with backend=local a folder or a hub name.
        backend: "server", or "local" for `transformers` in this process.
        prompt: a packaged prompt's name, or the path of a prompt file.
        captions: how many to write for each clip (`llm`) or caption (`paraphrase`), in one reply.
        temperature: of the sampling; None leaves it to the server, 0 takes the likeliest word.
        seed: of the sampling; None leaves it to the server.
        max_tokens: the longest reply; None leaves it to the server (needed by models that think at length).
        asks: how often the model is asked in all while its replies cannot be read.
        store: the file that keeps every reply, so that none is paid for twice, and counts what was paid.
    """

    model: str
    backend: Literal["server", "local"] = "server"
    prompt: str
    captions: int = Field(default=1, ge=1, le=16)
    temperature: float | None = Field(default=0.7, ge=0)
    seed: int | None = Field(default=0, ge=0)
    max_tokens: int | None = Field(default=400, ge=1)
    asks: int = Field(default=2, ge=1)
    store: Path = Path("llm-replies.sqlite")
    server: ServerConfig = ServerConfig()
    local: LocalConfig = LocalConfig()
    cost: CostConfig = CostConfig()
    gates: GateConfig = GateConfig()
    evidence: EvidenceConfig = EvidenceConfig()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.cost.budget is not None and self.max_tokens is None:
            raise ValueError("a budget needs max_tokens: without it no one knows what a reply may cost")
        return self

    @classmethod
    def from_options(cls, options: Mapping[str, Any], *, origin: str) -> Self:
        """A config of a stage's options.

        Raises:
            ConfigError: for a wrong option; never shows a value that may be a key.
        """
        config = cls.read(options, origin=origin)
        check_secrets(config.server)
        return config


def check_secrets(server: ServerConfig) -> None:
    """Refuse a server's options that hold a secret, without repeating it.

    Raises:
        ConfigError: if `key_env` is no name of a variable, or the URL holds a password or a query.
    """
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", server.key_env):
        raise ConfigError("server.key_env takes the *name* of an environment variable, as OPENAI_API_KEY, not the key")
    if server.base_url is None:
        return
    parts = urlsplit(server.base_url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError("server.base_url must hold no user, password or query: the key goes into the environment")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f"server.base_url is like http://127.0.0.1:8000/v1, but got {server.base_url!r}")
