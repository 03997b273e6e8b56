"""Requests and replies as files, for servers that take many at once overnight at half the price.

The format is that of OpenAI's Batch API, which vLLM (`vllm run-batch`) and others read too: JSON Lines, a request a
line, each with a `custom_id`; of the results the order is free, and some may have failed. The id is the digest of the
request: results find their place in the store of replies whichever machine, run or order they come from.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from openclap.atomic import file_written_whole
from openclap.captions.llm.config import CostConfig
from openclap.captions.llm.replies import is_final, output_parameters, read_completion
from openclap.captions.llm.request import Request
from openclap.captions.llm.store import ReplyStore
from openclap.errors import CaptionError

MOST_REQUESTS, MOST_BYTES = 50_000, 190_000_000
"""What OpenAI takes in one file (200 MB, with some room)."""


@dataclass
class BatchResults:
    """What result files held.

    Attributes:
        kept: replies that are now in the store.
        known: replies that were in it before, and were not counted again.
        failed: requests without a reply, by reason; a batch file that is written again holds them.
    """

    kept: int = 0
    known: int = 0
    failed: Counter[str] = field(default_factory=Counter)


def write_batch(
    requests: Iterable[Request],
    path: Path,
    *,
    output: str = "schema",
    most_requests: int = MOST_REQUESTS,
    most_bytes: int = MOST_BYTES,
) -> list[tuple[Path, int]]:
    """Write requests, equal ones once, into as many files as the limits need.

    Files that a longer run left under the next numbers are deleted, as those under the same numbers are written over:
    all that is in them would be written again if it were still to be asked, and `x*.jsonl` are those of one run.

    Returns:
        Each file (x.jsonl, x-2.jsonl, …) with the number of its requests; none where there was nothing to ask.

    Raises:
        CaptionError: if something else than a batch lies where a file of it belongs.
    """
    _refuse_other(path, path)
    written: list[tuple[Path, int]] = []
    seen: set[bytes] = set()
    lines: list[bytes] = []
    size = 0

    def finish() -> None:
        file = _numbered(path, len(written) + 1)
        _refuse_other(file, path)
        with file_written_whole(file) as fresh, fresh.open("wb") as stream:
            stream.writelines(lines)
        written.append((file, len(lines)))

    for request in requests:
        key = bytes.fromhex(request.key)
        if key in seen:
            continue
        seen.add(key)
        line = _line(request, output)
        if lines and (len(lines) == most_requests or size + len(line) > most_bytes):
            finish()
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        finish()
    number = len(written) + 1
    while _is_batch(stale := _numbered(path, number)):
        stale.unlink()
        number += 1
    return written


def read_batch(paths: Iterable[Path], store: ReplyStore, *, model: str, cost: CostConfig) -> BatchResults:
    """Put the replies of result (and error) files into the store, and count what they cost, once.

    Args:
        paths: the files as the server gave them.
        store: where the replies go.
        model: whose they are.
        cost: the prices; a batch is often half as dear.

    Raises:
        CaptionError: if a file cannot be read, or none of its lines is a result.
    """
    results = BatchResults()
    for path in paths:
        before, unread = results.kept + results.known + results.failed.total(), results.failed[_NO_RESULT]
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    if line.strip():
                        _take(line, store, model, cost, results)
        except OSError as error:
            raise CaptionError(f"{path}: cannot be read ({error.strerror})") from error
        unread = results.failed[_NO_RESULT] - unread
        if unread and results.kept + results.known + results.failed.total() - before == unread:
            what = "holds the requests of a batch, and not its results" if _is_batch(path) else "holds no results"
            raise CaptionError(f"{path} {what}: give a file as the server returned it; each line is like {_EXAMPLE}")
    return results


_NO_RESULT = "line is no result"
_EXAMPLE = '{"custom_id": …, "response": {"status_code": 200, "body": {…}}, "error": null}'


def _numbered(path: Path, number: int) -> Path:
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


def _refuse_other(file: Path, batch: Path) -> None:
    if file.exists() and not _is_batch(file):
        raise CaptionError(f"{file} belongs to the batch {batch}, but holds no requests: give the batch another name")


def _is_batch(path: Path) -> bool:
    """Whether a file is one that `write_batch` has written, going by its first line."""
    try:
        with path.open(encoding="utf-8") as file:
            values = json.loads(file.readline(_MOST_CHARACTERS))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(values, dict) and list(values) == ["custom_id", "method", "url", "body"]


_MOST_CHARACTERS = 1 << 24  # a line without end is no request


def _line(request: Request, output: str) -> bytes:
    body = request.body() | output_parameters(output)
    values = {"custom_id": request.key, "method": "POST", "url": "/v1/chat/completions", "body": body}
    return (json.dumps(values, ensure_ascii=False) + "\n").encode()


def _take(line: str, store: ReplyStore, model: str, cost: CostConfig, results: BatchResults) -> None:
    try:
        values = json.loads(line)
        key, response, error = values["custom_id"], values.get("response"), values.get("error")
    except (ValueError, TypeError, KeyError, AttributeError):  # as the last line of a download that broke off
        results.failed[_NO_RESULT] += 1
        return
    if not isinstance(key, str) or not re.fullmatch(r"[0-9a-f]{64}", key):
        results.failed["custom_id is not of these requests"] += 1
        return
    if not {"response", "error"} & values.keys():  # as in a request
        results.failed[_NO_RESULT] += 1
        return
    if error or not isinstance(response, dict) or response.get("status_code") != 200:
        results.failed[_reason(response, error)] += 1
        return
    try:
        reply = read_completion(response.get("body"))
    except ValueError as broken:
        results.failed[str(broken)] += 1
        return
    there = store.get(key)
    if there is not None and is_final(there, there.asked + 1):
        results.known += 1
        return
    reply = replace(reply, asked=there.asked + 1 if there else 1)
    # A reply that cannot be read gives way to the next one, and is no longer there when its file is read once more. The
    # line tells it from another with the same text: servers give each an id.
    passing = not is_final(reply, reply.asked + 1)
    once = hashlib.blake2b(line.strip().encode(), digest_size=16).digest() if passing else None
    if store.add(key, model, reply, cost.of(reply.tokens_in, reply.tokens_out), once=once):
        results.kept += 1
    else:
        results.known += 1


def _reason(response: Any, error: Any) -> str:
    if isinstance(error, dict):
        return str(error.get("code") or error.get("message") or "error")[:100]
    status = response.get("status_code") if isinstance(response, dict) else None
    return f"status {status}" if status else "no response"
