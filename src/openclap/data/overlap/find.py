"""Training clips that stand in an evaluation set: found in every way that is asked for, counted, and taken out.

The evaluation sets are put on the disk in forms that can be looked up; the training manifests then pass clip by clip,
once for each way. Memory depends on neither: what grows with them is the ledger, the landmarks, the kept fingerprints
and the vectors, which are files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from openclap.data.example import Example
from openclap.data.manifest import write_manifest
from openclap.data.overlap.by_content import find_by_content
from openclap.data.overlap.by_ids import find_by_ids
from openclap.data.overlap.by_vectors import SoundVectors, find_by_vectors
from openclap.data.overlap.ledger import Ledger, Side
from openclap.data.overlap.lists import IdList
from openclap.data.overlap.report import OverlapReport, SetCount, groups_of
from openclap.data.overlap.search import ClipSet, OverlapConfig, Progress, Search
from openclap.data.overlap.store import FingerprintStore
from openclap.errors import ConfigError


def find_overlap(
    train: Sequence[ClipSet],
    against: Sequence[ClipSet],
    *,
    ledger: Ledger,
    store: FingerprintStore,
    config: OverlapConfig,
    lists: Mapping[str, IdList] | None = None,
    vectors: tuple[Iterable[SoundVectors], Iterable[SoundVectors]] | None = None,
    progress: Progress = lambda *_: None,
) -> OverlapReport:
    """What overlaps, counted; the ledger then has each pair.

    Args:
        train: what is looked through.
        against: evaluation sets. With none of them, and no list, clips of `train` are compared with each other: a pair
            is then a clip and an earlier one, and the report has groups.
        ledger: takes all that is found.
        store: keeps fingerprints, and has room for other files while this goes on.
        config: how to look.
        lists: evaluation sets known by ids alone, by name.
        vectors: of training clips, and of evaluation clips; needed for "vectors".
        progress: hears how it goes.

    Raises:
        ConfigError: if something that a way needs is not given.
        ManifestError: if a manifest or list is broken.
    """
    lists = lists or {}
    search = Search(train, against, ledger, config, within=not against and not lists, progress=progress)
    for name in lists:
        if name in {one.name for one in against}:
            raise ConfigError(f"an evaluation set and a list are both called {name!r}: rename the list's file")
    check_ways(config, has_lists=bool(lists), has_vectors=vectors is not None)
    for clip in search.numbered("against", "evaluation sets"):
        ledger.add_clip("against", clip)
    if "ids" in config.by:
        find_by_ids(search, lists)
    plain: Counter[Side] = Counter()
    if "content" in config.by:
        plain = find_by_content(search, store)
    without_vectors = 0
    if "vectors" in config.by and vectors is not None:
        without_vectors = find_by_vectors(search, *vectors, store.scratch)
    return _report(search, lists, plain, without_vectors)


def check_ways(config: OverlapConfig, *, has_lists: bool, has_vectors: bool) -> None:
    """Make sure that each way has what it needs, and that nothing is given which no way looks at.

    Raises:
        ConfigError: if not.
    """
    if has_lists and "ids" not in config.by:
        raise ConfigError(f"lists of ids are looked up by ids, but by is {', '.join(config.by)}: add ids")
    if has_vectors and "vectors" not in config.by:
        raise ConfigError(f"--vectors is given, but by is {', '.join(config.by)}: give --by vectors, too")
    if "vectors" in config.by and not has_vectors:
        raise ConfigError("by vectors needs vectors of both sides: give --vectors, files that `openclap embed` wrote")


def cleaned_places(train: Sequence[ClipSet], out: Path) -> list[Path]:
    """Where each training set is written without its overlap: `out` itself; of several, a file each in this folder."""
    return [out] if len(train) == 1 else [out / f"{one.name}.jsonl" for one in train]


def write_cleaned(clips: ClipSet, path: Path, ledger: Ledger, first: int = 0) -> int:
    """How many clips were written: those of a training set that are in no sure pair.

    The manifest appears whole or not at all.

    Args:
        clips: the training set, as it was searched.
        path: the manifest to write.
        ledger: of the search.
        first: the number of the set's first clip: how many the sets before it have.
    """
    kept = 0

    def passed() -> Iterator[Example]:
        nonlocal kept
        dropped = ledger.dropped(first)
        following = next(dropped, None)
        for number, clip in enumerate(clips, start=first):
            if number == following:
                following = next(dropped, None)
                continue
            kept += 1
            yield clip

    write_manifest(passed(), path)
    return kept


def _report(search: Search, lists: Mapping[str, IdList], plain: Counter[Side], without_vectors: int) -> OverlapReport:
    overlapping, unheard, clips = search.ledger.overlapping(), search.ledger.unheard_counts(), search.clips

    def counted(side: Side, name: str, path: Path) -> SetCount:
        of = (side, name)
        return SetCount(name, str(path), clips[of], overlapping.get(of, 0), unheard.get(of, 0))

    paths = {one.name: one.stream.path for one in search.against} | {name: one.path for name, one in lists.items()}
    return OverlapReport(
        train=tuple(counted("train", one.name, one.stream.path) for one in search.train),
        against=tuple(counted("against", name, path) for name, path in paths.items()),
        tallies=tuple(search.ledger.tallies()),
        groups=tuple(groups_of(search.ledger)) if search.within else (),
        plain={str(side): count for side, count in plain.items()},
        without_vectors=without_vectors,
        settings=search.config.plain(),
    )
