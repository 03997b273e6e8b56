"""`openclap data shard`: a manifest's clips into archives that are quick to copy and to train from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openclap.cli.options import Columns, Json, Where

if TYPE_CHECKING:
    from openclap.cli.output import Output
    from openclap.data.manifest import Manifest
    from openclap.data.shards.encode import ShardConfig
    from openclap.data.shards.job import ShardReport

_SHOWN = 3


def shard(
    manifest: Annotated[Path, typer.Argument(help="A manifest, a folder of sounds, or shards.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to fill: its name is that of the data set.")],
    rate_hz: Annotated[int, typer.Option("--rate-hz", help="Rate of the sound: the model's own.")] = 48000,
    audio_format: Annotated[str, typer.Option("--format", help="flac (every sample kept) or opus (lossy).")] = "flac",
    bits: Annotated[int | None, typer.Option("--bits", help="Of a FLAC sample: 16 or 24.  \\[default: 16]")] = None,
    opus_kbps: Annotated[
        float | None,
        typer.Option("--opus-kbps", help="What Opus takes: 6 to 256 kbit/s.  \\[default: 96]"),
    ] = None,
    clips_per_shard: Annotated[
        int | None, typer.Option("--clips-per-shard", min=1, help="Clips in an archive.  \\[default: 512]")
    ] = None,
    shard_bytes: Annotated[
        int | None, typer.Option("--shard-bytes", min=1, help="In place of it: about how large an archive is.")
    ] = None,
    max_s: Annotated[
        float | None, typer.Option("--max-s", help="Keep so many seconds of a longer clip, from its beginning.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes at work.  \\[default: one a core]")
    ] = None,
    where: Where = None,
    column: Columns = None,
    as_json: Json = False,
) -> None:
    """Put a manifest's clips into shards: tar archives of mono FLAC or Opus with their texts, in WebDataset's form.

    Every command that takes a manifest takes the folder, and reads sounds out of the archives where they lie. Killed at
    any moment, the same command goes on where it was. Clips that cannot be used are left out, and listed with the
    reason in left-out.jsonl.
    """
    from openclap.cli.options import column_config, conditions
    from openclap.cli.output import Output
    from openclap.cli.targets import folder_target
    from openclap.data.manifest import read_manifest
    from openclap.data.shards.encode import ShardConfig

    output = Output(as_json)
    folder_target(out)
    config = ShardConfig.read(
        {
            "sample_rate_hz": rate_hz,
            "audio_format": audio_format,
            "clips_per_shard": clips_per_shard,
            "shard_bytes": shard_bytes,
            "max_s": max_s,
            **_of_the_format(audio_format, bits, opus_kbps),
        },
        origin="data shard",
    )
    read = read_manifest(manifest, columns=column_config(column), where=conditions(where), check_files=False)
    output.other_ids(len(read.other_ids))
    report = _write(read, out, config, workers, output)
    _say(report, out, output)
    output.result({"out": out, "left_out_file": out / "left-out.jsonl"} | report.plain())


def _of_the_format(audio_format: str, bits: int | None, opus_kbps: float | None) -> dict[str, int]:
    """What was given of one format's options; of the other's it would say nothing."""
    if opus_kbps is not None and not 6 <= opus_kbps <= 256:  # nor is what is no number between them
        raise typer.BadParameter(f"takes 6 to 256 kbit/s, but got {opus_kbps:g}", param_hint="--opus-kbps")
    for option, given, of in (("--bits", bits, "flac"), ("--opus-kbps", opus_kbps, "opus")):
        if given is not None and audio_format != of and audio_format in ("flac", "opus"):
            reason = f"is an option of {of}, and --format is {audio_format}: give --format {of}, or leave it out"
            raise typer.BadParameter(reason, param_hint=option)
    found = {"bits": bits, "opus_bits_per_s": None if opus_kbps is None else round(1000 * opus_kbps)}
    return {name: value for name, value in found.items() if value is not None}


def _write(manifest: Manifest, out: Path, config: ShardConfig, workers: int | None, output: Output) -> ShardReport:
    from openclap.data.shards.job import write_shards

    with output.progress("clips") as bar:
        task = bar.add_task("writing shards", total=len(manifest))

        def progress(before: int, clips: int) -> None:
            bar.update(task, completed=before + clips)

        return write_shards(manifest, out, config, workers=workers or _cores(), progress=progress)


def _say(report: ShardReport, out: Path, output: Output) -> None:
    output.say(
        f"{report.clips:,} clips, {report.hours:.2f} hours, in {report.shards} shards of together "
        f"{report.bytes / 1e6:,.1f} MB: {out}"
    )
    if report.shards_before:
        output.say(f"{report.shards_before} of them were written before")
    if report.hours_per_core_minute is not None:
        speed = f"{report.hours_per_core_minute:.2f} hours of sound a minute of one core"
        output.say(
            f"{speed} ({report.hours_written:.2f} hours in {report.core_s:.1f} s of it, {report.wall_s:.1f} s in all)"
        )
    if report.clipped:
        output.note(f"{report.clipped:,} clips go above full scale, and are clipped there")
    if report.left_out:
        output.say(("left out", "yellow"), f": {report.left_out:,} clips; {out / 'left-out.jsonl'} says why, as")
        for row in _first_left_out(out):
            output.say(f"    {row['id']}: {row['reason']}")


def _first_left_out(out: Path) -> list[dict[str, str]]:
    import itertools
    import json

    with (out / "left-out.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in itertools.islice(file, _SHOWN)]


def _cores() -> int:
    """The cores that this process may use."""
    import os

    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
