"""WavText5K: sound effects of BigSoundBank and SoundBible, each with a title and mostly a description.

Table as published (github.com/microsoft/WavText5K): `WavText5K.csv` of
`view_link,download_link,title,description,fname,tags`. The description is empty for some clips, whose title then is the
caption; tags are a list in Python's writing (`['rain', 'wind']`), or empty. The sound is fetched from the two sites, of
whose files some are gone by now.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.tables import table_rows
from openclap.errors import ManifestError

TABLE = "WavText5K.csv"
COLUMNS = ("view_link", "download_link", "title", "description", "fname", "tags")


class WavText5k(PublishedCorpus):
    """The registered corpus "wavtext5k"."""

    info = CorpusInfo(
        name="wavtext5k",
        title="Sound effects of two web sites with their titles and descriptions",
        licence="Table: MIT; sounds: as bigsoundbank.com and soundbible.com have it",
        url="https://github.com/microsoft/WavText5K",
        kind="both",
        labels="multi",
        access="download",
        files=(RemoteFile(TABLE, f"https://raw.githubusercontent.com/microsoft/WavText5K/main/{TABLE}"),),
        overlaps={"wavcaps": "both are of SoundBible"},
        citation="S. Deshmukh, B. Elizalde, H. Wang, Audio Retrieval with WavText5K and CLAP Training, 2022",
    )

    def needs(self, config: CorpusConfig) -> Sequence[str]:
        """The table."""
        return (TABLE,)

    def listed_files(self, raw: Path, config: CorpusConfig) -> Iterator[RemoteFile]:
        """The sounds that the table lists."""
        for row in table_rows(raw / TABLE, COLUMNS):
            yield RemoteFile(f"audio/{row['fname']}", row["download_link"])

    def rows(self, raw: Path, config: CorpusConfig) -> Iterator[dict[str, Any]]:
        """A row for each line of the table."""
        for row in table_rows(raw / TABLE, COLUMNS):
            yield {
                "id": row["fname"],
                "audio": f"audio/{row['fname']}",
                "captions": [row["description"].strip() or row["title"].strip()],
                "labels": _tags(row["tags"], raw / TABLE),
                "sound_title": row["title"].strip(),
                "sound_url": row["view_link"],
            }


corpora.add("wavtext5k", WavText5k())


def _tags(text: str, table: Path) -> list[str]:
    if not text.strip():
        return []
    try:
        tags = ast.literal_eval(text)  # values only: nothing is run
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise ManifestError(table, f"has the tags {text!r}, which are no list ({error})") from error
    return [tag.strip() for tag in tags if isinstance(tag, str)]
