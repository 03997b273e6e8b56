"""A model, a prompt and gates put together: what the stages `llm` and `paraphrase` have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from openclap.captions.llm.client import ServerModel
from openclap.captions.llm.config import WritingConfig
from openclap.captions.llm.evidence import Event, Evidence
from openclap.captions.llm.gates import Gates
from openclap.captions.llm.language import language_name
from openclap.captions.llm.local import LocalModel
from openclap.captions.llm.prompts import load_prompt
from openclap.captions.llm.replies import is_final, read_captions
from openclap.captions.llm.request import Request
from openclap.captions.llm.store import Reply, ReplyStore
from openclap.captions.stage import Estimate, Made, Rejected
from openclap.captions.weights import folder_digest
from openclap.data.example import Example, MadeCaption
from openclap.errors import ConfigError
from openclap.text.titles import clean_title

# A title of a megabyte would be paid for by the token, and says no more than its beginning.
_MOST_CHARACTERS, _MOST_TEXTS = 1000, 10


class Model(Protocol):
    """What replies to requests."""

    def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """A reply to each request, in order."""
        ...


@dataclass(frozen=True)
class Task:
    """Captions to be written of one input.

    Attributes:
        captions: what people wrote, as `peoples_captions` has it.
        labels: classes that fit.
        events: what a tagger heard.
    """

    captions: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def of(self) -> tuple[str, ...]:
        """What the written captions are made from."""
        return self.captions or self.labels

    @property
    def known(self) -> list[str]:
        """All texts of which something is known about the clip; what file names say is among them."""
        titles = [clean_title(caption) for caption in self.captions]
        return [*self.captions, *titles, *self.labels, *(event.label for event in self.events)]

    def data(self) -> dict[str, Any]:
        """What the model is told; texts without end are cut."""
        values: dict[str, Any] = {"captions": _short(self.captions), "labels": _short(self.labels)}
        if self.events:
            values["events"] = [event.plain() for event in self.events]
        return {key: value for key, value in values.items() if value}


def peoples_captions(example: Example) -> tuple[str, ...]:
    """What people wrote of a clip, as it is in use: a caption for which a made one stands gives way to that."""
    replaced = example.replaced
    texts = [*example.captions, *(caption.text for caption in example.made if caption.replaces)]
    return tuple(dict.fromkeys(text for text in texts if text not in replaced))


class WritingStage:
    """A stage whose captions a language model writes.

    Attributes:
        config: its options.
        store: replies, and what they cost.
        model: what replies.

    Args:
        name: as registered.
        config: its options.
        tasks: the inputs that a clip and its events give.

    Raises:
        ConfigError: if an option does not fit.
        CaptionError: if the store of replies cannot be used.
    """

    def __init__(
        self, name: str, config: WritingConfig, tasks: Callable[[Example, tuple[Event, ...]], list[Task]]
    ) -> None:
        self.name = name
        self.config = config
        self.batch_size = config.local.batch_size if self._is_local else 1
        self.concurrency = 1 if self._is_local else config.server.concurrency
        self._tasks = tasks
        self._prompt = load_prompt(config.prompt)
        self._language = language_name(config.gates.language)
        self._evidence = Evidence(
            config.evidence.source, min_score=config.evidence.min_score, most=config.evidence.most
        )
        self.store = ReplyStore(config.store)
        self._gates = Gates(config.gates, self.store)
        # One for all threads, from the beginning. The weights of a local one are read when it is first asked.
        self.model: Model = (LocalModel if self._is_local else ServerModel)(config, self.store)

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides what is written and what passes; not where the server is, how fast, or what it costs."""
        config = self.config
        values = config.plain()
        values = {key: values[key] for key in ("model", "backend", "captions", "temperature", "seed", "max_tokens")}
        gates = config.gates.plain() | {"synonyms": _file_digest(config.gates.synonyms)}
        evidence = config.evidence.plain()
        if config.evidence.source.endswith(".jsonl"):
            evidence["source"] = _file_digest(Path(config.evidence.source))
        prompt = [self._prompt.name, self._prompt.digest]
        local = list(self._local)
        return {"version": 1, **values, "prompt": prompt, "gates": gates, "evidence": evidence, "local": local}

    @property
    def summary(self) -> str:
        """What a person should know after a run: how the server answered, and what was paid."""
        spent = self.store.spent()
        parts = [f"{spent.calls:,} replies in {self.store.path}"]
        if output := getattr(self.model, "output", None):
            parts.insert(0, _OUTPUT_WORDS[output])
        parts.append(f"{spent.tokens_in:,} tokens read and {spent.tokens_out:,} written")
        if self.config.cost.known:
            parts.append(f"{spent.cost:.4f} {self.config.cost.currency} spent")
        if spent.uncertain:
            parts.append(f"{spent.uncertain:.4f} of it on requests whose reply never came")
        return "; ".join(parts)

    def requests(self, example: Example) -> Iterator[tuple[Task, Request]]:
        """What the model is asked about a clip.

        Raises:
            ManifestError: if its events are not of the format.
        """
        config = self.config
        parameters = {"temperature": config.temperature, "seed": config.seed, "max_tokens": config.max_tokens}
        fields = {
            "count": config.captions,
            "min_words": config.gates.min_words,
            "max_words": config.gates.max_words,
            "language": self._language,
        }
        for task in self._tasks(example, self._evidence.of(example)):
            yield (
                task,
                Request(
                    config.model,
                    tuple(self._prompt.messages(task.data(), **fields)),
                    {key: value for key, value in parameters.items() if value is not None},
                    (self._prompt.name, self._prompt.digest, *self._local),
                    likely_out=20 + 40 * config.captions,
                ),
            )

    def missing(self, example: Example) -> list[Request]:
        """What the model would really be asked: requests to which there is no reply yet."""
        found = [request for _, request in self.requests(example)]
        return [request for request in found if not self._has_reply(request.key)]

    def estimate(self, examples: Sequence[Example]) -> Estimate:
        """Requests to which there is no reply yet, and what they would take.

        Tokens and seconds are those of earlier replies of the model, where the store holds some. Equal requests are
        counted once among these clips.
        """
        clips, keys, tokens_in, tokens_out = 0, set(), 0, 0
        for example in examples:
            asked = [request for _, request in self.requests(example)]
            clips += bool(asked)
            for request in asked:
                key = bytes.fromhex(request.key)[:12]
                if key in keys or self._has_reply(request.key):
                    continue
                keys.add(key)
                tokens_in += request.likely_tokens[0]
                tokens_out += request.likely_tokens[1]
        if self._is_local:  # no service: the pipeline times a few clips
            return Estimate(clips, note=self._note(len(keys)), seconds=None if keys else 0.0)
        calls, typical = len(keys), self.store.typical(self.config.model)
        if typical is not None:
            tokens_in, tokens_out = calls * typical.tokens_in, calls * typical.tokens_out
        cost = self.config.cost.of(tokens_in, tokens_out) if self.config.cost.known else None
        seconds = self._seconds(calls, tokens_in + tokens_out, typical)
        return Estimate(clips, calls, tokens_in, tokens_out, seconds, cost, self._note(calls))

    def make(self, examples: Sequence[Example]) -> list[Made]:
        """What the model writes of each clip, as far as it passes the gates.

        Raises:
            CaptionError: if the model cannot go on, or the budget is spent; all replies so far are kept.
        """
        asked = [list(self.requests(example)) for example in examples]
        replies = iter(self.model.ask([request for pairs in asked for _, request in pairs]))
        return [self._judged([(task, request, next(replies)) for task, request in pairs]) for pairs in asked]

    def _judged(self, answers: Sequence[tuple[Task, Request, Reply]]) -> Made:
        made: list[MadeCaption] = []
        rejected: list[Rejected] = []
        for task, request, reply in answers:
            try:
                written = read_captions(reply)[: self.config.captions]
            except ValueError as error:
                rejected.append(Rejected(reply.text[:200], str(error)))
                continue
            originals = [*task.captions, *(caption.text for caption in made)]
            passed, failed = self._gates.sort(written, originals=originals, known=task.known, key=request.key)
            rejected += failed
            details: dict[str, Any] = {"model": self._model_name, "prompt": self._prompt.name}
            details |= {"prompt_digest": self._prompt.digest, "request": request.key[:12]}
            details |= {"evidence": [event.plain() for event in task.events]} if task.events else {}
            made += [MadeCaption(text, self.name, of=task.of, details=details) for text in passed]
        return Made(tuple(made), rejected=tuple(rejected))

    @property
    def _is_local(self) -> bool:
        return self.config.backend == "local"

    @property
    def _model_name(self) -> str:
        """The model for provenance; of a folder its name, as the rest of the path is this machine's affair."""
        return Path(self.config.model).name if self._is_local else self.config.model

    @cached_property
    def _local(self) -> tuple[str, ...]:
        """What decides the replies of a local model besides its name."""
        if not self._is_local:
            return ()
        local = self.config.local
        return (folder_digest(Path(self.config.model)), local.dtype, str(local.thinking))

    def _has_reply(self, key: str) -> bool:
        reply = self.store.get(key)
        return reply is not None and is_final(reply, self.config.asks)

    def _seconds(self, calls: int, tokens: int, typical: Reply | None) -> float | None:
        """As long as the replies take or the server's limits make it, whichever is longer."""
        limits = self.config.server
        times = [calls * typical.seconds / self.concurrency] if typical and typical.seconds else []
        times += [calls / limits.requests_per_min * 60] if limits.requests_per_min else []
        times += [tokens / limits.tokens_per_min * 60] if limits.tokens_per_min else []
        return max(times) if times else (None if calls else 0.0)

    def _note(self, calls: int) -> str:
        limits = self.config.cost
        if not calls:
            return f"all replies are in {self.store.path} already"
        note = f"replies are kept in {self.store.path}"
        if limits.known:
            note += f"; cost in {limits.currency}"
        if limits.budget is not None:
            note += f"; {self.store.spent().cost:.4f} of {limits.budget} {limits.currency} are spent"
        return note


_OUTPUT_WORDS = {
    "schema": "the server takes a JSON schema",
    "tool": "the server knows no JSON schema: it is handed a tool with one",
    "plain": "the server knows neither JSON schemas nor tools: replies are JSON as the prompt asks",
}


def _short(texts: Sequence[str]) -> list[str]:
    return [text[:_MOST_CHARACTERS] for text in texts[:_MOST_TEXTS]]


def _file_digest(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
