"""`openclap data`: corpora, and manifests looked at before training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openclap.cli import corpora
from openclap.cli.browse import browse
from openclap.cli.options import Columns, Json, Where
from openclap.cli.overlap import overlap
from openclap.cli.shard import shard

if TYPE_CHECKING:
    from openclap.cli.output import Output
    from openclap.data.report import DataReport

_SHOWN = 3

app = typer.Typer(help="Get and prepare corpora; check, browse and pack manifests.", no_args_is_help=True)
app.command("list")(corpora.list_corpora)
app.command("info")(corpora.info)
app.command("get")(corpora.get)
app.command("prepare")(corpora.prepare)
app.command("browse")(browse)
app.command("overlap")(overlap)
app.command("shard")(shard)


@app.command("check")
def check(
    manifests: Annotated[
        list[Path], typer.Argument(metavar="MANIFEST…", help="Manifests or folders; leakage is looked for across all.")
    ],
    where: Where = None,
    column: Columns = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Clips read at once.")] = 2,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    as_json: Json = False,
) -> None:
    """Look at data before training on it.

    Finds broken, silent, short and duplicate clips, test clips that are also training clips, and missing texts. Exits
    with 3 if there is an error.
    """
    from openclap.cli.options import column_config, conditions
    from openclap.cli.output import Output
    from openclap.data.check import check_manifest
    from openclap.data.manifest import read_manifest

    out = Output(as_json)
    columns, wanted = column_config(column), conditions(where)
    read = [read_manifest(path, columns=columns, where=wanted, check_files=False) for path in manifests]
    with out.progress("clips") as bar:
        task = bar.add_task("reading", total=sum(map(len, read)))
        report = check_manifest(read, threads=threads, progress=lambda done, _: bar.update(task, completed=done))
    for section in report.sections():
        if section.title != "Findings":
            out.table(section.columns, section.rows, title=section.title)
    _say_findings(report, out)
    out.result(report.plain())
    if code := report.exit_code(strict=strict):
        raise typer.Exit(code)


def _say_findings(report: DataReport, out: Output) -> None:
    """What is wrong, the worst first, with the first few clips that have it."""
    colours = {"error": "bold red", "warning": "yellow", "note": "cyan"}
    for finding in report.findings:
        out.say((finding.severity, colours[finding.severity]), f": {finding.count:,} {finding.message}")
        shown = finding.clips[:_SHOWN]
        for clip in shown:
            out.say(f"    {clip}")
        if len(finding.clips) > len(shown):
            out.say(f"    and {len(finding.clips) - len(shown)} more; --json has them all")
    if not report.findings:
        out.say("Nothing to mend.")
