"""A look at data before anyone trains on it: broken files, doubles, leakage between splits, what the texts are like.

Two clips are the same sound when their decoded samples and rates are. Files are decoded here in any case, and so a copy
is found under another name, with other tags, or in another lossless container. A re-encoded copy is found by `openclap
data overlap`.

Shards that `openclap data shard` wrote are read whole, too, and compared with the checksums in their indexes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from openclap.audio.members import member_of
from openclap.data.example import Example
from openclap.data.manifest import Manifest
from openclap.data.measure import ClipFacts, measure_clips
from openclap.data.report import DataReport, Finding, Severity
from openclap.data.rows import OTHER_IDS
from openclap.data.shards.read import damage
from openclap.text.titles import clean_title

_QUIET_PEAK = 0.001  # -60 dB of full scale: 16-bit sound has 30 steps left
_CLIPPED_SHARE = 0.001  # one sample in a thousand at full scale can be heard
_SHORT_S = 0.1  # shorter than most sounds' attack
_DOMINANT = 0.1  # of all clips: contrast within a batch of 64 then has six alike
_MOST_COMMON = 50
_CONTENT_HASH = "SHA-256 of the decoded mono samples and their rate"


def check_manifest(
    manifests: Manifest | Sequence[Manifest],
    *,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> DataReport:
    """All that can be said of one or several manifests without training on them; leakage is looked for across all.

    Read the manifests with `check_files=False`, so that files that are not there come into the report.

    Args:
        manifests: what to check.
        threads: clips measured at once.
        progress: called with how many clips are done, and of how many.
    """
    manifests = [manifests] if isinstance(manifests, Manifest) else list(manifests)
    clips = _Clips(manifests, threads, progress)
    findings = [*_shard_findings(clips), *_sound_findings(clips), *_content_findings(clips), *_text_findings(clips)]
    if other := tuple(own for manifest in manifests for own in manifest.other_ids):
        findings.append(Finding("note", "other-ids", OTHER_IDS, len(other), other))
    order: tuple[Severity, ...] = ("error", "warning", "note")
    durations = np.array([fact.duration_s for fact in clips.facts if fact.error is None])
    return DataReport(
        manifests=tuple({"path": str(m.path), "digest": m.digest, "clips": len(m)} for m in manifests),
        clips=len(clips.examples),
        readable=len(durations),
        hours=float(durations.sum()) / 3600,
        parts=_parts(clips),
        sources=_counts(example.source for example in clips.examples if example.source),
        durations_s=_spread(durations),
        sample_rates_hz=_counts(fact.sample_rate_hz for fact in clips.facts if fact.error is None),
        channels=_counts(fact.channels for fact in clips.facts if fact.error is None),
        formats=_counts(fact.format for fact in clips.facts if fact.error is None),
        captions=_texts([caption for example in clips.examples for caption in example.captions]),
        labels=_texts([label for example in clips.examples for label in example.labels]),
        findings=tuple(sorted(findings, key=lambda finding: order.index(finding.severity))),
        content_hash=_CONTENT_HASH,
    )


class _Clips:
    """The clips of all manifests in one row, with their facts, a name for messages, and the part they belong to."""

    def __init__(self, manifests: list[Manifest], threads: int, progress: Callable[[int, int], None] | None) -> None:
        pairs = [(manifest, example) for manifest in manifests for example in manifest]
        self.examples: list[Example] = [example for _, example in pairs]
        self.facts: list[ClipFacts] = measure_clips(self.examples, threads=threads, progress=progress)
        several = len(manifests) > 1
        self.names = [f"{manifest.path}: {e.id}" if several else e.id for manifest, e in pairs]
        self.parts = [e.split or (str(manifest.path) if several else "all") for manifest, e in pairs]

    def finding(self, severity: Severity, kind: str, message: str, fits: Callable[[int], Any]) -> list[Finding]:
        """A finding of the clips at the places that fit, or nothing; what fits may be a text that says more."""
        found = {place: fit for place in range(len(self.examples)) if (fit := fits(place))}
        names = [self.names[place] + (f": {fit}" if isinstance(fit, str) else "") for place, fit in found.items()]
        return [Finding(severity, kind, message, len(found), tuple(names))] if found else []


def _shard_findings(clips: _Clips) -> list[Finding]:
    """Archives that are not what their indexes were written for."""
    archives = sorted({found.archive for example in clips.examples if (found := member_of(example.audio)) is not None})
    names = tuple(f"{archive} {reason}" for archive in archives if (reason := damage(archive)) is not None)
    message = "shards whose bytes are not those that were written: copy them again, or make them anew"
    return [Finding("error", "damaged-shard", message, len(names), names)] if names else []


def _sound_findings(clips: _Clips) -> list[Finding]:
    facts = clips.facts
    unreadable = clips.finding(
        "error",
        "unreadable",
        "clips that cannot be read",
        lambda place: facts[place].error and f"{facts[place].error}: {facts[place].reason}",
    )

    def readable(severity: Severity, kind: str, message: str, test: Callable[[ClipFacts], bool]) -> list[Finding]:
        return clips.finding(severity, kind, message, lambda place: facts[place].error is None and test(facts[place]))

    return [
        *unreadable,
        *readable("error", "silent", "silent clips: every sample is zero", lambda f: f.peak == 0),
        *readable("warning", "quiet", "clips with a peak below -60 dB", lambda f: 0 < f.peak < _QUIET_PEAK),
        *readable(
            "warning",
            "clipped",
            "clipped clips: over 0.1 % of their samples are at full scale",
            lambda f: f.clipped > _CLIPPED_SHARE,
        ),
        *readable("warning", "short", "clips shorter than 0.1 s", lambda f: f.duration_s < _SHORT_S),
    ]


def _content_findings(clips: _Clips) -> list[Finding]:
    """The same sound in several parts (leakage), and several times in one (duplicates)."""
    same: dict[str, list[int]] = defaultdict(list)
    for place, fact in enumerate(clips.facts):
        if fact.content and fact.peak > 0:  # all silence is alike, and reported as silence
            same[fact.content].append(place)
    groups = [places for places in same.values() if len(places) > 1]
    leaked = [places for places in groups if len({clips.parts[place] for place in places}) > 1]
    doubled = [places for places in groups if len({clips.parts[place] for place in places}) < len(places)]
    findings = []
    if leaked:
        message = "sounds in more than one split: what is tested on was trained on; take them out of one"
        names = tuple(" = ".join(f"{clips.names[p]} ({clips.parts[p]})" for p in places) for places in leaked)
        findings.append(Finding("error", "leakage", message, len(leaked), names))
    if doubled:
        message = "sounds that are more than once in a split: training takes them in turns, as one clip"
        names = tuple(" = ".join(clips.names[place] for place in places) for places in doubled)
        findings.append(Finding("warning", "duplicates", message, len(doubled), names))
    return findings


def _text_findings(clips: _Clips) -> list[Finding]:
    examples = clips.examples
    findings = clips.finding(
        "error",
        "no-text",
        "clips with neither a caption nor a label: training refuses them",
        lambda place: not examples[place].has_text,
    )
    texts = Counter(caption.casefold() for example in examples for caption in example.captions)
    dominant = tuple(text for text, count in texts.items() if count > _DOMINANT * len(examples) and count > 2)
    if dominant:
        message = "captions of more than a tenth of all clips each, which cannot be told apart"
        findings.append(Finding("warning", "dominant-caption", message, len(dominant), dominant))
    return findings + clips.finding(
        "note",
        "file-name-titles",
        "clips with file names for captions: captions.clean_titles makes words of them",
        lambda place: next((c for c in examples[place].captions if clean_title(c) != c), None),
    )


def _parts(clips: _Clips) -> dict[str, dict[str, Any]]:
    parts: dict[str, dict[str, Any]] = {}
    for part, example, fact in zip(clips.parts, clips.examples, clips.facts, strict=True):
        counts = parts.setdefault(part, {"clips": 0, "hours": 0.0, "captions": 0, "labels_only": 0, "no_text": 0})
        counts["clips"] += 1
        counts["hours"] += fact.duration_s / 3600
        counts["captions" if example.captions else "labels_only" if example.labels else "no_text"] += 1
    return parts


def _texts(texts: list[str]) -> dict[str, Any]:
    """Counts of texts and of their words; texts are alike if only their case differs."""
    first: dict[str, str] = {}
    counts = Counter(first.setdefault(text.casefold(), text) for text in texts)
    lengths = np.array([len(text.split()) for text in texts])
    words = {f"words_{name}": value for name, value in _spread(lengths).items()}
    return {
        "count": len(texts),
        "distinct": len(counts),
        **words,
        "most_common": dict(counts.most_common(_MOST_COMMON)),
    }


def _spread(values: np.ndarray) -> dict[str, float]:
    if len(values) == 0:
        return {}
    return {
        "min": float(values.min()),
        "mean": float(values.mean()),
        "median": float(np.median(values)),
        "p95": float(np.percentile(values, 95)),
        "max": float(values.max()),
    }


def _counts(values: Iterable[Hashable]) -> dict[Any, int]:
    return dict(Counter(values).most_common())
