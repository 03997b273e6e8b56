"""`openclap data list`, `info`, `get` and `prepare`: what corpora there are, and how one is had."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openclap.cli.options import Json

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from openclap.cli.output import Output
    from openclap.data.corpus import Corpus, CorpusInfo

Name = Annotated[str, typer.Argument(metavar="NAME", help="The corpus, as `openclap data list` has it.")]
Out = Annotated[Path | None, typer.Option("--out", help="Its folder.  \\[default: corpora/NAME]")]
Raw = Annotated[Path | None, typer.Option("--raw", help="Where its published files lie.  \\[default: OUT/raw]")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="An option of the corpus; repeatable.")
]

_NO_SOUND_HINT = "--set missing=fail makes that an error"


def list_corpora(as_json: Json = False) -> None:
    """List the corpora that can be got and prepared."""
    from openclap.cli.output import Output
    from openclap.data.corpus import corpora

    out = Output(as_json)
    infos = [corpora.get(name).info for name in corpora.names()]
    rows = [(info.name, info.kind, _count(info.clips), _hours(info.hours), info.access, info.licence) for info in infos]
    out.table(("name", "kind", "clips", "hours", "access", "licence"), rows, cut="licence")
    out.say("openclap data info NAME says all of one.")
    out.result([_plain(info) for info in infos])


def info(name: Name, as_json: Json = False) -> None:
    """Say all that is known of a corpus: what it is, how to get it, what it shares with others."""
    from openclap.cli.output import Output
    from openclap.data.corpus import corpora

    out, corpus = Output(as_json), corpora.get(name)
    known = corpus.info
    out.say((known.name, "bold"), f"  {known.title}")
    for label, text in _about(known).items():
        out.say((f"{label:<10}", "dim"), text)
    if known.instructions:
        out.say(("\nBy hand\n", "bold"), known.instructions)
    options = _options(corpus)
    if options:
        out.table(("--set", "default"), options.items(), title="\nOptions")
    if known.overlaps:
        out.table(("corpus", "how"), known.overlaps.items(), title="Overlaps: leave shared clips out of training")
    if known.files:
        rows = [(file.name, _bytes(file.bytes), _checksum(file.md5, file.sha256), file.url) for file in known.files]
        out.table(("file", "size", "checksum", "from"), rows, title="Files")
    out.result(_plain(known) | {"options": options})


def get(name: Name, raw: Raw = None, out: Out = None, settings: Settings = None, as_json: Json = False) -> None:
    """Download what can be downloaded of a corpus, verified and unpacked.

    Goes on where it was ended. Files that you have put there yourself are verified and not fetched again.
    """
    from openclap.cli.options import option_tree, plain_settings
    from openclap.cli.output import Output
    from openclap.data.corpus import corpora

    output, corpus = Output(as_json), corpora.get(name)
    folder = raw or (out or Path("corpora") / name) / "raw"
    if corpus.info.access == "generated":
        output.say(f"{name} is made by code: openclap data prepare {name}")
    else:
        with _Bars(output) as bars:
            corpus.fetch(folder, progress=bars.update, **option_tree(plain_settings(settings)))
        output.say(f"{name} is in {folder}")
        if corpus.info.access == "by-hand":
            output.say(("\nStill to be done by hand\n", "bold"), corpus.info.instructions)
        output.say(("\nNext: ", "dim"), f"openclap data prepare {name}{_places(raw, out)}")
    output.result({"corpus": name, "raw": folder, "instructions": corpus.info.instructions})


def prepare(name: Name, out: Out = None, raw: Raw = None, settings: Settings = None, as_json: Json = False) -> None:
    """Make a corpus's manifest.jsonl of its published files; the sounds stay where they are.

    Clips that are listed and whose sound is not there are left out and counted.
    """
    from openclap.cli.options import option_tree, plain_settings
    from openclap.cli.output import Output
    from openclap.data.corpus import corpora

    output, corpus = Output(as_json), corpora.get(name)
    folder = out or Path("corpora") / name
    with output.progress("clips") as bar:
        task = bar.add_task(name, total=corpus.info.clips)
        prepared = corpus.prepare(
            folder,
            raw=raw,
            progress=lambda _, done, total: bar.update(task, completed=done, total=total),
            **option_tree(plain_settings(settings)),
        )
    splits = ", ".join(f"{count:,} {split or 'without a split'}" for split, count in prepared.splits.items())
    output.say(f"{prepared.clips:,} clips in {prepared.path}: {splits}")
    if prepared.missing:
        listed = f"{prepared.missing:,} clips are listed and have no sound here, as {prepared.missing_examples[0]}"
        output.say(("left out", "yellow"), f": {listed} ({_NO_SOUND_HINT})")
    output.say(("Next: ", "dim"), f"openclap data check {prepared.path}")
    counts: dict[str, Any] = {"clips": prepared.clips, "splits": prepared.splits, "missing": prepared.missing}
    output.result({"manifest": prepared.path, **counts, "missing_examples": prepared.missing_examples})


class _Bars:
    """A bar a file, with rate and time left; those that are done give place to the others."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> _Bars:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._progress: Progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, what: str, done: int, total: int | None) -> None:
        """Show how far a file is; called from several threads."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        finished = total is not None and done >= total
        self._progress.update(self._tasks[what], completed=done, total=total, visible=not finished)


def _about(known: CorpusInfo) -> dict[str, str]:
    splits = ", ".join(f"{count:,} {split}" for split, count in known.splits.items())
    labels = f", {known.labels} label" if known.labels else ""
    about = {
        "licence": known.licence,
        "clips": _count(known.clips) + (f": {splits}" if splits else ""),
        "hours": _hours(known.hours),
        "kind": known.kind + labels,
        "ids": f"of {known.id_space}" if known.id_space else "",
        "access": known.access + (f", {_size(known)}" if known.files and known.download_bytes is not None else ""),
        "from": known.url or "",
        "cite": known.citation or "",
    }
    return {label: text for label, text in about.items() if text and text != "–"}


def _options(corpus: Corpus) -> dict[str, Any]:
    """The corpus's options and their defaults."""
    from openclap.data.corpus import PublishedCorpus

    config = corpus.config if isinstance(corpus, PublishedCorpus) else None
    return config().plain() if config is not None else {}


def _plain(known: CorpusInfo) -> dict[str, Any]:
    return asdict(known) | {"download_bytes": known.download_bytes}


def _places(raw: Path | None, out: Path | None) -> str:
    given = (("raw", raw), ("out", out))
    return "".join(f" --{option} {shlex.quote(str(path))}" for option, path in given if path is not None)


def _count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _hours(hours: float | None) -> str:
    return "–" if hours is None else f"{hours:,.1f}"


def _size(known: CorpusInfo) -> str:
    return _bytes(known.download_bytes) if known.files else "–"


def _bytes(size: int | None) -> str:
    if size is None:
        return "–"
    for unit, length in (("GB", 1e9), ("MB", 1e6)):
        if size >= length:
            return f"{size / length:.1f} {unit}"
    return f"{size / 1e3:.0f} kB"


def _checksum(md5: str | None, sha256: str | None) -> str:
    return "SHA-256" if sha256 else "MD5" if md5 else "–"
