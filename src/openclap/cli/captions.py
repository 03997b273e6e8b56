"""`openclap captions`: make captions for a manifest's clips, offline, and look at what was made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openclap.cli import caption_batch, caption_events
from openclap.cli.options import MOST, Columns, Json, Where

if TYPE_CHECKING:
    from openclap.captions.pipeline import Report
    from openclap.captions.stage import Estimate
    from openclap.cli.output import Output
    from openclap.data.example import Example

app = typer.Typer(help="Make captions for a manifest's clips, and look at them.", no_args_is_help=True)
app.command("events")(caption_events.events)
app.add_typer(caption_batch.app, name="batch")

ManifestPath = Annotated[Path, typer.Argument(metavar="MANIFEST", help="A manifest, or a folder of sounds.")]


@app.command("list")
def list_stages(as_json: Json = False) -> None:
    """List the stages that `openclap captions make` knows."""
    from openclap.captions.stage import stages
    from openclap.cli.output import Output

    out = Output(as_json)
    rows = [(name, (stages.get(name).__doc__ or "").strip().splitlines()[0]) for name in stages.names()]
    out.table(("stage", "what it makes"), rows)
    out.result([{"name": name, "what": what} for name, what in rows])


@app.command("make")
def make(
    stage: Annotated[str, typer.Argument(help="Its name, as `openclap captions list` has it.")],
    manifest: ManifestPath,
    to: Annotated[
        Path, typer.Option("--out", metavar="OUT.jsonl", help="The manifest to write: every clip, with its captions.")
    ],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="An option of the stage. May be repeated.")
    ] = None,
    where: Where = None,
    column: Columns = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, max=MOST, help="Captions for no more than the first so many clips.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would take.")] = False,
    as_json: Json = False,
) -> None:
    """Make captions with a stage. Says first what it takes; goes on where it was ended, and makes nothing twice.

    Clips that --where or --limit leave out are written as they are.
    """
    from openclap.captions.pipeline import estimate, make_captions
    from openclap.captions.stage import stages
    from openclap.cli.options import column_config, conditions, option_tree, plain_settings
    from openclap.cli.output import Output
    from openclap.cli.targets import jsonl_target, work_target
    from openclap.data.stream import ManifestStream

    out = Output(as_json)
    jsonl_target(to)
    work_target(to, work=".captions", manifest=manifest)
    built = stages.get(stage)(**option_tree(plain_settings(settings)))
    with out.console.status("reading the manifest"):
        clips = ManifestStream(manifest, columns=column_config(column))
        wanted = clips.wanted(conditions(where))
    out.other_ids(clips.other_ids)
    with out.console.status("estimating"):
        takes = estimate(clips, built, to, wanted=wanted, limit=limit)
    _say_estimate(takes, len(clips), out)
    if dry_run:
        out.result({"estimate": _plain_estimate(takes)})
        return
    with out.progress("clips") as bar:
        task = bar.add_task(stage, total=len(clips))
        report = make_captions(
            clips,
            built,
            to,
            wanted=wanted,
            limit=limit,
            progress=lambda done, _: bar.update(task, completed=done),
        )
    _say_report(report, to, out)
    summary = getattr(built, "summary", "")
    if summary:
        out.say(summary)
    told = {"estimate": _plain_estimate(takes), "report": report.plain(), "manifest": to}
    out.result(told | ({"summary": summary} if summary else {}))


@app.command("show")
def show(
    manifest: ManifestPath,
    samples: Annotated[int, typer.Option("--samples", min=0, help="Clips to show.")] = 5,
    where: Where = None,
    column: Columns = None,
    as_json: Json = False,
) -> None:
    """Show who made how many captions, and those of a few clips side by side."""
    from collections import Counter

    from openclap.captions.sample import Sample
    from openclap.cli.options import column_config, conditions
    from openclap.cli.output import Output
    from openclap.data.stream import ManifestStream

    out = Output(as_json)
    clips = ManifestStream(manifest, columns=column_config(column))
    wanted = clips.wanted(conditions(where))
    texts: Counter[str] = Counter()
    having: Counter[str] = Counter()
    drawn = Sample(samples)
    count = 0
    for example in filter(wanted, clips):
        count += 1
        voices = [maker for maker, _ in _voices(example)]
        texts.update(voices)
        having.update(set(voices))
        if example.made or example.negatives:
            drawn.offer(example)
    rows = [(maker, texts[maker], having[maker]) for maker in sorted(texts, key=lambda m: -texts[m])]
    out.say(f"{count:,} clips in {manifest}")
    out.other_ids(clips.other_ids)
    out.table(("by", "texts", "clips"), [(maker, f"{n:,}", f"{with_it:,}") for maker, n, with_it in rows])
    for example in drawn.examples:
        out.table(("by", "text"), _voices(example), title=example.id)
    by = {maker: {"texts": n, "clips": with_it} for maker, n, with_it in rows}
    shown = [{"id": example.id, "texts": [list(voice) for voice in _voices(example)]} for example in drawn.examples]
    out.result({"manifest": manifest, "clips": count, "by": by, "samples": shown})


def _voices(example: Example) -> list[tuple[str, str]]:
    """Who says what of a clip; captions for which others stand are marked."""
    replaced = example.replaced
    said = [("original", caption) for caption in example.captions]
    said += [(caption.maker, caption.text) for caption in example.made]
    voices = [(f"{by} (replaced)" if text in replaced else by, text) for by, text in said]
    voices += [("labels", "; ".join(example.labels))] if example.labels else []
    return voices + [(f"not: {negative.kind}", negative.text) for negative in example.negatives]


def _say_estimate(takes: Estimate, clips: int, out: Output) -> None:
    parts = [f"captions for {takes.clips:,} of {clips:,} clips"]
    if takes.calls:
        parts.append(f"{takes.calls:,} calls, {takes.tokens_in:,} tokens in, {takes.tokens_out:,} out")
    if takes.seconds is not None:
        parts.append(f"about {_duration(takes.seconds)}")
    if takes.cost is not None:
        parts.append(f"cost about {takes.cost:,.2f}")
    out.say(("estimate: ", "bold"), "; ".join(parts) + (f" ({takes.note})" if takes.note else ""))


def _say_report(report: Report, to: Path, out: Output) -> None:
    made = f"{report.captions:,} captions"
    made += f" and {report.negatives:,} negative ones" if report.negatives else ""
    kept = f"; {report.from_journal:,} of these clips were made before" if report.from_journal else ""
    out.say(f"{made} for {report.changed:,} of {report.asked:,} clips in {_duration(report.seconds)}{kept}: {to}")
    if report.rejected:
        rows = [(reason, f"{count:,}") for reason, count in report.rejected.most_common()]
        out.table(("rejected because", "captions"), rows)
    if report.counts:
        columns = list(report.counts.values())
        words = sorted(set().union(*columns), key=lambda word: -columns[0][word])
        counts = [(word, *(f"{column[word]:,}" for column in columns)) for word in words]
        out.table(("word", *report.counts), counts)


def _plain_estimate(takes: Estimate) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(takes)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
