"""One exchange with an OpenAI-compatible server, and what its failures mean."""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from openclap.captions.llm.config import ServerConfig
from openclap.captions.llm.replies import read_completion
from openclap.captions.llm.store import Reply
from openclap.data.transfer import retry_after_s
from openclap.errors import CaptionError
from openclap.optional import require

# What the connection never carried to the server cannot have been paid.
_NEVER_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout"}
_MAY_PASS = {408, 409, 425, 429}
_NEEDS_A_PERSON = {401, 402, 403, 404}
_NO_MONEY = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}


class MayPassError(Exception):
    """A failure that may be over soon.

    Args:
        reason: what happened.
        wait_s: how long the server asks to wait, if it says.
        crowded: whether it gets more than it takes, from this whole process.
        maybe_paid: whether it may have written a reply.
    """

    def __init__(
        self, reason: str, *, wait_s: float | None = None, crowded: bool = False, maybe_paid: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason, self.wait_s, self.crowded, self.maybe_paid = reason, wait_s, crowded, maybe_paid


class RefusedError(Exception):
    """The server does not take this request, and never will: its content, or a parameter that it does not know."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Server:
    """Sends chat completion requests.

    Args:
        config: where it is; must have a `base_url`.
        key: the API key, if it wants one. It is sent, and never shown: it is cut out of whatever the server says.

    Raises:
        MissingExtraError: if the package `openai` is not installed.
    """

    def __init__(self, config: ServerConfig, key: str | None) -> None:
        assert config.base_url is not None
        self._openai = require("openai", extra="captions", purpose="writing captions with a model at a server")
        self.url = config.base_url
        self._key = key
        # The client would tell every server which OpenAI account the environment names, and a key where there is none.
        silent = ["OpenAI-Organization", "OpenAI-Project", *([] if key else ["Authorization"])]
        self._silent = {name: self._openai.Omit() for name in silent}
        self._client = self._openai.OpenAI(
            base_url=config.base_url,
            api_key=key or "none",
            timeout=config.timeout_s,
            max_retries=0,
        )
        weakref.finalize(self, self._client.close)

    def send(self, body: Mapping[str, Any], name: str) -> Reply:
        """The reply to one request.

        Args:
            body: the request.
            name: the same for each try of it: a server that knows `Idempotency-Key` writes and bills it once.

        Raises:
            MayPassError: for what may be over soon.
            RefusedError: if the server does not take the request.
            CaptionError: for what a person has to mend: a wrong key, no such model, no money left.
        """
        began = time.monotonic()
        create = cast("Any", self._client).chat.completions.with_raw_response.create
        try:
            raw = create(**body, extra_headers={"Idempotency-Key": name, **self._silent})
            text = raw.http_response.text
        except self._openai.APITimeoutError as error:
            raise self._broken("no reply in time", error) from None
        except self._openai.APIStatusError as error:
            raise self._failure(error.status_code, error.response.headers, error.body, error.message) from None
        except self._openai.APIConnectionError as error:
            raise self._broken("the connection broke", error) from None
        except UnicodeError as error:
            raise MayPassError(f"the reply is no text ({error})", maybe_paid=True) from None
        try:
            reply = read_completion(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise MayPassError(self._clean(f"the reply cannot be read: {error}"), maybe_paid=True) from None
        return replace(reply, seconds=time.monotonic() - began)

    def _broken(self, what: str, error: Exception) -> MayPassError:
        cause = error.__cause__ or error
        if type(cause).__name__ in _NEVER_SENT:
            return MayPassError(self._clean(f"no connection ({cause})"))
        return MayPassError(self._clean(f"{what} ({cause})"), maybe_paid=True)

    def _failure(self, status: int, headers: Mapping[str, str], body: Any, message: str) -> Exception:
        reason = self._clean(f"{status}: {message}")
        code = str(body.get("code") or body.get("type")) if isinstance(body, Mapping) else ""
        if status in _NEEDS_A_PERSON or code in _NO_MONEY:
            return CaptionError(f"{self.url} refuses to work: {reason}")
        if status in _MAY_PASS or (status >= 500 and status != 501):
            return MayPassError(reason, wait_s=wait_s(headers), crowded=status in {429, 503})
        return RefusedError(status, reason)

    def _clean(self, text: str) -> str:
        """One short line without the key, and without what a terminal would obey."""
        if self._key:
            text = text.replace(self._key, "[key]")
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return text if len(text) <= 300 else f"{text[:299]}…"


def wait_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """How long a server asks to wait, in seconds: OpenAI's milliseconds, a number that need not be whole, or a date."""
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    seconds = _number(headers.get("retry-after"))
    return retry_after_s(headers.get("retry-after"), now) if seconds is None else seconds


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
