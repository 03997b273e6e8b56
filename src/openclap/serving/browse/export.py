"""A manifest without what was decided against, and a record of the decisions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openclap.atomic import file_written_whole
from openclap.data.example import Example
from openclap.data.manifest import Manifest, write_manifest
from openclap.errors import ConfigError, DataError
from openclap.serving.browse.review import Decision

_SUFFIX = ".jsonl"


@dataclass(frozen=True)
class Cleaned:
    """What an export holds.

    Attributes:
        manifest: the clips that stay, each with the captions that stay.
        flagged: how many clips were left out, by reason.
        wordless: clips that were left out because every one of their texts was.
        captions: how many captions were left out of clips that stay.
        unknown: decisions about clips that the manifest does not hold (any more).
    """

    manifest: Manifest
    flagged: Mapping[str, int]
    wordless: int
    captions: int
    unknown: int

    def plain(self) -> dict[str, Any]:
        """The numbers, as plain values."""
        return {
            "clips": len(self.manifest),
            "flagged": dict(self.flagged),
            "wordless": self.wordless,
            "captions": self.captions,
            "unknown": self.unknown,
        }


class ExistsError(DataError):
    """A file would be replaced, and nobody has agreed to that: says which."""


def clean(manifest: Manifest, decisions: Mapping[str, Decision]) -> Cleaned:
    """The manifest without flagged clips and dropped captions.

    A negative caption goes with the caption that it twists. A clip whose last text was dropped goes too: training takes
    no clip without words, and one that never had any stays.
    """
    kept: list[Example] = []
    flagged: Counter[str] = Counter()
    captions = wordless = met = 0
    for example in manifest:
        decision = decisions.get(example.id)
        if decision is None:
            kept.append(example)
            continue
        met += 1
        if decision.flag is not None:
            flagged[decision.flag] += 1
            continue
        left = clean_example(example, decision)
        if example.has_text and not left.has_text:
            wordless += 1
        else:
            captions += _texts(example) - _texts(left)
            kept.append(left)
    return Cleaned(replace(manifest, examples=tuple(kept)), flagged, wordless, captions, len(decisions) - met)


def clean_example(example: Example, decision: Decision) -> Example:
    """The clip without the captions that the decision drops."""
    if not decision.drop:
        return example
    made = tuple(made for made in example.made if not decision.drops("made", made.text))
    captions = tuple(text for text in example.captions if not decision.drops("captions", text))
    gone = {*example.captions, *(made.text for made in example.made)} - {*captions, *(made.text for made in made)}
    negatives = tuple(
        negative
        for negative in example.negatives
        if negative.of not in gone and not decision.drops("negatives", negative.text)
    )
    return replace(example, captions=captions, made=made, negatives=negatives)


def export(
    manifest: Manifest, decisions: Mapping[str, Decision], path: str | Path, *, overwrite: bool = False
) -> tuple[Cleaned, Path]:
    """What was written: the cleaned manifest to `path`, and the decisions to the path beside it that is returned.

    Args:
        manifest: what was browsed.
        decisions: by clip id.
        path: ends in .jsonl; never the manifest itself.
        overwrite: replace files of an earlier export.

    Raises:
        ExistsError: if there is such a file, and `overwrite` is not set.
        ConfigError: for a path that cannot be.
        DataError: if no clip would be left.
    """
    path = Path(path)
    record = path.with_name(f"{path.name.removesuffix(_SUFFIX)}.decisions.json")
    if path.suffix != _SUFFIX:
        raise ConfigError(f"{path.name} does not end in {_SUFFIX}, which is what a cleaned manifest is written as")
    if path.exists() and manifest.path.exists() and path.samefile(manifest.path):
        raise ConfigError(f"{path.name} is the manifest that is being browsed: give another name")
    for existing in (path, record):
        if existing.exists() and not overwrite:
            raise ExistsError(f"{existing.name} is there already")
    cleaned = clean(manifest, decisions)
    if not len(cleaned.manifest):
        raise DataError("no clip would be left in the cleaned manifest")
    write_manifest(cleaned.manifest, path)
    document = {
        "manifest": str(manifest.path),
        "cleaned": path.name,
        **cleaned.plain(),
        "decisions": {clip: decision.plain() for clip, decision in decisions.items()},
    }
    with file_written_whole(record) as fresh:
        fresh.write_text(json.dumps(document, indent=2, ensure_ascii=True) + "\n", encoding="ascii")
    return cleaned, record


def _texts(example: Example) -> int:
    return len(example.captions) + len(example.made) + len(example.negatives)
