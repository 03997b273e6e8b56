"""What a model has to answer with, and reading what it did answer with."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from openclap.captions.llm.store import Reply


class Captions(BaseModel):
    """The form of an answer."""

    model_config = ConfigDict(extra="forbid")

    captions: list[str]


SCHEMA: dict[str, Any] = Captions.model_json_schema()
TOOL = "write_captions"


def output_parameters(output: str) -> dict[str, Any]:
    """What a request carries so that the reply is JSON: the schema, a tool with that schema, or nothing."""
    if output == "schema":
        schema = {"name": TOOL, "strict": True, "schema": SCHEMA}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    if output == "tool":
        function = {"name": TOOL, "description": "Hand in the captions.", "parameters": SCHEMA}
        return {
            "tools": [{"type": "function", "function": function}],
            "tool_choice": {"type": "function", "function": {"name": TOOL}},
        }
    return {}


def read_completion(body: Any) -> Reply:
    """The reply in a chat completion, as the server or a batch file gives it.

    Raises:
        ValueError: if it is no chat completion.
    """
    try:
        choice = body["choices"][0]
        message = choice["message"]
        calls = message.get("tool_calls")
        text = calls[0]["function"]["arguments"] if calls else message.get("content")
        usage = body.get("usage") or {}
        tokens = [_count(usage.get(key)) for key in ("prompt_tokens", "completion_tokens")]
        finish = "refused" if message.get("refusal") else choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"it is no chat completion ({type(error).__name__}: {error})") from error
    text = message.get("refusal") or text or ""
    if isinstance(text, Mapping):  # some servers hand arguments over as an object
        text = json.dumps(text)
    if not isinstance(text, str):
        raise ValueError(f"its content is a {type(text).__name__}, not a text")  # noqa: TRY004
    # Half a character is no UTF-8, and could not be kept: what was paid would be lost, and asked for again.
    text, finish = (part.encode(errors="replace").decode() for part in (text, str(finish or "stop")))
    return Reply(text, finish, *tokens)


def read_captions(reply: Reply) -> list[str]:
    """The captions in a reply; what a model thought aloud, and fences around the JSON, are passed over.

    Raises:
        ValueError: with a short reason, if they cannot be read.
    """
    if reply.finish in {"refused", "content_filter"}:
        raise ValueError("refused by the model")
    text = _THOUGHT.sub("", reply.text)
    starts = (match.start() for match in re.finditer(r"\{", text))
    for start in islice(starts, _MOST_STARTS):
        try:
            values, _ = json.JSONDecoder().raw_decode(text, start)
            return [" ".join(caption.split()) for caption in Captions.model_validate(values).captions]
        except (ValueError, ValidationError, RecursionError):
            continue
    raise ValueError("cut off at max_tokens" if reply.finish == "length" else "reply is not the JSON asked for")


def is_final(reply: Reply, asks: int) -> bool:
    """Whether asking again would not help: the reply can be read, was cut off or refused, or was asked for enough."""
    if reply.asked >= asks or reply.finish in {"length", "refused", "content_filter"}:
        return True
    try:
        read_captions(reply)
    except ValueError:
        return False
    return True


def _count(value: Any) -> int:
    """A number of tokens; 0, as of a server that does not count, for what cannot be one: the reply itself is good."""
    counted = isinstance(value, int | float) and 0 <= value <= _MOST_TOKENS
    return int(value) if counted else 0


_MOST_TOKENS = 1 << 40
# Braces that are tried as the beginning: a reply of nothing but braces must not cost seconds.
_MOST_STARTS = 64
_THOUGHT = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
