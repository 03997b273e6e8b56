"""Rows out of whatever stands for a manifest: a table, a folder of sounds, or shards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from openclap.data.problems import Problems
from openclap.data.readers import Row, read_folder, read_rows
from openclap.data.shards.read import read_shards, shard_archives


def read_form(path: Path, problems: Problems) -> Iterator[Row]:
    """The rows at `path`; those that cannot be read are noted as problems and left out.

    Raises:
        ManifestError: if its form is not known, or the whole of it cannot be read.
        MissingExtraError: for Parquet without pyarrow.
    """
    if archives := shard_archives(path):
        return read_shards(path, archives, problems)
    return read_folder(path, problems) if path.is_dir() else read_rows(path, problems)
