"""What a PyTorch file is refused for before torch reads it: two ways to keep a machine busy that torch does not mind.

Both were found by the fuzz run (`make fuzz`): an archive that is small on the disk and gigabytes in memory; and the
name of a global so long that torch's search for advice takes minutes (its time grows with the square of the length).
"""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from openclap.errors import CheckpointError

_LONGEST_NAME = 300
_READ_BYTES = 1 << 24  # of a pickle: names stand near its beginning, and what it says of lengths is not to be trusted
_LEGACY_PICKLES = 4  # in a row at the beginning of a file from before PyTorch 1.6


def refuse_suspicious(path: Path) -> None:
    """Make sure that a file can be given to `torch.load(weights_only=True)`.

    Raises:
        CheckpointError: if it is compressed inside, or asks for a global of an absurd name.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                _refuse_compressed(archive, path)
                for name in archive.namelist():
                    if name.endswith("data.pkl"):
                        with archive.open(name) as stream:
                            _refuse_long_names(stream, 1, path)
        else:
            with path.open("rb") as stream:
                _refuse_long_names(stream, _LEGACY_PICKLES, path)
    except (OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path}: is truncated or no PyTorch file ({error}); get it again") from error


def _refuse_compressed(archive: zipfile.ZipFile, path: Path) -> None:
    packed = next((entry for entry in archive.infolist() if entry.compress_type != zipfile.ZIP_STORED), None)
    if packed is not None:
        raise CheckpointError(
            f"{path}: {packed.filename} is compressed in it, as nothing in PyTorch's files is, and is not unpacked"
        )


def _refuse_long_names(stream: IO[bytes], pickles: int, path: Path) -> None:
    longest = max((len(name) for name in _globals(stream, pickles)), default=0)
    if longest > _LONGEST_NAME:
        raise CheckpointError(f"{path}: asks to run something whose name has {longest} characters, and is not loaded")


def _globals(stream: IO[bytes], pickles: int) -> Iterator[str]:
    """The names of the classes and functions that pickles ask for, as far as they can be read; nothing is run."""
    data = io.BytesIO(stream.read(_READ_BYTES))
    try:
        for _ in range(pickles):
            for opcode, value, _ in pickletools.genops(data):
                if opcode.name in ("GLOBAL", "INST"):
                    yield str(value)
    except (ValueError, OverflowError):  # a broken stream: torch says what is wrong with it
        return
