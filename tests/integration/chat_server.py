"""A real HTTP server that speaks the chat completions protocol, and fails as it is told to."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PRICE_IN, PRICE_OUT = 1.0, 4.0  # for a million tokens


class ChatServer:
    """Replies to chat completions; used as a context.

    Args:
        write: captions for what the user's message says of a clip, and how many are wanted.
        faults: what happens to the first requests, in order: a name of `_Handler.FAULTS`, or "" for none.
        outputs: which ways to JSON it knows; a request that uses another is refused.
        key: the API key that it wants.
        slow_s: how long it takes for each reply.
        retry_after: how long it asks to wait when it gets too much.

    Attributes:
        bodies: all requests, as they came.
        billed: tokens (read, written) of each reply that was written, by Idempotency-Key: written and billed once.
        statuses: how often each status was given, and each connection broken.
        most: after so many requests, replies are held back until this is raised; None for no end.
    """

    def __init__(
        self,
        write: Callable[[dict[str, Any]], Any] | None = None,
        *,
        faults: Iterable[str] = (),
        outputs: Iterable[str] = ("schema", "tool", "plain"),
        key: str | None = None,
        slow_s: float = 0.0,
        retry_after: str = "0.05",
    ) -> None:
        self.write = write or heard
        self.faults = list(faults)
        self.outputs, self.key, self.slow_s = set(outputs), key, slow_s
        self.retry_after = retry_after
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.billed: dict[str, tuple[int, int]] = {}
        self.statuses: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.most: int | None = None
        self._replies: dict[str, dict[str, Any]] = {}
        self._http = _Quiet(("127.0.0.1", 0), type("Handler", (_Handler,), {"owner": self}))
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> ChatServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @property
    def cost(self) -> float:
        """What all replies cost."""
        return sum(read * PRICE_IN + written * PRICE_OUT for read, written in self.billed.values()) / 1e6

    def fault(self) -> str:
        """What happens to the next request."""
        with self.lock:
            return self.faults.pop(0) if self.faults else ""

    def reply(self, body: dict[str, Any], name: str, spoilt: str) -> dict[str, Any]:
        """The completion of a request: the same again, and not billed again, for the same name."""
        with self.lock:
            if name in self._replies:
                return self._replies[name]
        text = json.dumps({"captions": self.write(json.loads(body["messages"][1]["content"]))})
        message: dict[str, Any] = {"role": "assistant", "content": text}
        finish = "stop"
        if "tools" in body:
            call = {"name": body["tool_choice"]["function"]["name"], "arguments": text}
            message |= {"content": None, "tool_calls": [{"id": "1", "type": "function", "function": call}]}
            finish = "tool_calls"
        if spoilt == "prose":
            message = {"role": "assistant", "content": "Well, it sounds like a lot of things."}
        elif spoilt == "cut":
            message, finish = {"role": "assistant", "content": text[:10]}, "length"
        elif spoilt == "refusal":
            message = {"role": "assistant", "content": None, "refusal": "I would rather not."}
        elif spoilt == "thoughts":
            message["content"] = f"<think>\nA {{dog}}?\n</think>\n```json\n{text}\n```"
        tokens = (len(json.dumps(body["messages"])) // 4, len(text) // 4)
        usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
        choice = {"index": 0, "message": message, "finish_reason": finish}
        completion = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [choice],
            "usage": usage,
        }
        with self.lock:
            self.billed[name] = tokens
            self._replies[name] = completion
        return completion


def heard(clip: dict[str, Any]) -> list[str]:
    """A caption that names what is known of a clip, as a good model would."""
    sounds = [event["label"] for event in clip.get("events", [])] or clip.get("labels") or clip["captions"]
    return [f"The sound of {' and then '.join(sounds).lower()} is heard clearly and close by"]


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is what the tests want."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: two would wait 40 ms for each other
    owner: ChatServer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def do_POST(self) -> None:
        owner = self.owner
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with owner.lock:
            owner.bodies.append(body)
            owner.headers.append({name.lower(): value for name, value in self.headers.items()})
            number = len(owner.bodies)
        while owner.most is not None and number > owner.most:
            time.sleep(0.005)
        fault = owner.fault()
        if self.path != "/v1/chat/completions":
            return self._send(404, {"error": {"message": "no such path", "code": None}})
        if owner.key is not None and self.headers["Authorization"] != f"Bearer {owner.key}":
            given = self.headers["Authorization"].removeprefix("Bearer ")
            return self._send(401, {"error": {"message": f"wrong key: {given}", "code": "invalid_api_key"}})
        if refusal := self._refusal(body):
            return self._send(400, {"error": {"message": refusal, "code": "unsupported_parameter"}})
        return self._fail(fault, body)

    def _refusal(self, body: dict[str, Any]) -> str:
        if "response_format" in body and "schema" not in self.owner.outputs:
            return "Unrecognized request argument supplied: response_format"
        if "tools" in body and "tool" not in self.owner.outputs:
            return "Unrecognized request argument supplied: tools"
        if "max_tokens" in body and "max_completion_tokens" in self.owner.outputs:
            return "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
        return ""

    def _fail(self, fault: str, body: dict[str, Any]) -> None:
        """Give the reply, or what the fault makes of it."""
        if fault.isdigit():
            errors = {"400": "content_policy_violation", "402": "insufficient_quota"}
            error = {"error": {"message": f"injected {fault}", "code": errors.get(fault)}}
            return self._send(
                int(fault), error, {"Retry-After": self.owner.retry_after} if fault in {"429", "503"} else {}
            )
        if fault == "disconnect":  # before anything was written
            self.owner.statuses["disconnect"] += 1
            return self._hang_up()
        completion = self.owner.reply(body, self.headers["Idempotency-Key"], fault)
        time.sleep(self.owner.slow_s)
        if fault == "timeout":
            time.sleep(0.6)
            return self._hang_up()
        if fault == "half":  # after it was written, and billed
            text = json.dumps(completion).encode()
            self._head(200, len(text), {})
            self.wfile.write(text[: len(text) // 2])
            self.wfile.flush()
            self.owner.statuses["half"] += 1
            return self._hang_up()
        if fault == "not-json":
            return self._send(200, "<html>Bad gateway</html>")
        if fault == "no-choices":
            return self._send(200, {"choices": []})
        return self._send(200, completion)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        text = (body if isinstance(body, str) else json.dumps(body)).encode()
        self._head(status, len(text), headers or {})
        self.wfile.write(text)

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        with self.owner.lock:
            self.owner.statuses[str(status)] += 1
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
