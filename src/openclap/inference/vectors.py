"""Files of vectors: `.npz` for NumPy, `.parquet` for tables of any size; either names the model that they belong to."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

from openclap.atomic import file_written_whole
from openclap.errors import ConfigError, DataError, IdentityError
from openclap.optional import require

T = TypeVar("T")

_IDENTITY = b"openclap.identity"  # in a Parquet file's metadata


@dataclass(frozen=True, eq=False)
class Vectors:
    """Stored vectors.

    Attributes:
        vectors: one a row, of unit length.
        identity: of the model and its use that they are of (`Embedder.identity`).
        columns: what is known of each row: "path", "start_s" and "end_s" of sounds, "text" of texts.
    """

    vectors: Float32[np.ndarray, "rows embed"]
    identity: str
    columns: Mapping[str, npt.NDArray[Any]]

    def check(self, identity: str, whose: str = "the model") -> Vectors:
        """The same, if they are of this identity.

        Raises:
            IdentityError: if they are not; cosines between such vectors mean nothing.
        """
        if self.identity != identity:
            raise IdentityError(
                f"the vectors have identity {self.identity[:12]}…, but {whose} has {identity[:12]}…: they come from "
                "another model, or from this one with other windows or precision; embed again with the same one"
            )
        return self


def read_vectors(*paths: str | Path) -> Vectors:
    """What `openclap embed` has written to one or several files, as one table.

    Raises:
        ConfigError: if no file is given.
        DataError: if a file is missing, broken, or holds no vectors of openclap.
        IdentityError: if the files are of different identities.
    """
    if not paths:
        raise ConfigError("give at least one file of vectors")
    found = [_read(Path(path)) for path in paths]
    first = found[0]
    for path, other in zip(paths[1:], found[1:], strict=True):
        other.check(first.identity, str(paths[0]))
        if set(other.columns) != set(first.columns):
            raise DataError(f"{path} has columns {sorted(other.columns)}, but {paths[0]} has {sorted(first.columns)}")
    columns = {name: np.concatenate([part.columns[name] for part in found]) for name in first.columns}
    return Vectors(np.concatenate([part.vectors for part in found]), first.identity, columns)


def iterate_vectors(path: str | Path, rows: int = 65_536) -> Iterator[Vectors]:
    """What is in one file, in blocks: of a .parquet file `rows` at a time are in memory, an .npz file is read whole.

    Raises:
        DataError: if the file is missing, broken, or holds no vectors of openclap.
    """
    path = Path(path)
    if path.suffix != ".parquet":
        yield _read(path)
        return
    identity = _checked(path, _parquet_identity)
    parquet = require("pyarrow.parquet", extra="train", purpose="reading Parquet")
    arrow = require("pyarrow", extra="train", purpose="reading Parquet")
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=rows):
            yield _vectors(arrow.Table.from_batches([batch]), identity)


def iterate_sounds(paths: Sequence[Path]) -> Iterator[Vectors]:
    """What is in several files, in blocks of `iterate_vectors`; that a file is missing is known before the first.

    Raises:
        DataError: if a file is missing, or holds vectors of texts.
        IdentityError: if the files are of different models.
    """
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path}: there is no such file of vectors, which `openclap embed` writes")
    return _sounds(paths)


def _sounds(paths: Sequence[Path]) -> Iterator[Vectors]:
    first = None
    for path in paths:
        for block in iterate_vectors(path):
            first = first or block
            block.check(first.identity, str(paths[0]))
            if len(block.vectors):
                if "path" not in block.columns:
                    raise DataError(f"{path}: holds vectors of texts, and not of sounds")
                yield block


class VectorFile(Protocol):
    """Takes rows as they come."""

    def add(self, vectors: np.ndarray, columns: dict[str, Sequence[Any]]) -> None:
        """Append rows: vectors of shape (rows, embed), and as many values of each column."""

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
        raise ConfigError(f"{path}: vectors are written to a file that ends in {' or '.join(kinds)}")
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; give the name of a file")
    with file_written_whole(path) as fresh:
        fresh.touch()  # what cannot be written is known before the work, not after it
        fresh.unlink()  # and a kill during the work leaves nothing behind
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
        self._writer.add_key_value_metadata({_IDENTITY.decode(): self._identity})
        self._writer.close()

    def _write(self, table: Any) -> None:
        if self._writer is None:
            self._writer = self._parquet.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table)


def holds_vectors(path: Path) -> bool:
    """Whether a file says of itself that it holds vectors; a Parquet file may as well be a manifest."""
    if not path.is_file() or path.suffix != ".parquet":
        return path.suffix == ".npz"
    parquet = require("pyarrow.parquet", extra="train", purpose="reading Parquet")
    try:
        return _IDENTITY in (parquet.read_metadata(path).metadata or {})
    except (OSError, ValueError):  # reading it as what it is meant to be will say why
        return False


def _read(path: Path) -> Vectors:
    return _checked(path, _read_parquet if path.suffix == ".parquet" else _read_npz)


def _checked(path: Path, read: Callable[[Path], T]) -> T:
    """What `read` makes of a file; that it is no file of vectors is a `DataError`."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file of vectors")
    try:
        return read(path)
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: is no file of vectors as `openclap embed` writes them ({error})") from error


def _read_npz(path: Path) -> Vectors:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        columns = {name: stored[name] for name in stored.files if name not in {"vectors", "identity"}}
        return Vectors(stored["vectors"], str(stored["identity"]), columns)


def _read_parquet(path: Path) -> Vectors:
    parquet = require("pyarrow.parquet", extra="train", purpose="reading Parquet")
    return _vectors(parquet.read_table(path), _parquet_identity(path))


def _parquet_identity(path: Path) -> str:
    parquet = require("pyarrow.parquet", extra="train", purpose="reading Parquet")
    return str((parquet.read_metadata(path).metadata or {})[_IDENTITY].decode())


def _vectors(table: Any, identity: str) -> Vectors:
    if not table.num_rows:
        return Vectors(np.zeros((0, 0), np.float32), identity, {})
    flat = table["vector"].combine_chunks().flatten().to_numpy()
    columns = {name: np.array(table[name].to_pylist()) for name in table.column_names if name != "vector"}
    return Vectors(flat.reshape(table.num_rows, -1).astype(np.float32, copy=False), identity, columns)


def _unicode(value: Any) -> Any:
    r"""A value as it is, but in a text \udce9 and the like for bytes of a file name that are no UTF-8."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value
