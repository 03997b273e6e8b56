"""Files of vectors: `.npz` for NumPy, `.parquet` for tables of any size; either names the model that they belong to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from openclap.atomic import file_written_whole
from openclap.errors import ConfigError
from openclap.optional import require

if TYPE_CHECKING:
    import numpy as np


class VectorFile(Protocol):
    """Takes rows as they come."""

    def add(self, vectors: np.ndarray, columns: dict[str, Sequence[Any]]) -> None:
        """Append rows: (N, E) vectors, and N values of each column."""

    def describe(self, identity: str) -> None:
        """Say which model the vectors are of."""

    def close(self) -> None:
        """Write what is not written yet."""


@contextmanager
def writing(path: Path) -> Iterator[VectorFile]:
    """A writer for a file that is at its place, whole, once the context ends without an error, and not before.

    Raises:
        ConfigError: if the name does not end in .npz or .parquet, or is a folder's.
        OSError: if no file can be written there.
        MissingExtraError: for .parquet without pyarrow.
    """
    kinds: dict[str, type[NpzFile | ParquetFile]] = {".npz": NpzFile, ".parquet": ParquetFile}
    if path.suffix not in kinds:
        raise ConfigError(f"--out {path}: vectors are written to a file that ends in {' or '.join(kinds)}")
    if path.is_dir():
        raise ConfigError(f"--out {path}: is a folder; give the name of a file")
    with file_written_whole(path) as fresh:
        fresh.touch()  # what cannot be written is known before the work, not after it
        file = kinds[path.suffix](fresh)
        yield file
        file.close()


class NpzFile:
    """Arrays `vectors`, `identity`, and one for each column; kept in memory until the end."""

    def __init__(self, path: Path) -> None:
        self._path, self._identity = path, ""
        self._vectors: list[np.ndarray] = []
        self._columns: dict[str, list[Any]] = {}

    def add(self, vectors: np.ndarray, columns: dict[str, Sequence[Any]]) -> None:
        """Append rows."""
        self._vectors.append(vectors)
        for name, values in columns.items():
            self._columns.setdefault(name, []).extend(values)

    def describe(self, identity: str) -> None:
        """Say which model the vectors are of."""
        self._identity = identity

    def close(self) -> None:
        """Write the file."""
        import numpy as np

        vectors = np.concatenate(self._vectors) if self._vectors else np.zeros((0, 0), np.float32)
        arrays: dict[str, Any] = {name: np.array(values) for name, values in self._columns.items()}
        with self._path.open("wb") as file:
            np.savez(file, vectors=vectors, identity=np.array(self._identity), **arrays)


class ParquetFile:
    """Columns and `vector`, written group by group; the file's metadata has the identity as "openclap.identity"."""

    def __init__(self, path: Path) -> None:
        self._arrow = require("pyarrow", extra="train", purpose="writing Parquet")
        self._parquet = require("pyarrow.parquet", extra="train", purpose="writing Parquet")
        self._path, self._identity = path, ""
        self._writer: Any = None

    def add(self, vectors: np.ndarray, columns: dict[str, Sequence[Any]]) -> None:
        """Append a row group."""
        arrow = self._arrow
        flat = arrow.array(vectors.reshape(-1), type=arrow.float32())
        arrays = {name: arrow.array([_unicode(value) for value in values]) for name, values in columns.items()}
        arrays["vector"] = arrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        self._write(arrow.table(arrays))

    def describe(self, identity: str) -> None:
        """Say which model the vectors are of."""
        self._identity = identity

    def close(self) -> None:
        """Write the file's foot."""
        if self._writer is None:
            self._write(self._arrow.table({}))
        self._writer.add_key_value_metadata({"openclap.identity": self._identity})
        self._writer.close()

    def _write(self, table: Any) -> None:
        if self._writer is None:
            self._writer = self._parquet.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table)


def _unicode(value: Any) -> Any:
    r"""A value as it is, but in a text \udce9 and the like for bytes of a file name that are no UTF-8."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value
