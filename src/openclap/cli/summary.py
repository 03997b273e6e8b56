"""Short words about things, for lists."""

from __future__ import annotations

from typing import Any


def first_line(thing: Any) -> str:
    """The first sentence of a docstring, without its full stop."""
    paragraph = (thing.__doc__ or "").strip().split("\n\n", 1)[0]
    return " ".join(paragraph.split()).split(". ", 1)[0].rstrip(".")
