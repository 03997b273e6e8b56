"""folder: any folder of sounds, table or archives of yours, as one clean manifest.

`openclap data prepare folder --raw SOUNDS --out corpora/mine` reads whatever `data/manifest.py` and `data/shards` read
(a folder with captions beside the sounds, a CSV, JSON Lines, Parquet, WebDataset archives), and writes a manifest in
which paths are found from where it lies, clips without sound are left out and counted, the rows of a clip are one, and
ids are there and unique. The sounds stay where they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openclap.data.columns import ColumnConfig
from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, corpora
from openclap.data.manifest import manifest_row
from openclap.data.stream import ManifestStream


class FolderConfig(CorpusConfig):
    """Settings.

    Attributes:
        columns: names for columns that are not found by themselves.
        split: of the rows that state none.
        source: of the rows that state none: what the collection is called.
        license: of the rows that state none.
    """

    columns: ColumnConfig = ColumnConfig()
    split: str | None = None
    source: str | None = None
    license: str | None = None


class Folder(PublishedCorpus):
    """The registered corpus "folder"."""

    config = FolderConfig
    info = CorpusInfo(
        name="folder",
        title="Your own sounds: any folder, table or archives, as one clean manifest",
        licence="Yours: state it with --set license=…",
        kind="both",
        labels="multi",
        access="by-hand",
        instructions=(
            "Name the folder or table with --raw, and a place for the manifest with --out; columns that are not found "
            "with --set columns='{captions: english}'."
        ),
    )

    def needs(self, config: FolderConfig) -> Sequence[str]:
        """Anything."""
        return ("*",)

    def rows(self, raw: Path, config: FolderConfig) -> Iterator[dict[str, Any]]:
        """A row for each clip, with all that is said of it."""
        root = raw if raw.is_dir() else raw.parent
        stated = {"split": config.split, "source": config.source or root.name, "license": config.license}
        for example in ManifestStream(raw, columns=config.columns):
            row = manifest_row(example, example.audio.parent)
            given = {name: value for name, value in stated.items() if value is not None}
            yield given | row | {"audio": str(example.audio.absolute())}


corpora.add("folder", Folder())
