"""Manifests too long to hold: the same clips in the same order as `read_manifest` gives, one at a time.

A first pass over the rows finds what is wrong, and which clips have several rows. It keeps 17 bytes a row (64-bit
hashes), and a later pass holds no more than the clips between the first and the last row of one clip.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from openclap.data.columns import ColumnConfig
from openclap.data.example import Example
from openclap.data.forms import read_form
from openclap.data.manifest import find_manifest
from openclap.data.readers import Row
from openclap.data.rows import ClipKey, RowParser, free_id, join, own_id
from openclap.data.where import condition, none_left
from openclap.errors import ManifestError


class ManifestStream:
    """The clips of a manifest, read anew whenever it is iterated.

    Args:
        path: whatever `read_manifest` takes.
        columns: names for columns that the synonyms do not find.
        audio_root: what relative audio paths start from; the manifest's own folder by default.

    Attributes:
        path: the file or folder.
        root: what the audio paths are relative to.
        extra_keys: columns that are no fields of `Example`.
        other_ids: how many rows have an id and are part of a clip with another one.

    Raises:
        ManifestError: if it is missing or broken, or holds no clips; `.line` is that of the first problem.
    """

    def __init__(
        self, path: str | Path, *, columns: ColumnConfig | None = None, audio_root: str | Path | None = None
    ) -> None:
        self.path = find_manifest(Path(path))
        folder = self.path if self.path.is_dir() else self.path.parent
        self.root = Path(audio_root) if audio_root is not None else folder
        self._config = columns or ColumnConfig()
        self.extra_keys: set[str] = set()
        self.other_ids = 0
        self._state = _state(self.path)
        self._several: Counter[int] = Counter()
        self._contested = False
        self._count = self._survey()
        if self._contested:  # whether equal ids are an error or get a number, only the clips in their order tell
            for _ in self:
                pass

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Example]:
        if _state(self.path) != self._state:
            raise ManifestError(self.path, "has changed since it was first read: start again")
        taken: set[int] = set()
        for key, example, line in self._clips():
            own = free_id(key, example, lambda candidate: hash(candidate) in taken)
            if self._contested:
                if hash(own) in taken:
                    raise ManifestError(self.path, f"id {own!r} is that of another clip already", line)
                taken.add(hash(own))
            yield replace(example, id=own)

    def condition(self, where: Mapping[str, Any] | None) -> Callable[[Example], bool]:
        """Whether a clip fits filters as `Manifest.select` takes them.

        Raises:
            ConfigError: for an unknown key.
        """
        return condition(where or {}, self.extra_keys)

    def wanted(self, where: Mapping[str, Any] | None) -> Callable[[Example], bool]:
        """`condition`, once it is certain that some clip fits.

        Raises:
            ConfigError: for an unknown key.
            ManifestError: if nothing would be left.
        """
        fits = self.condition(where)
        if where and not any(map(fits, self)):
            raise none_left(self.path, where, self)
        return fits

    def _survey(self) -> int:
        """Number of clips, after a pass that looks for problems."""
        keys, ids, given, parser = array("q"), array("q"), array("b"), self._parser()
        for row in self._rows(parser):
            if (parsed := parser.parse(row)) is not None:
                key, example = parsed
                keys.append(hash(key))
                ids.append(hash(own_id(key, example)))
                given.append(bool(example.id))
                self.extra_keys.update(example.extra)
        parser.check_columns()
        parser.problems.raise_if_any()
        if not keys:
            raise ManifestError(self.path, "holds no clips")
        hashes, first, clips, counts = np.unique(
            np.frombuffer(keys, np.int64), return_index=True, return_inverse=True, return_counts=True
        )
        several = counts > 1
        self._several = Counter(dict(zip(hashes[several].tolist(), counts[several].tolist(), strict=True)))
        every: npt.NDArray[np.int64] = np.frombuffer(ids, np.int64)
        owned = every[first]
        self.other_ids = int(np.count_nonzero(np.frombuffer(given, np.int8) & (every != owned[clips])))
        self._contested = len(np.unique(owned)) < len(owned)
        return len(hashes)

    def _clips(self) -> Iterator[tuple[ClipKey, Example, int | None]]:
        """Clips in the order of their first rows, each given once its last row has been read."""
        missing = self._several.copy()
        waiting: dict[ClipKey, tuple[Example, int | None]] = {}
        parser = self._parser()
        for row in self._rows(parser):
            if (parsed := parser.parse(row)) is None:
                break
            key, example = parsed
            if hash(key) not in missing and not waiting:
                yield key, example, row.line
                continue
            missing[hash(key)] -= 1
            first = waiting.get(key)
            waiting[key] = (example, row.line) if first is None else (join(first[0], example), first[1])
            while waiting and missing[hash(head := next(iter(waiting)))] <= 0:
                yield head, *waiting.pop(head)
        parser.problems.raise_if_any()

    def _parser(self) -> RowParser:
        return RowParser(self.path, self.root, self._config)

    def _rows(self, parser: RowParser) -> Iterator[Row]:
        return read_form(self.path, parser.problems)


def _state(path: Path) -> tuple[int, int] | None:
    """What changes when a file is written; a folder's own times say little."""
    status = path.stat()
    return None if path.is_dir() else (status.st_size, status.st_mtime_ns)
