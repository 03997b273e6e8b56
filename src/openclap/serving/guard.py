"""What keeps a page on this machine from everyone but the person who started it.

A server on 127.0.0.1 is within reach of every web site that the same person's browser shows. Three things keep them
out: a secret in the path of every address; a `Host` that names this machine, so that no foreign name that has been
pointed at 127.0.0.1 gets an answer (DNS rebinding); and requests from other origins are refused. Answers carry a
Content-Security-Policy under which the browser runs no script but the files of the page itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})  # any port: a tunnel (ssh -L) may have another than the server
_MOST_BODY_BYTES = 1 << 20
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def new_token() -> str:
    """A secret for one server's addresses."""
    return secrets.token_urlsafe(24)


class Guard:
    """An app that answers below `/TOKEN/` only, and only to pages of its own.

    Args:
        app: what is guarded; it sees paths without the token.
        token: the secret, as `new_token` makes it.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        # Compared by what it says and not by what it may be: nothing about the token shows in the time that this takes.
        first, slash, rest = scope["path"].removeprefix("/").partition("/")
        if not secrets.compare_digest(first.encode(errors="replace"), self._token):
            await _refuse(send, 403, "Open the whole address that the command printed: it holds the key to this page.")
        elif refusal := _refusal(scope["method"], headers):
            await _refuse(send, *refusal)
        elif not slash:  # the page's addresses are relative to its own
            await _answer(send, 308, "", [(b"location", b"/" + self._token + b"/")])
        else:
            inner = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode(), "root_path": ""}
            await self._app(inner, receive, _with_headers(send))


def _refusal(method: str, headers: Mapping[str, str]) -> tuple[int, str] | None:
    """Status and reason, if a request with the right token is still not from the page itself."""
    host = headers.get("host", "")
    if host.rpartition(":")[0] not in _HOSTS and host not in _HOSTS:
        return 400, "This server answers to 127.0.0.1 and localhost only."
    own_origin = headers.get("origin", f"http://{host}") == f"http://{host}"
    if not own_origin or headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return 403, "Other web sites may not ask this server."
    return None if method in {"GET", "HEAD"} else _unfit_body(headers)


def _unfit_body(headers: Mapping[str, str]) -> tuple[int, str] | None:
    if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return 415, "Changes are sent as application/json."  # which no other site's form can send unasked
    length = headers.get("content-length", "")
    if not length.isdecimal():
        return 411, "Changes are sent with their length."
    return (413, f"Changes take at most {_MOST_BODY_BYTES} bytes.") if int(length) > _MOST_BODY_BYTES else None


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *_missing(message["headers"])]}
        await send(message)

    return sending


def _missing(present: Any) -> list[tuple[bytes, bytes]]:
    names = {name.lower() for name, _ in present}
    wanted = {**_HEADERS, "cache-control": "no-store"}
    return [(name.encode(), value.encode()) for name, value in wanted.items() if name.encode() not in names]


async def _refuse(send: Send, status: int, reason: str) -> None:
    await _answer(send, status, reason, [(b"content-type", b"text/plain; charset=utf-8")])


async def _answer(send: Send, status: int, text: str, headers: list[tuple[bytes, bytes]]) -> None:
    body = text.encode()
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *_missing(headers)]})
    await send({"type": "http.response.body", "body": body})
