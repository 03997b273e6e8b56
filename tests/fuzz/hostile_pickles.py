"""Files of PyTorch's format that want to run something, to fill memory, to recurse, or to lie about sizes."""

from __future__ import annotations

import io
import os
import pickle
import random
import shutil
import struct
import zipfile
from pathlib import Path
from typing import Any

import torch

_GLOBALS = (
    "os\nsystem",
    "posix\nsystem",
    "subprocess\nPopen",
    "builtins\neval",
    "torch\nload",
    "torch.hub\nload",
    "torch.serialization\nload",
    "numpy\nload",
    "numpy.core.multiarray\n_reconstruct",
    "__main__\nx",
    "a" * 9999 + "\nb",
)


def hostile_pickle(rng: random.Random, canary: str) -> bytes:
    """One of them.

    Args:
        rng: chooses.
        canary: a file that is made when the code in the pickle is run.
    """
    return rng.choice((_call, _call, _call, _nested, _bomb, _lengths, _global, _members, _storage))(rng, canary)


class _Runs:
    """Pickles to a call; loading it as pickle does would make the call."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self._call, self._arguments = call, arguments

    def __reduce__(self) -> Any:
        return self._call, self._arguments


def _call(rng: random.Random, canary: str) -> bytes:
    call = rng.choice(
        (
            _Runs(os.system, f"touch {canary}"),
            _Runs(eval, f"open({canary!r}, 'w')"),
            _Runs(exec, f"open({canary!r}, 'w')"),
            _Runs(Path.touch, Path(canary)),
            _Runs(shutil.copy, __file__, canary),
            _Runs(__import__, "this"),
        )
    )
    content = rng.choice(
        ({"state_dict": call}, {"state_dict": {"logit_scale_a": call}}, call, [call], {"model": {}, "x": call})
    )
    kind = rng.randrange(3)
    if kind == 0:
        return pickle.dumps(content, protocol=rng.choice((0, 2, 4)))
    if kind == 1:
        return _zipped(pickle.dumps(content, protocol=2))
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=rng.random() < 0.5)
    return file.getvalue()


def _nested(rng: random.Random, _: str) -> bytes:
    depth = rng.choice((1000, 50_000))
    opening, closing = rng.choice(((b"(", b"t"), (b"]", b"a"), (b"(", b"l")))
    return _framed(rng, b"\x80\x02" + opening * depth + b"N" + closing * depth + b".")


def _bomb(rng: random.Random, _: str) -> bytes:
    """Small on the disk, and up to a gigabyte in memory."""
    return _zipped(b"\x80\x02" + bytes(rng.choice((10**7, 10**8))), compression=zipfile.ZIP_DEFLATED)


def _lengths(rng: random.Random, _: str) -> bytes:
    """Texts and numbers that say they are longer than the file."""
    code = rng.choice((b"X", b"T", b"B", b"\x8a", b"\x8b", b"\x8d", b"\x8e"))
    return _framed(rng, b"\x80\x04" + code + rng.choice((b"\xff" * 8, b"\xff\xff\xff\x7f" * 2)) + b"abc.")


def _global(rng: random.Random, canary: str) -> bytes:
    argument = struct.pack("<I", len(canary)) + canary.encode()
    return _framed(rng, b"\x80\x02c" + rng.choice(_GLOBALS).encode() + b"\nX" + argument + b"\x85R.")


def _members(rng: random.Random, _: str) -> bytes:
    """An archive of many members, whose names would leave the folder if they were unpacked."""
    file = io.BytesIO()
    prefix = rng.choice(("../../x", "/x", "archive/data/", "data.pkl"))
    with zipfile.ZipFile(file, "w") as archive:
        for place in range(rng.choice((1, 100, 5000))):
            archive.writestr(f"{prefix}{place}", b"")
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
    return file.getvalue()


def _storage(rng: random.Random, _: str) -> bytes:
    """A tensor that says it is larger than its storage, or than any."""
    size = rng.choice((b"J\xff\xff\xff\x7f", b"J\xff\xff\xff\xff", b"\x8a\x08" + b"\xff" * 7 + b"\x7f", b"K\x04"))
    storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu" + size + b"tQ"
    tensor = (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + b"K\0(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft(K\x01K\x01t\x89}tR"
    )
    return _framed(rng, b"\x80\x02}X\x01\0\0\0a" + tensor + b"s.")


def _framed(rng: random.Random, stream: bytes) -> bytes:
    """A pickle as PyTorch stores it: alone, or in an archive."""
    return stream if rng.random() < 0.4 else _zipped(stream)


def _zipped(stream: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("archive/data.pkl", stream)
        archive.writestr("archive/version", b"3\n")
        archive.writestr("archive/data/0", bytes(64))
    return file.getvalue()
