"""What do shards cost to write and bring to read; how large is an index, and how long does a manifest take to read?

    python benchmarks/shards.py [--manifest FILE] [--rate-hz 48000] [--workers 1 2] [--rounds 3] [--clips N]
                                [--members 200000] [--json FILE]

Writing: hours of sound that a core writes in a minute of its time (and of the clock), by format and number of workers.

Reading: the clips in a shuffled order, decoded and resampled as a training run does, out of the published files, out
of shards, and out of loose files with the very bytes that are in the FLAC shards. "warm": the system holds the files in
memory; "cold": it was told to forget them (where it can be told). Milliseconds are of processor time, clips a second of
the clock: on a busy machine trust the former.

The index: a manifest of so many made-up clips in shards of 2,000, and the same as one JSON Lines file.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openclap.audio.decode import decode
from openclap.audio.members import file_behind, open_encoded
from openclap.audio.resample import resample
from openclap.data.manifest import Manifest, read_manifest, write_manifest
from openclap.data.shards.encode import ShardConfig
from openclap.data.shards.index import ShardHead, index_beside, write_index
from openclap.data.shards.job import write_shards

STARTER = Path(__file__).resolve().parents[2] / "shared" / "data" / "starter" / "manifest.jsonl"
PER_SHARD = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, default=STARTER)
    parser.add_argument("--rate-hz", type=int, default=48_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clips", type=int, help="so many of the manifest's clips, evenly spaced")
    parser.add_argument("--members", type=int, default=200_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    manifest = read_manifest(options.manifest)
    if options.clips is not None:
        chosen = (place * len(manifest) // options.clips for place in range(options.clips))
        manifest = replace(manifest, examples=tuple(manifest.examples[place] for place in chosen))
    found: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "clips": len(manifest),
        "rate_hz": options.rate_hz,
    }
    with tempfile.TemporaryDirectory() as folder:
        found["writing"] = writing(manifest, Path(folder), options.rate_hz, options.workers)
        found["reading"] = reading(manifest, Path(folder), options.rate_hz, options.rounds)
        found["index"] = index(Path(folder), options.members)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def writing(manifest: Manifest, folder: Path, rate_hz: int, workers: Sequence[int]) -> list[dict[str, Any]]:
    rows = []
    for name in ("flac", "opus"):
        for count in workers:
            out = folder / (name if count == workers[0] else f"{name}-{count}")
            config = ShardConfig.read({"sample_rate_hz": rate_hz, "audio_format": name, "clips_per_shard": 128})
            report = write_shards(manifest, out, config, workers=count)
            assert report.hours_per_core_minute is not None
            rows.append(
                {
                    "format": name,
                    "workers": count,
                    "hours_per_core_minute": round(report.hours_per_core_minute, 2),
                    "hours_per_minute": round(60 * report.hours_written / report.wall_s, 2),
                    "mb_per_hour": round(report.bytes / 1e6 / report.hours, 1),
                    "left_out": report.left_out,
                    "clipped": report.clipped,
                }
            )
            print("writing ", *(f"{key} {value};" for key, value in rows[-1].items()))
    return rows


def reading(manifest: Manifest, folder: Path, rate_hz: int, rounds: int) -> list[dict[str, Any]]:
    kept = {example.id for example in read_manifest(folder / "flac")}
    sources = {
        "published files": [example.audio for example in manifest if example.id in kept],
        "flac shards": [example.audio for example in read_manifest(folder / "flac")],
        "opus shards": [example.audio for example in read_manifest(folder / "opus")],
    }
    sources["loose flac files"] = loose(sources["flac shards"], folder / "loose")
    times: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for number in range(rounds):
        for state in ("warm", "cold"):
            for name, paths in sources.items():
                order = random.Random(number).sample(paths, len(paths))
                prepare(paths, cold=state == "cold")
                times.setdefault((name, state), []).append(read_all(order, rate_hz))
    rows = []
    for (name, state), taken in times.items():
        clips = len(sources[name])
        wall_s, core_s = (statistics.median(values) for values in zip(*taken, strict=True))
        row = {
            "from": name,
            "state": state,
            "clips_per_s": round(clips / wall_s),
            "ms": round(1000 * core_s / clips, 3),
        }
        rows.append(row)
        print("reading ", *(f"{key} {value};" for key, value in row.items()))
    return rows


def loose(paths: Sequence[Path], folder: Path) -> list[Path]:
    """The same bytes as files of their own."""
    folder.mkdir()
    found = []
    for number, path in enumerate(paths):
        found.append(folder / f"{number:08d}{path.suffix}")
        with open_encoded(path) as file:
            found[-1].write_bytes(file.read())
    return found


def prepare(paths: Sequence[Path], *, cold: bool) -> None:
    """Have the system hold the files in memory, or forget them."""
    for file in dict.fromkeys(map(file_behind, paths)):
        with file.open("rb") as opened:
            if cold and hasattr(os, "posix_fadvise"):
                os.fsync(opened.fileno())  # what is not yet on the disk cannot be forgotten
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while not cold and opened.read(1 << 20):
                pass


def read_all(paths: Sequence[Path], rate_hz: int) -> tuple[float, float]:
    """Seconds of the clock and of the processor for all clips."""
    wall, core = time.perf_counter(), time.process_time()
    for path in paths:
        resample(decode(path), rate_hz)
    return time.perf_counter() - wall, time.process_time() - core


def index(folder: Path, members: int) -> dict[str, Any]:
    root = folder / "made-up"
    (root / "train").mkdir(parents=True)
    for number in range(-(-members // PER_SHARD)):
        archive = root / "train" / f"{number}.tar"
        archive.write_bytes(bytes(10240))
        rows = [
            made_up(clip, archive.name) for clip in range(number * PER_SHARD, min(members, (number + 1) * PER_SHARD))
        ]
        write_index(index_beside(archive), ShardHead(archive.name, len(rows), 10240, "0" * 64), rows)
    size = sum(file.stat().st_size for file in root.rglob("*.index.jsonl"))
    before = resident_mb()
    begin, core = time.perf_counter(), time.process_time()
    manifest = read_manifest(root)
    row = {
        "members": len(manifest),
        "bytes_each": round(size / members),
        "read_s": round(time.perf_counter() - begin, 2),
        "read_us_each": round(1e6 * (time.process_time() - core) / members, 1),
        "memory_bytes_each": round(1e6 * (resident_mb() - before) / members),
    }
    write_manifest(manifest, root / "manifest.jsonl")
    del manifest
    core = time.process_time()
    read_manifest(root / "manifest.jsonl")
    row["as_one_file_us_each"] = round(1e6 * (time.process_time() - core) / members, 1)
    print("index   ", *(f"{key} {value};" for key, value in row.items()))
    return row


def made_up(clip: int, archive: str) -> dict[str, Any]:
    return {
        "id": f"freesound/{clip}",
        "audio": f"{archive}::{512 + 500_000 * (clip % PER_SHARD)}+{480_000 + clip % 997}/{clip:08d}.flac",
        "captions": [f"clip {clip}: a dog barks far away while rain falls on a tin roof", "dog, rain and a tin roof"],
        "labels": ["dog", "rain", "roof"],
        "split": "train",
        "license": "CC0",
        "credit": "somebody",
        "source": "freesound",
        "seconds": 10.0,
        "original": {"audio": f"audio/{clip}.wav"},
    }


def resident_mb() -> float:
    """Memory of this process at its highest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
