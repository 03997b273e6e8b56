"""Replies in JSON that any value of a manifest survives, and errors as the page shows them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from openclap.errors import OpenclapError


class Reply(JSONResponse):
    """Plain values as JSON: NaN becomes its name, and half a character of a file name its escape in JSON."""

    def render(self, content: Any) -> bytes:
        """The reply's bytes."""
        return json.dumps(_plain(content), ensure_ascii=True, allow_nan=False, default=str).encode("ascii")


async def error_reply(request: Request, error: Exception) -> Reply:  # noqa: ARG001 - as Starlette calls it
    """What was raised on purpose, as `{"error": …, "reason": …}` with status 422."""
    reason = getattr(error, "reason", str(error)) if isinstance(error, OpenclapError) else str(error)
    return Reply({"error": type(error).__name__, "reason": reason}, status_code=422)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
