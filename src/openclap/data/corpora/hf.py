"""hf: any audio data set of the Hugging Face hub that is stored as Parquet, by its name or in a folder.

    openclap data get hf --set repository=ashraq/esc50 --out corpora/esc50-hub
    openclap data prepare hf --out corpora/esc50-hub

The `datasets` library decodes an Audio column with torchcodec; here the column is read as what it is in the files, a
struct of `bytes` and `path`. Bytes are written to `raw/audio` as they are, with the suffix of their format; without
bytes, the path is taken. Names of class labels, and which column is the sound, stand in the files' own metadata (key
`huggingface` of the schema, as datasets 2 to 4 write it). Other columns are found as in any manifest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from openclap.atomic import file_written_whole
from openclap.data.columns import ColumnConfig
from openclap.data.corpus import CorpusConfig, CorpusInfo, PublishedCorpus, RemoteFile, corpora
from openclap.data.hub import hub_files
from openclap.data.manifest import manifest_row
from openclap.data.readers import AUDIO_SUFFIXES, Row
from openclap.data.rows import RowParser
from openclap.errors import ConfigError, ManifestError, did_you_mean
from openclap.optional import require

_BATCH_ROWS = 16  # each holds a whole sound
_SPLIT = re.compile(r"(?P<split>[A-Za-z][\w.]*?)-\d{5}-of-\d{5}")
_FORMATS = {b"RIFF": ".wav", b"fLaC": ".flac", b"OggS": ".ogg", b"ID3": ".mp3", b"FORM": ".aiff", b"\xff\xfb": ".mp3"}


class HfConfig(CorpusConfig):
    """Settings.

    Attributes:
        repository: "owner/name" on the hub; only `data get` asks for it.
        revision: a branch, tag or commit; for data sets with a script, "refs/convert/parquet" has the Parquet files.
        patterns: of the files that are wanted, as "data/test-*.parquet".
        audio: the column with the sound; by default the one that the metadata call Audio.
        columns: names for further columns that are not found by themselves.
    """

    repository: str | None = None
    revision: str | None = None
    patterns: tuple[str, ...] = ("*.parquet",)
    audio: str | None = None
    columns: ColumnConfig = ColumnConfig()


class Hf(PublishedCorpus):
    """The registered corpus "hf"."""

    config = HfConfig
    info = CorpusInfo(
        name="hf",
        title="Any audio data set of the Hugging Face hub that is stored as Parquet",
        licence="As its page on the hub says",
        url="https://huggingface.co/datasets",
        kind="both",
        labels="multi",
        access="hub",
        instructions=(
            "Name it with --set repository=OWNER/NAME, or put its Parquet files into raw/ yourself (of one that asks "
            "for an agreement: hf download OWNER/NAME --repo-type dataset --local-dir RAW)."
        ),
    )

    def needs(self, config: HfConfig) -> Sequence[str]:
        """A Parquet file."""
        return ("**/*.parquet",)

    def files(self, config: HfConfig) -> Iterator[RemoteFile]:
        """The Parquet files, as the hub lists them."""
        if config.repository is None:
            raise ConfigError("corpus hf: which data set? Name it with --set repository=OWNER/NAME")
        return hub_files(config.repository, *config.patterns, revision=config.revision)

    def rows(self, raw: Path, config: HfConfig) -> Iterator[dict[str, Any]]:
        """A row for each row of the tables; sound that they hold is written to files."""
        parquet = require("pyarrow.parquet", extra="corpora", purpose="reading a data set's Parquet files")
        for path in sorted(raw.glob("**/*.parquet")):
            with parquet.ParquetFile(path) as table:
                features = _features(table.schema_arrow.metadata)
                column = _audio_column(table.schema_arrow, features, config, path)
                names = {name: of["names"] for name, of in features.items() if of.get("_type") == "ClassLabel"}
                parser = RowParser(path, raw, config.columns)
                place = path.relative_to(raw).with_suffix("")
                split = _split(path)
                batches = (row for batch in table.iter_batches(_BATCH_ROWS) for row in batch.to_pylist())
                for number, values in enumerate(batches):
                    sound = _Sound(values.pop(column))
                    audio = sound.put(raw, Path("audio") / place / f"{number:06d}", path.parent)
                    said = {name: _named(value, names.get(name)) for name, value in values.items()}
                    parsed = parser.parse(Row(number + 1, said, audio=audio or "missing"))
                    if parsed is None:
                        break
                    row = manifest_row(parsed[1], raw)
                    row["id"] = row["id"] or f"{place.as_posix()}/{number:06d}"
                    yield {"split": split, **row, "audio": audio}
                parser.check_columns()
                parser.problems.raise_if_any()


corpora.add("hf", Hf())


class _Sound:
    """What an Audio column holds for one clip."""

    def __init__(self, value: Any) -> None:
        found = value if isinstance(value, Mapping) else {"path": value}
        self._bytes: bytes | None = found.get("bytes")
        self._path: str | None = found.get("path")

    def put(self, raw: Path, place: Path, folder: Path) -> str | None:
        """Where the sound lies, from `raw` or absolute, after it has been written if need be; None if there is none."""
        if self._bytes is None:
            if self._path is None:
                return None
            found = (base / self._path for base in (raw, folder) if (base / self._path).is_file())
            return next((str(path.absolute()) for path in found), None)
        name = place.with_suffix(self._suffix()).as_posix()
        target = raw / name
        # Clips of one length are of one size: another revision of the data set may have others in their places.
        if not (target.is_file() and target.stat().st_size == len(self._bytes) and target.read_bytes() == self._bytes):
            with file_written_whole(target) as fresh:
                fresh.write_bytes(self._bytes)
        return name

    def _suffix(self) -> str:
        suffix = Path(self._path or "").suffix.lower()
        if suffix in AUDIO_SUFFIXES:
            return suffix
        head = (self._bytes or b"")[:12]
        if head[4:8] == b"ftyp":
            return ".m4a"
        return next((suffix for start, suffix in _FORMATS.items() if head.startswith(start)), ".wav")


def _features(metadata: Mapping[bytes, bytes] | None) -> dict[str, dict[str, Any]]:
    """What `datasets` wrote of each column; nothing if somebody else wrote the file."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return {name: of for name, of in features.items() if isinstance(of, dict)}


def _audio_column(schema: Any, features: Mapping[str, Mapping[str, Any]], config: HfConfig, path: Path) -> str:
    """The column with the sound.

    Raises:
        ManifestError: if there is none, or several, or not the one that was named.
    """
    if config.audio is not None:
        if config.audio not in schema.names:
            raise ManifestError(path, f"has no column {config.audio!r}{did_you_mean(config.audio, schema.names)}")
        return config.audio
    found = [name for name, of in features.items() if of.get("_type") == "Audio" and name in schema.names]
    if not found:  # somebody else's file: a struct of just these two is what it is everywhere
        structs = [field for field in schema if field.type.num_fields == 2]
        found = [field.name for field in structs if {inner.name for inner in field.type} == {"bytes", "path"}]
    if len(found) != 1:
        several = f"several columns of sound, {', '.join(found)}" if found else "no column of sound"
        raise ManifestError(path, f"has {several}, only {', '.join(schema.names)}: say which with --set audio=NAME")
    return found[0]


def _named(value: Any, names: Sequence[str] | None) -> Any:
    """Class labels by their names."""
    if names is None:
        return value
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else None


def _split(path: Path) -> str | None:
    """The split that a file's name states ("train-00000-of-00012"), or else that of its folder."""
    match = _SPLIT.match(path.name)
    if match is not None:
        return match["split"]
    known = {"train", "test", "validation", "valid", "val", "dev", "eval"}
    return next((name for name in (path.stem, path.parent.name) if name in known), None)
