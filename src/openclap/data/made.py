"""Captions that were made, as manifests and journals hold them: read strictly, for provenance is to be relied on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from openclap.data.example import MadeCaption, NegativeCaption
from openclap.errors import did_you_mean


def read_made(value: Any) -> tuple[MadeCaption, ...]:
    """The made captions in a manifest's value: a list of objects, or its JSON text (as in a table's cell).

    Raises:
        ValueError: if it is anything else; the message goes after the column's name.
    """
    return tuple(
        MadeCaption(
            text=_text(item, "text"),
            maker=_text(item, "maker"),
            of=_texts(item, "of"),
            replaces=_flag(item, "replaces"),
            details=_mapping(item, "details"),
        )
        for item in _objects(value, ("text", "maker", "of", "replaces", "details"))
    )


def read_negatives(value: Any) -> tuple[NegativeCaption, ...]:
    """The negative captions in a manifest's value, as `read_made` reads the others.

    Raises:
        ValueError: if it is anything else.
    """
    keys = ("text", "kind", "of", "maker")
    return tuple(NegativeCaption(**{key: _text(item, key) for key in keys}) for item in _objects(value, keys))


def _objects(value: Any, keys: tuple[str, ...]) -> list[Mapping[str, Any]]:
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"takes a JSON list of objects, but is not JSON ({error})") from error
    if value is None or value == "":
        return []
    if not isinstance(value, list | tuple):
        given = type(value).__name__
        raise ValueError(f"takes a list of objects with {', '.join(keys)}, but holds a {given}")  # noqa: TRY004 - noted as a problem of the row
    for item in value:
        if not isinstance(item, Mapping):
            given = type(item).__name__
            raise ValueError(f"takes objects with {', '.join(keys)}, but one is a {given}")  # noqa: TRY004 - likewise
        for key in item:
            if key not in keys:
                raise ValueError(f"has an object with the key {key!r}{did_you_mean(str(key), keys)}")
    return list(value)


def _text(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not (text := " ".join(value.split())):
        raise ValueError(f"has an object whose {key} takes a text, but is {value!r}")
    return text


def _texts(item: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = item.get(key)
    values = [] if values is None else values
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"has an object whose {key} takes a list of texts, but is {values!r}")
    return tuple(values)


def _flag(item: Mapping[str, Any], key: str) -> bool:
    value = item.get(key)
    if value not in (None, False, True):
        raise ValueError(f"has an object whose {key} takes true or false, but is {value!r}")
    return bool(value)


def _mapping(item: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = item.get(key)
    if value is not None and not isinstance(value, Mapping):
        raise ValueError(f"has an object whose {key} takes an object, but is {value!r}")
    return dict(value or {})
