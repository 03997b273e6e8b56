"""A stage run over a manifest: told beforehand what it takes, resumed after any end, and nothing made or paid twice.

Beside `out` stands the folder `<out>.captions`, with a journal for each identity of a stage (`journal.py`), the
captions that were rejected, and the identity in full. A clip is made anew when what the stage may see of it has
changed, or the stage's identity has; all others come from the journal. `out` is written whole, when all are made.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TextIO

from openclap.atomic import file_written_whole
from openclap.captions.journal import Journal, clip_key
from openclap.captions.sample import Sample
from openclap.captions.stage import Estimate, Made, Rejected, Stage, stage_digest
from openclap.captions.work import told, work_in, write_from
from openclap.captions.workers import Slot, Workers
from openclap.data.example import Example
from openclap.errors import ConfigError

_CHUNK = 4096
_TIMED_CLIPS = 32


class Clips(Protocol):
    """Clips that can be gone through several times: a `Manifest` or a `ManifestStream`."""

    def __iter__(self) -> Iterator[Example]: ...

    def __len__(self) -> int: ...


@dataclass
class Report:
    """What a run of a stage came to.

    Attributes:
        stage: its name.
        identity: the digest that stands in the details of its captions.
        clips: in the manifest.
        asked: those that captions were to be made for.
        changed: those of them that got a caption or a negative one.
        captions: how many were made.
        negatives: how many were made.
        rejected: reason -> how many captions were made and are not used for it.
        counts: name -> what -> how often: the `counts` in the details of these captions, summed (the words that say a
            sex, before and after de-biasing).
        from_journal: clips whose result was there already, from a run before.
        seconds: how long this run took.
    """

    stage: str
    identity: str
    clips: int = 0
    asked: int = 0
    changed: int = 0
    captions: int = 0
    negatives: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    from_journal: int = 0
    seconds: float = 0.0

    @property
    def unchanged(self) -> int:
        """Clips that captions were to be made for, and that have got none."""
        return self.asked - self.changed

    def plain(self) -> dict[str, Any]:
        """This report as plain values."""
        counts = {name: dict(counter.most_common()) for name, counter in self.counts.items()}
        rejected = dict(self.rejected.most_common())
        return asdict(self) | {"rejected": rejected, "counts": counts, "unchanged": self.unchanged}


def estimate(
    clips: Clips,
    stage: Stage,
    out: Path | None = None,
    *,
    wanted: Callable[[Example], bool] | None = None,
    limit: int | None = None,
) -> Estimate:
    """What a run of the stage would take; nothing is written, and no service is called.

    A stage that says no time itself, and calls no service, is timed on a few clips spread over all.

    Args:
        clips: the manifest.
        stage: the stage.
        out: where its captions would go: what the journal there holds costs nothing.
        wanted: which clips captions are to be made for; all by default.
        limit: no more than the first so many of these.
    """
    digest = stage_digest(stage)
    path = None if out is None else _folder(out) / _journal_name(stage, digest)
    done, total = 0, Estimate(clips=0)
    sample = Sample(_TIMED_CLIPS)
    with ExitStack() as stack:
        journal = stack.enter_context(Journal(path, only_read=True)) if path is not None and path.exists() else None
        asked = (_seen(example, stage, digest) for example in _chosen(clips, wanted, limit))
        while chunk := list(islice(asked, _CHUNK)):
            fresh = [example for example in chunk if journal is None or journal.find(clip_key(example)) is None]
            done += len(chunk) - len(fresh)
            total = _sum(total, stage.estimate(fresh))
            for example in fresh:
                sample.offer(example)
    if total.clips and total.seconds is None and not total.calls:
        total = replace(total, seconds=_timed(stage, sample.examples) * total.clips)
    note = f"{done:,} clips are in the journal already" if done else ""
    return replace(total, note="; ".join(filter(None, (total.note, note))))


def make_captions(
    clips: Clips,
    stage: Stage,
    out: Path,
    *,
    wanted: Callable[[Example], bool] | None = None,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Run a stage over a manifest and write it, with the captions, to `out`: every clip, in the same order.

    Captions that the same identity of the stage made before stand back for these; all others stay. One that says what
    the clip has already is not added.

    Args:
        clips: the manifest; `out` may be its own file.
        stage: the stage.
        out: the manifest to write, as JSON Lines.
        wanted: which clips captions are made for; the others are written as they are.
        limit: no more than the first so many of these.
        progress: called with the clips gone through, and all.

    Raises:
        CaptionError: if the stage cannot go on, or another process is at it. What was made until then is kept.
    """
    if out.suffix != ".jsonl":
        raise ConfigError(f"{out}: a manifest is written as JSON Lines: give a name that ends in .jsonl")
    started, digest = time.perf_counter(), stage_digest(stage)
    report = Report(stage.name, digest)
    with work_in(_folder(out), "making captions") as folder, ExitStack() as stack:
        journal = stack.enter_context(Journal(folder / _journal_name(stage, digest)))
        rejections = stack.enter_context(file_written_whole(folder / f"{stage.name}-{digest}.rejected.jsonl"))
        rejected = stack.enter_context(rejections.open("w", encoding="utf-8"))
        workers = stack.enter_context(Workers(stage, journal))
        run = _Run(stage, journal, workers, rejected, report)
        write_from(folder, out, told(run.examples(clips, wanted or _every, limit), progress, len(clips)))
        rejected.flush()
        report.seconds = time.perf_counter() - started
        about = {"stage": stage.name, "identity": stage.identity, "report": report.plain()}
        with file_written_whole(folder / f"{stage.name}-{digest}.json") as fresh:
            fresh.write_text(json.dumps(about, indent=2, default=str) + "\n", encoding="utf-8")
    return report


class _Run:
    """One run: the clips with their captions, in order, as results come out of the journal or from the stage."""

    def __init__(self, stage: Stage, journal: Journal, workers: Workers, rejected: TextIO, report: Report) -> None:
        self._stage, self._journal, self._workers = stage, journal, workers
        self._rejected, self._report = rejected, report

    def examples(self, clips: Clips, wanted: Callable[[Example], bool], limit: int | None) -> Iterator[Example]:
        for example in clips:
            self._report.clips += 1
            if (limit is None or self._report.asked < limit) and wanted(example):
                self._report.asked += 1
                slot = self._slot(_seen(example, self._stage, self._report.identity))
            else:
                slot = Slot(example, "", None)
            yield from map(self._merged, self._workers.take(slot))
        yield from map(self._merged, self._workers.rest())

    def _slot(self, example: Example) -> Slot:
        key = clip_key(example)
        made = self._journal.find(key)
        self._report.from_journal += made is not None
        return Slot(example, key, made)

    def _merged(self, slot: Slot) -> Example:
        """The clip with what was made for it, which the report counts."""
        example, made = slot.example, slot.made or Made()
        known = {*example.captions, *(caption.text for caption in example.made)}
        captions, rejected = [], list(made.rejected)
        for caption in made.captions:
            if caption.text in known and not caption.replaces:
                rejected.append(Rejected(caption.text, "already there"))
                continue
            known.add(caption.text)
            captions.append(replace(caption, details={**caption.details, "identity": self._report.identity}))
            for name, counts in caption.details.get("counts", {}).items():
                self._report.counts.setdefault(name, Counter()).update(counts)
        for item in rejected:
            self._report.rejected[item.reason] += 1
            row = {"clip": example.id, "text": item.text, "reason": item.reason}
            self._rejected.write(json.dumps(row) + "\n")
        self._report.captions += len(captions)
        self._report.negatives += len(made.negatives)
        self._report.changed += bool(captions or made.negatives)
        return replace(
            example,
            made=(*example.made, *captions),
            negatives=tuple(dict.fromkeys((*example.negatives, *made.negatives))),
        )


def _every(_: Example) -> bool:
    return True


def _chosen(clips: Clips, wanted: Callable[[Example], bool] | None, limit: int | None) -> Iterator[Example]:
    return islice(filter(wanted or _every, clips), limit)


def _seen(example: Example, stage: Stage, digest: str) -> Example:
    """The clip without what this very stage made of it before."""
    made = [c for c in example.made if (c.maker, c.details.get("identity")) != (stage.name, digest)]
    negatives = [caption for caption in example.negatives if caption.maker != stage.name]
    if (len(made), len(negatives)) == (len(example.made), len(example.negatives)):
        return example
    return replace(example, made=tuple(made), negatives=tuple(negatives))


def _timed(stage: Stage, examples: list[Example]) -> float:
    """Seconds a clip, on those of these clips that the stage makes something of."""
    useful = [example for example in examples if stage.estimate([example]).clips]
    if not useful:
        return 0.0
    stage.make(useful[:1])  # what is loaded at the first call is not a matter of clips
    timed = useful[1 : 1 + stage.batch_size] or useful
    started = time.perf_counter()
    stage.make(timed)
    return (time.perf_counter() - started) / len(timed)


def _sum(first: Estimate, second: Estimate) -> Estimate:
    costs = [e.cost for e in (first, second) if e.cost is not None]
    seconds = [e.seconds for e in (first, second) if e.seconds is not None]
    return Estimate(
        clips=first.clips + second.clips,
        calls=first.calls + second.calls,
        tokens_in=first.tokens_in + second.tokens_in,
        tokens_out=first.tokens_out + second.tokens_out,
        seconds=sum(seconds) if seconds else None,
        cost=sum(costs) if costs else None,
        note="; ".join(dict.fromkeys(filter(None, (*first.note.split("; "), *second.note.split("; "))))),
    )


def _folder(out: Path) -> Path:
    return out.with_name(f"{out.name}.captions")


def _journal_name(stage: Stage, digest: str) -> str:
    return f"{stage.name}-{digest}.journal.jsonl"
