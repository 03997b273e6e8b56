"""A data set as `datasets` pushes it: Parquet files named by split, a struct of sound, class labels as numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from replica import Expected, sound

FEATURES = {
    "audio": {"_type": "Audio", "sampling_rate": 16000},
    "text": {"dtype": "string", "_type": "Value"},
    "label": {"names": ["dog", "rain"], "_type": "ClassLabel"},
}


def write(path: Path, rows: list[dict[str, object]]) -> None:
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("audio", struct), ("text", pa.string()), ("label", pa.int64())])
    schema = schema.with_metadata({"huggingface": json.dumps({"info": {"features": FEATURES}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, row_group_size=1)


def build(raw: Path) -> Expected:
    made = [sound(raw / name).read_bytes() for name in ("one.flac", "two.wav")]
    for name in ("one.flac", "two.wav"):
        (raw / name).unlink()
    sound(raw / "beside.wav")
    write(
        raw / "data" / "train-00000-of-00002.parquet",
        [
            {"audio": {"bytes": made[0], "path": "1-100032-A-0.flac"}, "text": "A dog", "label": 0},
            {"audio": {"bytes": made[1], "path": None}, "text": "Rain", "label": 1},
        ],
    )
    write(
        raw / "data" / "test-00000-of-00001.parquet",
        [
            {"audio": {"bytes": None, "path": "beside.wav"}, "text": "More rain", "label": 1},
            {"audio": {"bytes": None, "path": "gone.wav"}, "text": "Gone", "label": 1},
        ],
    )
    return Expected(
        splits={"train": 2, "test": 1},
        clips={
            "data/train-00000-of-00002/000000": {"captions": ["A dog"], "labels": ["dog"], "split": "train"},
            "data/train-00000-of-00002/000001": {"labels": ["rain"]},
            "data/test-00000-of-00001/000000": {"captions": ["More rain"], "split": "test"},
        },
        missing=1,
    )
