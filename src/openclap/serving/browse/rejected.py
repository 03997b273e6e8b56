"""Captions that a stage made for a manifest and refused itself: `openclap.captions.pipeline` leaves them beside it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

_ENDING = ".rejected.jsonl"


class RejectedCaption(NamedTuple):
    """One refused caption: who made it, what it said, and why it was refused."""

    maker: str
    text: str
    reason: str


def read_rejected(manifest: str | Path) -> Mapping[str, list[RejectedCaption]]:
    """Clip id -> what was refused for it, by every stage whose record lies in `MANIFEST.captions`; mostly nothing.

    A line that cannot be read is passed over: this is for looking at, and nothing depends on it.
    """
    manifest = Path(manifest)
    found: defaultdict[str, list[RejectedCaption]] = defaultdict(list)
    for path in sorted(manifest.with_name(f"{manifest.name}.captions").glob(f"*{_ENDING}")):
        stage = path.name.removesuffix(_ENDING).rpartition("-")[0]  # STAGE-DIGEST
        for clip, text, reason in _rows(path):
            found[clip].append(RejectedCaption(stage, text, reason))
    return dict(found)


def _rows(path: Path) -> Iterator[tuple[str, str, str]]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                row = json.loads(line)
                yield str(row["clip"]), str(row["text"]), str(row["reason"])
            except (ValueError, TypeError, KeyError):
                continue
