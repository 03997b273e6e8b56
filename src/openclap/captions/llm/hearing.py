"""Evidence written into a manifest: what some model hears in each clip, resumed after any end.

The model is handed in as a function, for this room loads none. Results go into the same kind of journal as captions do,
beside the manifest that is written: `<out>.events/`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from openclap.captions.journal import Journal
from openclap.captions.llm.evidence import Event
from openclap.captions.pipeline import Clips
from openclap.captions.stage import Estimate, Made, Rejected, stage_digest
from openclap.captions.work import told, work_in, write_from
from openclap.captions.workers import Slot, Workers
from openclap.data.example import Example, MadeCaption

Hear = Callable[[Sequence[Example]], list["list[Event] | str"]]
"""The events in each of some clips, the surest first; or why a clip could not be heard."""


@dataclass
class HeardReport:
    """What came of it.

    Attributes:
        clips: in the manifest.
        with_events: clips in which something was heard.
        events: how many in all.
        from_journal: clips that were heard in a run before.
        bad: clips that could not be heard, with the reasons.
    """

    clips: int = 0
    with_events: int = 0
    events: int = 0
    from_journal: int = 0
    bad: list[tuple[str, str]] = field(default_factory=list)


def add_events(
    clips: Clips,
    hear: Hear,
    out: Path,
    *,
    identity: dict[str, Any],
    column: str = "events",
    batch_size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> HeardReport:
    """Write the manifest with a column of events to `out`; a clip that could not be heard has none.

    Args:
        clips: the manifest.
        hear: the model.
        out: the manifest to write, as JSON Lines.
        identity: all that decides what is heard; results of another identity are not taken over.
        column: the column's name.
        batch_size: clips that are handed to `hear` at once.
        progress: called with the clips gone through, and all.

    Raises:
        CaptionError: if another process is at it.
    """
    hearing = _Hearing(hear, identity, batch_size)
    report = HeardReport()
    with work_in(out.with_name(f"{out.name}.events"), "hearing clips") as folder, ExitStack() as stack:
        journal = stack.enter_context(Journal(folder / f"{stage_digest(hearing)}.journal.jsonl"))
        workers = stack.enter_context(Workers(hearing, journal))
        heard = (
            _with_events(slot, column, report) for slot in _slots(clips, column, out.parent, journal, workers, report)
        )
        write_from(folder, out, told(heard, progress, len(clips)))
    return report


class _Hearing:
    """Hearing as a stage, whose captions are the labels of the events."""

    name = "events"
    concurrency = 1

    def __init__(self, hear: Hear, identity: dict[str, Any], batch_size: int) -> None:
        self._hear, self.identity, self.batch_size = hear, identity, batch_size

    def estimate(self, examples: Sequence[Example]) -> Estimate:
        """All clips."""
        return Estimate(len(examples))

    def make(self, examples: Sequence[Example]) -> list[Made]:
        """The events of each clip."""
        return [
            Made(rejected=(Rejected("", heard),))
            if isinstance(heard, str)
            else Made(tuple(MadeCaption(event.label, self.name, details=event.plain()) for event in heard))
            for heard in self._hear(examples)
        ]


def _slots(
    clips: Clips, column: str, folder: Path, journal: Journal, workers: Workers, report: HeardReport
) -> Iterator[Slot]:
    for clip in clips:
        example = replace(clip, extra={key: value for key, value in clip.extra.items() if key != column})
        report.clips += 1
        key = _sound_key(example, folder)
        made = journal.find(key)
        report.from_journal += made is not None
        yield from workers.take(Slot(example, key, made))
    yield from workers.rest()


def _sound_key(example: Example, folder: Path) -> str:
    """32 hex digits for a clip and its sound, whatever is said of it: captions may have come since it was heard."""
    place = Path(os.path.relpath(example.audio, folder)).as_posix()  # the folder with all in it may be moved
    seen = json.dumps([example.id, place, example.start_s, example.duration_s])
    return hashlib.blake2b(seen.encode(), digest_size=16).hexdigest()


def _with_events(slot: Slot, column: str, report: HeardReport) -> Example:
    made = slot.made or Made()
    for item in made.rejected:
        report.bad.append((slot.example.id, item.reason))
        return slot.example
    events = [dict(caption.details) for caption in made.captions]
    report.events += len(events)
    report.with_events += bool(events)
    return replace(slot.example, extra={**slot.example.extra, column: events})
