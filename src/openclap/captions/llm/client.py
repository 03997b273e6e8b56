"""A model at a server as the stages see it: replies, each asked for once and kept before it is used."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from openclap.captions.llm.config import Output, WritingConfig
from openclap.captions.llm.rates import RateLimit
from openclap.captions.llm.replies import is_final, output_parameters
from openclap.captions.llm.request import Request
from openclap.captions.llm.server import MayPassError, RefusedError, Server
from openclap.captions.llm.store import Reply, ReplyStore
from openclap.errors import CaptionError, ConfigError
from openclap.optional import require

_OUTPUTS: tuple[Output, ...] = ("schema", "tool", "plain")


class ServerModel:
    """Asks a server, within its limits and the budget; a reply that is in the store is not asked for again.

    Args:
        config: the stage's options.
        store: where replies are kept.
        sleep: waits for so many seconds.
        environment: where the key is looked up.
    """

    def __init__(
        self,
        config: WritingConfig,
        store: ReplyStore,
        *,
        sleep: Callable[[float], None] = time.sleep,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._config, self._store, self._sleep = config, store, sleep
        self._tenacity = require("tenacity", extra="captions", purpose="writing captions with a model at a server")
        key = environment.get(config.server.key_env)
        self._lacks_key = not key and "key_env" in config.server.model_fields_set
        self._server = Server(config.server, key) if config.server.base_url else None
        self._rate = RateLimit(config.server.requests_per_min, config.server.tokens_per_min, sleep=sleep)
        self._output: Output | None = None if config.server.output == "auto" else config.server.output
        self._choosing = threading.Lock()
        self._not_there: tuple[float, CaptionError] | None = None
        self._same = _OneAtATime()
        self._longest = "max_tokens"
        self._has_replied = False

    @property
    def output(self) -> str | None:
        """How the server is made to answer in JSON; None while that is not known."""
        return self._output

    def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """A reply to each request, in order; may be called by several threads.

        A request that the server refuses, where it has answered others, gets a reply that says so (finish "refused").

        Raises:
            CaptionError: if the budget has no room, or the server does not answer. What has been replied is kept.
            ConfigError: if there is something to ask, and the variable that is to hold the key is not set.
        """
        return [self._ask(request) for request in requests]

    def _ask(self, request: Request) -> Reply:
        with self._same.turn(request.key):  # equal inputs at once are asked for by one, and found by the others
            reply = self._store.get(request.key)
            while reply is None or not is_final(reply, self._config.asks):
                try:
                    reply = self._exchange(request, asked=reply.asked if reply else 0)
                except RefusedError as error:
                    if not (self._model_has_replied() or self._config.server.skip_refused):
                        raise CaptionError(
                            f"{self._url} does not take the first request: {error.reason}. If it is only this clip's "
                            "text that it does not take, set server.skip_refused=true"
                        ) from None
                    return Reply(error.reason, "refused", asked=0)  # not kept: it cost nothing, and rules may change
            return reply

    def _model_has_replied(self) -> bool:
        """Whether the model is known to take such requests, from this run or one before."""
        self._has_replied = self._has_replied or self._store.typical(self._config.model) is not None
        return self._has_replied

    def _exchange(self, request: Request, asked: int) -> Reply:
        if self._server is None:
            raise CaptionError(
                f"no reply to some requests is in {self._store.path}, and there is no server to ask: set "
                "server.base_url, or write a batch file of what is missing"
            )
        if self._lacks_key:
            name = self._config.server.key_env
            raise ConfigError(
                f"server.key_env={name}, but there is no such environment variable, or it is empty: put the key into it"
                ", or leave server.key_env out if the server wants none"
            )
        output = self._output
        if output is None:
            came = time.monotonic()
            with self._choosing:  # one request finds out how, while the others wait
                output = self._output
                if output is None:
                    if self._not_there is not None and self._not_there[0] >= came:
                        raise CaptionError(str(self._not_there[1]))  # while this one waited: it need not try, too
                    try:
                        return self._first(request, asked)
                    except CaptionError as error:
                        self._not_there = time.monotonic(), error
                        raise
        return self._tried(request, output, asked)

    def _first(self, request: Request, asked: int) -> Reply:
        """The first reply of all, by the best way to JSON that the server does not refuse."""
        for output in _OUTPUTS:
            try:
                reply = self._tried(request, output, asked)
            except RefusedError:
                if output == _OUTPUTS[-1]:
                    raise
                continue
            self._output = output
            return reply
        raise AssertionError

    def _tried(self, request: Request, output: str, asked: int) -> Reply:
        """A reply, after as many tries as it takes."""
        retrying = self._tenacity.Retrying(
            retry=self._tenacity.retry_if_exception_type(MayPassError),
            stop=self._tenacity.stop_after_attempt(self._config.server.attempts),
            wait=self._pause,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            reply: Reply = retrying(self._once, request, output, asked)
        except MayPassError as error:
            tries = self._config.server.attempts
            raise CaptionError(f"{self._url} gave no reply in {tries} tries: {error.reason}. {_KEPT}") from None
        return reply

    def _once(self, request: Request, output: str, asked: int) -> Reply:
        assert self._server is not None
        body = request.body(ask=asked) | output_parameters(output)
        if "max_tokens" in body:
            body[self._longest] = body.pop("max_tokens")
        tokens = request.most_tokens
        self._rate.wait(sum(request.likely_tokens))
        call = self._reserve(request, self._config.cost.of(*tokens))
        try:
            reply = self._server.send(body, f"{request.key}-{asked}")
        except MayPassError as error:
            (self._store.lose if error.maybe_paid else self._store.release)(call)
            if error.crowded:
                self._rate.pause(min(error.wait_s or 0.0, self._config.server.longest_wait_s))
            raise
        except RefusedError as error:
            self._store.release(call)
            # OpenAI's newer models know only the other name. What this request had counts: another may have changed it.
            if "max_completion_tokens" in error.reason and "max_tokens" in body:
                self._longest = "max_completion_tokens"
                return self._once(request, output, asked)
            raise
        except CaptionError:
            self._store.release(call)
            raise
        if not reply.tokens_in + reply.tokens_out:  # a server that does not count: what is likely stands for it
            reply = replace(reply, tokens_in=request.likely_tokens[0], tokens_out=len(reply.text.encode()) // 4 + 1)
        reply = replace(reply, asked=asked + 1)
        cost = self._config.cost.of(reply.tokens_in, reply.tokens_out)
        self._store.settle(call, request.key, request.model, reply, cost)
        self._rate.correct(sum(request.likely_tokens), reply.tokens_in + reply.tokens_out)
        self._has_replied = True
        return reply

    def _reserve(self, request: Request, cost: float) -> int:
        limits = self._config.cost
        call = self._store.reserve(request.key, cost, limits.budget)
        if call is None:
            spent = self._store.spent()
            uncertain = f", {spent.uncertain:.4f} of it for requests without a reply" if spent.uncertain else ""
            raise CaptionError(
                f"the budget is spent: {spent.cost:.4f} of {limits.budget} {limits.currency}{uncertain}, and one more "
                f"request may cost {cost:.4f}. {_KEPT} With a higher cost.budget it goes on"
            )
        return call

    def _pause(self, state: Any) -> float:
        """Seconds before the next try: what the server asks for, or twice as long each time, with chance in it."""
        config = self._config.server
        error = state.outcome.exception()
        if error.wait_s is not None and error.wait_s > config.longest_wait_s:
            raise CaptionError(f"{self._url} asks to wait {error.wait_s:.0f} s ({error.reason}). {_KEPT}") from None
        # Chance keeps many threads and processes from coming back all at once; what is made does not depend on it.
        backoff = config.first_wait_s * 2.0 ** (state.attempt_number - 1) * random.uniform(0.5, 1.0)  # noqa: S311
        return float(max(error.wait_s or 0.0, min(backoff, config.longest_wait_s)))

    @property
    def _url(self) -> str:
        return str(self._config.server.base_url)


_KEPT = "What was replied is kept: the same command goes on from here."


class _OneAtATime:
    """Equal keys wait for each other; different ones do not."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._busy: set[str] = set()

    @contextmanager
    def turn(self, key: str) -> Iterator[None]:
        with self._condition:
            while key in self._busy:
                self._condition.wait()
            self._busy.add(key)
        try:
            yield
        finally:
            with self._condition:
                self._busy.discard(key)
                self._condition.notify_all()
