"""`openclap data overlap`: what stands in training and in evaluation data, and training data without it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openclap.cli.options import Columns, Json, Where

if TYPE_CHECKING:
    from rich.progress import Progress

    from openclap.cli.output import Output
    from openclap.data.overlap.by_vectors import SoundVectors
    from openclap.data.overlap.ledger import Ledger
    from openclap.data.overlap.lists import IdList
    from openclap.data.overlap.report import OverlapReport
    from openclap.data.overlap.search import ClipSet, OverlapConfig

_SELF = "data overlap"


def overlap(
    train: Annotated[list[Path], typer.Argument(metavar="TRAIN…", help="Manifests or folders to look through.")],
    against: Annotated[
        list[Path] | None,
        typer.Option(
            "--against",
            metavar="EVAL",
            help="An evaluation set; repeatable. Without one, TRAIN is compared with itself.",
        ),
    ] = None,
    ids: Annotated[
        list[str] | None,
        typer.Option(
            "--ids",
            metavar="[SPACE=]FILE[#COLUMN]",
            help="An evaluation set of which only ids are known (SPACE: freesound or youtube); repeatable.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The cleaned manifest; of several TRAIN, a folder for one NAME.jsonl each."),
    ] = None,
    by: Annotated[str, typer.Option("--by", help="Ways to look: ids, content, vectors; with commas.")] = "ids,content",
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--names",
            metavar="CORPUS",
            help="File names hold ids as in esc50, fsd50k, urbansound8k, audioset or vggsound; repeatable.",
        ),
    ] = None,
    whole_videos: Annotated[
        bool, typer.Option("--whole-videos", help="Any two segments of one YouTube video are the same.")
    ] = False,
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="Score of two fingerprints from which they are one sound.")
    ] = None,
    vectors: Annotated[
        list[Path] | None,
        typer.Option("--vectors", metavar="FILE", help="What `openclap embed` wrote, of either side; repeatable."),
    ] = None,
    cosine: Annotated[
        float | None, typer.Option("--cosine", help="Cosine of two vectors from which they are one sound.")
    ] = None,
    where: Where = None,
    against_where: Annotated[
        list[str] | None,
        typer.Option(
            "--against-where", metavar="KEY=VALUE", help="Only such evaluation clips, as split=test; repeatable."
        ),
    ] = None,
    column: Columns = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="DIR", help="A folder for every pair, the counts and a page.")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            "--cache", help="Where fingerprints are kept.  \\[default: OUT.fingerprints, or overlap.fingerprints]"
        ),
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Clips heard at once.")] = 2,
    as_json: Json = False,
) -> None:
    """Find training clips that stand in evaluation sets, and write training data without them.

    Exits with 3 if a clip could not be read (it is kept), and, where no --out is given, if training clips stand in an
    evaluation set.
    """  # fmt: skip
    import tempfile

    from openclap.cli.options import column_config, conditions
    from openclap.cli.output import Output
    from openclap.data.overlap.find import find_overlap
    from openclap.data.overlap.ledger import Ledger
    from openclap.data.overlap.report import write_report
    from openclap.data.overlap.search import ClipSet
    from openclap.data.overlap.store import FingerprintStore
    from openclap.errors import DataError

    output = Output(as_json)
    if out and not (against or ids):
        raise typer.BadParameter(
            "is for clips that stand in an evaluation set: give --against or --ids", param_hint="--out"
        )
    config = _config(by, names, whole_videos, threshold, cosine, threads)
    _needs_vectors(config, vectors)
    columns, lists = column_config(column), _lists(ids or [])
    sets = [ClipSet.open(path, columns=columns, where=conditions(where)) for path in train]
    others = [ClipSet.open(path, columns=columns, where=conditions(against_where)) for path in against or []]
    for one in (*sets, *others):
        output.other_ids(one.stream)
    _refuse_same(sets, others)
    _look_at_places(sets, [*others, *lists.values()], out, report, cache)
    with ExitStack() as stack:
        kept = cache or Path(f"{out}.fingerprints" if out else "overlap.fingerprints")
        if config.by == ("ids",):
            kept = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = stack.enter_context(FingerprintStore(kept))
        ledger = stack.enter_context(Ledger(store.scratch))
        with output.progress("clips") as bar:
            found = find_overlap(
                sets,
                others,
                ledger=ledger,
                store=store,
                config=config,
                lists=lists,
                vectors=(_vectors(vectors), _vectors(vectors)) if vectors else None,
                progress=_Shown(bar).show,
            )
        written = _write(sets, found, ledger, out) if out else {}
        if report:
            write_report(found, ledger, report)
        _say(found, written, output)
        output.result(found.plain_values() | {"written": written})
    if found.unheard or (found.against and found.overlapping and not out):
        raise typer.Exit(DataError.exit_code)


def _config(
    by: str, names: list[str] | None, whole_videos: bool, threshold: float | None, cosine: float | None, threads: int
) -> OverlapConfig:
    from openclap.data.overlap.search import OverlapConfig

    given = {"threshold": threshold, "cosine": cosine}
    values = {
        "by": [way.strip() for way in by.split(",")],
        "names": names or [],
        "whole_videos": whole_videos,
        "threads": threads,
    }
    return OverlapConfig.read(values | {name: v for name, v in given.items() if v is not None}, origin="data overlap")


def _lists(texts: list[str]) -> dict[str, IdList]:
    from openclap.data.overlap.lists import IdList
    from openclap.errors import ConfigError

    found: dict[str, IdList] = {}
    for text in texts:
        listed = IdList.parse(text)
        name = listed.path.stem
        if name in found:
            raise ConfigError(f"{found[name].path} and {listed.path} are both called {name!r}: rename one of them")
        found[name] = listed
    return found


def _refuse_same(sets: list[ClipSet], others: list[ClipSet]) -> None:
    from openclap.errors import ConfigError

    for one in sets:
        for other in others:
            if one.stream.path.resolve() == other.stream.path.resolve() and one.where == other.where:
                raise ConfigError(
                    f"{one.stream.path} is both training and evaluation data: tell its clips apart, as with "
                    "--where split=train --against-where split=test"
                )


def _needs_vectors(config: OverlapConfig, vectors: list[Path] | None) -> None:
    """What is compared by vectors needs them, and a cosine: that is found before all clips are gone through."""
    from openclap.errors import ConfigError, DataError

    if "vectors" not in config.by:
        if vectors:
            raise ConfigError("--vectors is given, and not looked at: give --by vectors, too")
        return
    if not vectors:
        raise ConfigError("--by vectors needs vectors of both sides: give --vectors, files that `openclap embed` wrote")
    if config.cosine is None:
        raise ConfigError("--by vectors needs --cosine, from which two sounds are one: each model has its own")
    for path in vectors:
        if not path.is_file():
            raise DataError(f"{path}: there is no such file of vectors, which `openclap embed` writes")


def _look_at_places(
    sets: list[ClipSet], others: list[ClipSet | IdList], out: Path | None, report: Path | None, cache: Path | None
) -> None:
    """Refuse places that cannot be written, or hold what is read."""
    from openclap.cli.targets import folder_target, jsonl_target, noted_target
    from openclap.data.overlap.search import ClipSet

    if out is not None:
        if len(sets) > 1:
            folder_target(out)
        read = [one.stream.path if isinstance(one, ClipSet) else one.path for one in [*sets, *others]]
        for one in sets:
            jsonl_target(_cleaned(sets, one, out), read=read)
            noted_target(_cleaned(sets, one, out), by=_SELF)
    for option, place in (("--report", report), ("--cache", cache)):
        if place is not None:
            folder_target(place, option=option)


def _cleaned(sets: list[ClipSet], one: ClipSet, out: Path) -> Path:
    """Where the clips of a manifest are written that stand in no evaluation set."""
    return out if len(sets) == 1 else out / f"{one.name}.jsonl"


def _vectors(paths: list[Path]) -> Iterator[SoundVectors]:
    """The rows of all files, block by block.

    Raises:
        DataError: if a file holds vectors of texts.
        IdentityError: if the files are of different models.
    """
    from openclap.data.overlap.by_vectors import SoundVectors
    from openclap.errors import DataError
    from openclap.inference.vectors import iterate_vectors

    first = None
    for path in paths:
        for block in iterate_vectors(path):
            first = first or block
            block.check(first.identity, str(paths[0]))
            if len(block.vectors) and "path" not in block.columns:
                raise DataError(f"{path}: holds vectors of texts; overlap is looked for between sounds")
            if len(block.vectors):
                columns = block.columns
                yield SoundVectors(
                    block.vectors, columns["path"].tolist(), columns["start_s"].tolist(), columns["end_s"].tolist()
                )


class _Shown:
    """A progress bar that begins anew with each pass over the clips."""

    def __init__(self, bar: Progress) -> None:
        self._bar, self._task = bar, bar.add_task("reading", total=None)
        self._doing, self._next_s = "", 0.0

    def show(self, doing: str, done: int, total: int) -> None:
        """Show how far it is; ten times a second, since ids pass by the hundred thousand."""
        if doing != self._doing:
            self._doing = doing
            self._bar.reset(self._task, description=doing, total=total)
        if done == total or time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + 0.1
            self._bar.update(self._task, completed=done, total=total)


def _write(sets: list[ClipSet], found: OverlapReport, ledger: Ledger, out: Path) -> dict[str, int]:
    """Clips written, by manifest."""
    from openclap.cli.targets import note_target
    from openclap.data.overlap.find import write_cleaned

    written, first = {}, 0
    for one, counted in zip(sets, found.train, strict=True):
        path = _cleaned(sets, one, out)
        note_target(path, by=_SELF)
        written[str(path)] = write_cleaned(one, path, ledger, first)
        first += counted.clips
    return written


def _say(found: OverlapReport, written: dict[str, int], out: Output) -> None:
    for section in found.sections():
        out.table(section.columns, section.rows, title=section.title)
    for note in found.notes():
        out.note(note)
    if found.against:
        out.say(f"{found.overlapping:,} training clips stand in an evaluation set")
    else:
        out.say(
            f"{len(found.groups):,} groups of clips of one sound; {found.overlapping:,} clips are like an earlier one"
        )
    for path, clips in written.items():
        out.say(f"{clips:,} clips in {path}")
