"""Where sound comes from: the kinds of source, their names in messages, and encoded ones as an open file."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt
from torch import Tensor

from openclap.audio.members import member_of, open_member
from openclap.errors import AudioDecodeError, AudioFormatError, AudioNotFoundError, EmptyAudioError
from openclap.types import Waveform


@runtime_checkable
class BinaryFile(Protocol):
    """What is asked of a file object: to read bytes and to seek. It is less than `typing.BinaryIO` asks."""

    def read(self, size: int = -1, /) -> bytes: ...  # noqa: D102
    def seek(self, offset: int, whence: int = 0, /) -> int: ...  # noqa: D102
    def tell(self) -> int: ...  # noqa: D102
    def seekable(self) -> bool: ...  # noqa: D102


AudioSource: TypeAlias = str | os.PathLike[str] | bytes | BinaryFile | npt.NDArray[Any] | Tensor | Waveform
"""A path, an encoded file's bytes, an open binary file, samples as an array, or a waveform.

A path may be that of a member of a tar archive (`openclap.audio.members`)."""


_RATES_HZ = range(100, 10_000_001)  # beyond, a broken header is likelier than a sound


def source_name(source: AudioSource) -> str:
    """What stands for a source in messages: its path, or "<bytes>", "<array>", "<waveform>", "<file>"."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return "<bytes>"
    if isinstance(source, np.ndarray | Tensor):
        return "<array>"
    if isinstance(source, Waveform):
        return "<waveform>"
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "<file>"


def checked_rate(rate_hz: int, name: str) -> int:
    """The rate itself.

    Raises:
        AudioFormatError: if no sound has such a rate.
    """
    if rate_hz not in _RATES_HZ:
        limits = f"{_RATES_HZ.start} Hz to {_RATES_HZ.stop - 1} Hz"
        raise AudioFormatError(name, f"a rate of {rate_hz} Hz is outside {limits}")
    return int(rate_hz)


@contextmanager
def opened(source: AudioSource) -> Iterator[BinaryFile]:
    """An encoded source as a seekable binary file at its beginning.

    A file object is read from its beginning, and is left where it was; one that cannot seek is read into memory.

    Raises:
        AudioNotFoundError: if there is no such file.
        AudioDecodeError: if it cannot be opened.
        AudioFormatError: if it is nothing that could hold encoded sound.
        EmptyAudioError: if it has no bytes.
    """
    if isinstance(source, str | os.PathLike):
        with _opened_path(source) as file:
            yield _not_empty(file, source_name(source))
    elif isinstance(source, bytes | bytearray | memoryview):
        yield _not_empty(io.BytesIO(source), "<bytes>")
    elif isinstance(source, np.ndarray | Tensor | Waveform) or not hasattr(source, "read"):
        kinds = "a path, bytes, a binary file, an array or a Waveform"
        raise AudioFormatError(f"<{type(source).__name__}>", f"is no encoded sound: give {kinds}")
    elif hasattr(source, "encoding"):  # text files have one, binary files none
        raise AudioFormatError(source_name(source), "the file object gives text; open it in binary mode ('rb')")
    elif not source.seekable():
        yield _not_empty(io.BytesIO(source.read()), source_name(source))
    else:
        position = source.tell()
        try:
            yield _not_empty(source, source_name(source))
        finally:
            source.seek(position)


def _opened_path(path: str | os.PathLike[str]) -> io.BufferedReader:
    if (member := member_of(path)) is not None:
        return open_member(member)
    try:
        if Path(path).is_fifo():  # to open one waits for who writes to it: for ever, if nobody does
            raise AudioDecodeError(os.fspath(path), "is a pipe, not a file; read it first, and give its bytes")
        return open(path, "rb")  # noqa: PTH123 - the caller closes it; a path may also be a plain string
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AudioNotFoundError(os.fspath(path), "there is no such file") from error
    except IsADirectoryError as error:
        raise AudioDecodeError(os.fspath(path), "is a folder, not a sound file") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise AudioDecodeError(os.fspath(path), f"cannot be opened ({error})") from error


def _not_empty(file: BinaryFile, name: str) -> BinaryFile:
    if file.seek(0, io.SEEK_END) == 0:
        raise EmptyAudioError(name, "the file has 0 bytes")
    file.seek(0)
    return file
