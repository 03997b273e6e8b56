"""The folder beside a manifest in which a long job keeps what it has done, for itself and with nothing half-written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from openclap.data.example import Example
from openclap.data.manifest import write_manifest
from openclap.errors import CaptionError
from openclap.exclusive import held


@contextmanager
def work_in(folder: Path, doing: str) -> Iterator[Path]:
    """The folder, made and held until the block ends, without what a killed job left half-written.

    Raises:
        CaptionError: if another process is at it, which is said to be `doing` ("making captions").
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(held(folder))
        except BlockingIOError as error:
            raise CaptionError(f"another process is {doing} in {folder}: wait for it, or end it") from error
        for left in folder.glob(".*.jsonl"):
            left.unlink()
        yield folder


def write_from(folder: Path, out: Path, examples: Iterable[Example]) -> None:
    """Write the manifest `out`, whole or not at all.

    It is written in the folder, where the next job finds and removes what a killed one has left of it.
    """
    write_manifest(examples, folder / out.name, root=out.parent)
    (folder / out.name).replace(out)


def told(examples: Iterable[Example], progress: Callable[[int, int], None] | None, total: int) -> Iterator[Example]:
    """The same clips, while `progress` is told how many of `total` have gone by."""
    for done, example in enumerate(examples, start=1):
        yield example
        if progress is not None:
            progress(done, total)
