"""`openclap data overlap`: what stands in training and in evaluation data, and training data without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openclap.cli.options import Columns, Json, Where

if TYPE_CHECKING:
    from openclap.cli.output import Output
    from openclap.data.overlap.by_vectors import SoundVectors
    from openclap.data.overlap.ledger import Ledger
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
    from openclap.cli.output import Output, Passes
    from openclap.data.overlap.find import check_ways, cleaned_places, find_overlap
    from openclap.data.overlap.ledger import Ledger
    from openclap.data.overlap.lists import IdList
    from openclap.data.overlap.report import write_report
    from openclap.data.overlap.search import ClipSet, check_sets
    from openclap.data.overlap.store import FingerprintStore
    from openclap.errors import DataError

    output = Output(as_json)
    if out and not (against or ids):
        raise typer.BadParameter(
            "is for clips that stand in an evaluation set: give --against or --ids", param_hint="--out"
        )
    config = _config(by, names, whole_videos, threshold, cosine, threads)
    both_sides = (_vectors(vectors), _vectors(vectors)) if vectors else None
    columns, lists = column_config(column), IdList.named(ids or [])
    check_ways(config, has_lists=bool(lists), has_vectors=bool(vectors))
    sets = [ClipSet.open(path, columns=columns, where=conditions(where)) for path in train]
    others = [ClipSet.open(path, columns=columns, where=conditions(against_where)) for path in against or []]
    for one in (*sets, *others):
        output.other_ids(one.stream.other_ids)
    check_sets(sets, others)
    places = cleaned_places(sets, out) if out else []
    read = [one.stream.path for one in (*sets, *others)] + [one.path for one in lists.values()]
    _look_at(places, read, {"--report": report, "--cache": cache})
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
                vectors=both_sides,
                progress=Passes(bar).show,
            )
        written = _write(sets, places, found, ledger) if places else {}
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


def _vectors(paths: list[Path]) -> Iterator[SoundVectors]:
    """The rows of all files, block by block."""
    from openclap.data.overlap.by_vectors import SoundVectors
    from openclap.inference.vectors import iterate_sounds

    return (
        SoundVectors(block.vectors, *(block.columns[name].tolist() for name in ("path", "start_s", "end_s")))
        for block in iterate_sounds(paths)
    )


def _look_at(places: list[Path], read: list[Path], folders: dict[str, Path | None]) -> None:
    """Refuse places that cannot be written, or hold what is read or is somebody else's."""
    from openclap.cli.targets import folder_target, jsonl_target, noted_target

    for place in places:
        jsonl_target(place, read=read)
        noted_target(place, by=_SELF)
    for option, folder in folders.items():
        if folder is not None:
            folder_target(folder, option=option)


def _write(sets: list[ClipSet], places: list[Path], found: OverlapReport, ledger: Ledger) -> dict[str, int]:
    """Clips written, by manifest."""
    from openclap.cli.targets import note_target
    from openclap.data.overlap.find import write_cleaned

    written, first = {}, 0
    for one, place, counted in zip(sets, places, found.train, strict=True):
        note_target(place, by=_SELF)
        written[str(place)] = write_cleaned(one, place, ledger, first)
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
