"""A manifest to shards: what goes where, several at once, and going on where a process was ended."""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from openclap.atomic import file_written_whole
from openclap.config import digest
from openclap.data.manifest import Manifest, manifest_row
from openclap.data.shards.encode import ShardConfig, check_encoder, encode_clip
from openclap.data.shards.index import FORMAT_VERSION, ShardHead, as_json, index_beside, read_head
from openclap.data.shards.read import ABOUT
from openclap.data.shards.workers import write_all
from openclap.data.shards.write import ShardTask, WrittenShard
from openclap.errors import AudioError, ConfigError, DataError
from openclap.exclusive import held

Progress = Callable[[int, int], None]
"""Is told how many clips were done by earlier runs, and how many by this one."""

_CLIPS_PER_SHARD = 512
_PROBED = 64  # clips that tell how large one is
_LEFT_OVER = re.compile(r"\.[0-9a-f]{8}\.\S+\.(tar|json|jsonl)")  # of a process that was killed (openclap.atomic)


@dataclass(frozen=True)
class ShardReport:
    """What became of a manifest.

    Attributes:
        clips: how many are in the shards.
        left_out: how many are not, as left-out.jsonl says.
        clipped: how many had samples above full scale.
        shards: how many archives there are.
        hours: of sound in them.
        bytes: all archives together.
        shards_before: how many of them an earlier run had written.
        hours_written: of sound that this run has written.
        wall_s: what this run took.
        core_s: the processor time of its work, all processes together.
        hours_per_core_minute: `hours_written` by minutes of processor time; None if nothing was left to write.
    """

    clips: int
    left_out: int
    clipped: int
    shards: int
    hours: float
    bytes: int
    shards_before: int
    hours_written: float
    wall_s: float
    core_s: float
    hours_per_core_minute: float | None

    def plain(self) -> dict[str, Any]:
        """The report as plain values."""
        return asdict(self)


def write_shards(
    manifest: Manifest,
    out: Path,
    config: ShardConfig | None = None,
    *,
    workers: int = 1,
    progress: Progress = lambda _before, _now: None,
) -> ShardReport:
    """A report, after the clips of `manifest` have been put into shards below `out`, as `openclap.data.shards` says.

    Shards that an earlier call with the same clips and options has completed stay as they are, also where a sound has
    been changed since; a process that is killed loses the shards that it was at. What is in a shard depends on the
    clips and the options alone.

    Args:
        manifest: the clips; read it with `check_files=False`, and sounds that are not there are left out and told.
        out: the folder, empty or of such an earlier call.
        config: how they are made.
        workers: processes; 1 works in this one. A script that has more needs `if __name__ == "__main__":`.
        progress: called now and then, at last when all is done.

    Raises:
        ConfigError: if `out` holds something else, or another process is at work on it, or Opus cannot be written.
        DataError: if not one clip can be used, the disk is full, or a worker was killed.
    """
    config = config or ShardConfig()
    if not len(manifest):
        raise DataError(f"{manifest.path} holds no clips")
    check_encoder(config)
    out.mkdir(parents=True, exist_ok=True)
    try:
        with held(out):
            return _Job(manifest, out, config).run(workers, progress)
    except BlockingIOError as error:
        raise ConfigError(f"another process is writing shards to {out}: wait for it, or give another folder") from error


class _Job:
    """The shards of one folder."""

    def __init__(self, manifest: Manifest, out: Path, config: ShardConfig) -> None:
        self._manifest, self._out, self._config = manifest, out, config
        self._splits: dict[str, list[int]] = {}
        for position, example in enumerate(manifest):
            self._splits.setdefault(_folder(example.split), []).append(position)
        self._splits = dict(sorted(self._splits.items()))
        self._per_shard = self._begin()

    def run(self, workers: int, progress: Progress) -> ShardReport:
        """Write what is missing, and then what is said of all."""
        begin = time.perf_counter()
        waiting, before = [], 0
        for archive, first, positions in self._plan():
            if _done(archive) is None:
                waiting.append((archive, first, positions))
            else:
                before += len(positions)
        tasks = (self._task(*task) for task in waiting)
        told = partial(progress, before)
        told(0)
        written = list(write_all(tasks, workers, told))
        return self._finish(len(waiting), written, time.perf_counter() - begin)

    def _begin(self) -> int:
        """Clips a shard, once the folder is known to be of these clips and options."""
        file = self._out / ABOUT
        made_of = {"config": self._config.plain(), "manifest": _rows_digest(self._manifest)}
        if file.is_file():
            about = _read_about(file)
            if digest({name: about[name] for name in made_of}) != digest(made_of):
                other = "options" if about["manifest"] == made_of["manifest"] else "clips"
                raise ConfigError(f"{self._out} holds shards of other {other}: give another --out, or delete it")
            _remove_left_over(list(self._out.rglob(".*")))
            return int(about["clips_per_shard"])
        others = list(self._out.iterdir())
        if not all(_LEFT_OVER.fullmatch(entry.name) for entry in others):  # nobody else's folder is cleared
            raise ConfigError(f"{self._out} is not empty, and holds no {ABOUT}: give a folder of its own")
        _remove_left_over(others)
        per_shard = self._config.clips_per_shard or self._probed() or _CLIPS_PER_SHARD
        shards = {name: math.ceil(len(clips) / per_shard) for name, clips in self._splits.items()}
        about = {"format_version": FORMAT_VERSION} | made_of | {"clips_per_shard": per_shard, "shards": shards}
        _write(file, json.dumps(about, indent=2).encode() + b"\n")
        return per_shard

    def _probed(self) -> int | None:
        """So many clips as make about `shard_bytes`, by clips evenly spaced among all."""
        if self._config.shard_bytes is None:
            return None
        examples = self._manifest.examples
        sizes = []
        for place in range(min(_PROBED, len(examples))):
            try:
                clip = encode_clip(examples[place * len(examples) // min(_PROBED, len(examples))], self._config)
            except AudioError:
                continue
            sizes.append(len(clip.data))
        return max(1, round(self._config.shard_bytes * len(sizes) / sum(sizes))) if sizes else None

    def _plan(self) -> Iterator[tuple[Path, int, list[int]]]:
        """Each shard's archive, the number of its first clip, and the clips' positions in the manifest."""
        for name, positions in self._splits.items():
            for number, first in enumerate(range(0, len(positions), self._per_shard)):
                yield self._out / name / f"{number}.tar", first, positions[first : first + self._per_shard]

    def _task(self, archive: Path, first: int, positions: list[int]) -> ShardTask:
        clips = tuple(self._manifest.examples[position] for position in positions)
        return ShardTask(archive, first, clips, self._manifest.root, self._config)

    def _finish(self, written: int, cpu: list[WrittenShard], wall_s: float) -> ShardReport:
        """The report; and, beside the shards, what stands outside of them."""
        heads: list[ShardHead] = []
        left_out = self._out / "left-out.jsonl"
        with file_written_whole(left_out) as fresh, fresh.open("wb") as file:
            for archive, _, _ in self._plan():
                head = _done(archive)
                if head is None:
                    raise DataError(f"{archive} has been changed while the others were written: run the command again")
                heads.append(head)
                file.writelines(as_json({"split": archive.parent.name, **asdict(row)}) + b"\n" for row in head.left_out)
        clips = sum(head.clips for head in heads)
        lost = sum(len(head.left_out) for head in heads)
        if clips == 0:
            first = next(row for head in heads for row in head.left_out)
            raise DataError(f"not one of {lost} clips could be used; the first: {first.audio}: {first.reason}")
        self._write_sizes(heads)
        core_s, hours_written = sum(done.cpu_s for done in cpu), sum(done.head.seconds or 0 for done in cpu) / 3600
        report = ShardReport(
            clips=clips,
            left_out=lost,
            clipped=sum(head.clipped for head in heads),
            shards=len(heads),
            hours=sum(head.seconds or 0 for head in heads) / 3600,
            bytes=sum(head.bytes for head in heads),
            shards_before=len(heads) - written,
            hours_written=hours_written,
            wall_s=wall_s,
            core_s=core_s,
            hours_per_core_minute=60 * hours_written / core_s if core_s else None,
        )
        _write(self._out / "report.json", json.dumps(report.plain(), indent=2).encode() + b"\n")
        return report

    def _write_sizes(self, heads: list[ShardHead]) -> None:
        """LAION-CLAP's `sizes.json` of each split: clips by archive, without archives that hold none."""
        sizes: dict[Path, dict[str, int]] = {}
        for (archive, _, _), head in zip(self._plan(), heads, strict=True):
            if head.clips:
                sizes.setdefault(archive.parent, {})[archive.name] = head.clips
        for folder, counts in sizes.items():
            _write(folder / "sizes.json", json.dumps(counts, indent=2).encode() + b"\n")


def _remove_left_over(entries: list[Path]) -> None:
    """Remove those of the entries that a killed process has left half-written."""
    for entry in entries:
        if _LEFT_OVER.fullmatch(entry.name):
            entry.unlink(missing_ok=True)


def _done(archive: Path) -> ShardHead | None:
    """The head of a shard that is complete; None for any other."""
    head = read_head(index_beside(archive))
    return head if head is not None and archive.is_file() and head.fits(archive) else None


def _rows_digest(manifest: Manifest) -> str:
    """SHA-256 over the clips' rows, one at a time: `Manifest.digest` holds the text of all."""
    found = hashlib.sha256()
    for example in manifest:
        found.update(as_json(manifest_row(example, manifest.root)) + b"\n")
    return found.hexdigest()


def _folder(split: str | None) -> str:
    """The folder of a split, whatever it is called."""
    name = quote("all" if split is None else split, safe=" ")
    return name if name.strip(".") else name.replace(".", "%2E")


def _read_about(file: Path) -> dict[str, Any]:
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
        return {name: about[name] for name in ("config", "manifest", "clips_per_shard")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file}: is broken ({error!r}); delete {file.parent} to begin again") from error


def _write(file: Path, data: bytes) -> None:
    with file_written_whole(file) as fresh:
        fresh.write_bytes(data)
