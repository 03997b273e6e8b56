"""Ways to break bytes and JSON values; each takes a `random.Random` and depends on nothing else."""

from __future__ import annotations

import json
import random
import struct
from typing import Any

_INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF0)
_STRANGE = (
    None, True, False, 0, 1, -1, 2, 3, 7, 2**31, -(2**63), 2**64, 10**9, 10**30, 0.5, -0.5, 1e308, 1e-308, float("nan"),
    float("inf"), "", "x", "0", "é", "\ud800", "\0", "../../etc/passwd", "a" * 10_000, [], {}, [[]], [None], [0] * 1000,
    {"": 0}, {"a": {"b": []}}, [1, "2", None],
)  # fmt: skip


def broken_bytes(rng: random.Random, data: bytes, head: int = 128) -> bytes:
    """The data with one to six faults, half of them in its head."""
    broken = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        if not broken:
            break
        end = min(len(broken), head) if rng.random() < 0.5 else len(broken)
        _FAULTS[rng.randrange(len(_FAULTS))](rng, broken, rng.randrange(end))
    return bytes(broken)


def _flip(rng: random.Random, data: bytearray, at: int) -> None:
    data[at] ^= 1 << rng.randrange(8)


def _byte(rng: random.Random, data: bytearray, at: int) -> None:
    data[at] = rng.randrange(256)


def _number(rng: random.Random, data: bytearray, at: int) -> None:
    code = rng.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
    size = struct.calcsize(code)
    value = rng.choice((*_INTERESTING, rng.getrandbits(8 * size))) % (1 << (8 * size))
    data[at : at + size] = struct.pack(code, value)


def _cut(rng: random.Random, data: bytearray, at: int) -> None:
    del data[at:]


def _remove(rng: random.Random, data: bytearray, at: int) -> None:
    del data[at : at + rng.randint(1, 64)]


def _repeat(rng: random.Random, data: bytearray, at: int) -> None:
    data[at:at] = data[at : at + rng.randint(1, 64)] * rng.randint(1, 4)


def _zero(rng: random.Random, data: bytearray, at: int) -> None:
    length = rng.randint(1, 256)
    data[at : at + length] = bytes(len(data[at : at + length]))


def _noise(rng: random.Random, data: bytearray, at: int) -> None:
    data[at:at] = rng.randbytes(rng.randint(1, 64))


_FAULTS = (_flip, _flip, _byte, _byte, _number, _number, _number, _cut, _remove, _repeat, _zero, _noise)


def broken_json(rng: random.Random, text: str) -> bytes:
    """The document with other values, keys or forms; or with broken bytes."""
    kind = rng.random()
    if kind < 0.15:
        return broken_bytes(rng, text.encode())
    if kind < 0.2:
        return rng.choice(
            (b"", b"null", b"[]", b"{}", b"0", b'"x"', b"\xff\xfe{}", b"[" * 200_000, b'{"a":' * 100_000, b"9" * 10_000,
             b"\xef\xbb\xbf" + text.encode(), text.encode("utf-16"), text.encode() + text.encode())
        )  # fmt: skip
    values = json.loads(text)
    for _ in range(rng.randint(1, 3)):
        values = _changed(rng, values)
    return json.dumps(values).encode()


def _changed(rng: random.Random, values: Any) -> Any:
    """The tree with one node changed."""
    if isinstance(values, dict) and values and rng.random() < 0.9:
        key = rng.choice(sorted(values))
        kind = rng.random()
        if kind < 0.1:
            return {name: value for name, value in values.items() if name != key}
        if kind < 0.15:
            return {**values, key + "x": values[key]}
        return {**values, key: _changed(rng, values[key])}
    if isinstance(values, list) and values and rng.random() < 0.9:
        at = rng.randrange(len(values))
        kind = rng.random()
        if kind < 0.1:
            return values[:at] + values[at + 1 :]
        if kind < 0.2:
            return values[: at + 1] * 3
        return [*values[:at], _changed(rng, values[at]), *values[at + 1 :]]
    if isinstance(values, int | float) and not isinstance(values, bool) and rng.random() < 0.5:
        return rng.choice((values + 1, values - 1, -values, values * 2, values * 1000, values / 2, str(values)))
    return rng.choice(_STRANGE)
