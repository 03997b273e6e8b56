"""What a check of data found, as plain values, and as tables for whoever prints them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

from openclap.errors import DataError

Severity = Literal["error", "warning", "note"]
"""An error spoils training or evaluation, a warning may, a note is a hint."""


@dataclass(frozen=True)
class Finding:
    """One kind of problem, and the clips that have it.

    Attributes:
        severity: how bad it is.
        kind: a stable name, as "leakage".
        message: what it is and what to do, as a sentence.
        count: how many clips (or captions) have it.
        clips: which; of duplicates and leakage, one text for each group of clips.
    """

    severity: Severity
    kind: str
    message: str
    count: int
    clips: tuple[str, ...]


class Section(NamedTuple):
    """One table."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class DataReport:
    """All that a check found.

    Attributes:
        manifests: path, digest and number of clips of each.
        clips: how many clips there are.
        readable: how many of them could be read.
        hours: of readable sound.
        parts: of each split (or manifest, where there are no splits): clips, hours, and with which text.
        sources: clips of each source.
        durations_s: minimum, mean, median, 95th percentile and maximum.
        sample_rates_hz: clips of each rate.
        channels: clips of each number of channels.
        formats: clips of each container and coding.
        captions: how many, how many different, their words, the most common.
        labels: how many, how many different, the most common.
        findings: what is wrong, the worst first.
        content_hash: what "the same sound" means here.
    """

    manifests: tuple[dict[str, Any], ...]
    clips: int
    readable: int
    hours: float
    parts: dict[str, dict[str, Any]]
    sources: dict[str, int]
    durations_s: dict[str, float]
    sample_rates_hz: dict[int, int]
    channels: dict[int, int]
    formats: dict[str, int]
    captions: dict[str, Any]
    labels: dict[str, Any]
    findings: tuple[Finding, ...]
    content_hash: str

    @property
    def severity(self) -> Severity | None:
        """That of the worst finding, or None without findings."""
        return self.findings[0].severity if self.findings else None

    def exit_code(self, *, strict: bool = False) -> int:
        """What a command exits with: that of a `DataError` if there is an error (or, if strict, a warning), else 0."""
        bad: tuple[Severity, ...] = ("error", "warning") if strict else ("error",)
        return DataError.exit_code if self.severity in bad else 0

    def plain(self) -> dict[str, Any]:
        """Everything as JSON-ready plain values."""
        return asdict(self)

    def json(self) -> str:
        """Everything as JSON text."""
        return json.dumps(self.plain(), indent=2, ensure_ascii=False)

    def sections(self, most: int = 10) -> list[Section]:
        """Everything as tables of text, at most `most` rows in those that count; empty tables are left out."""
        parts = tuple(
            (name, *(f"{part[k]:,}" for k in ("clips", "captions", "labels_only", "no_text")), f"{part['hours']:.2f}")
            for name, part in self.parts.items()
        )
        sections = [
            Section("Clips", ("part", "clips", "with captions", "labels only", "no text", "hours"), parts),
            Section("Sources", ("source", "clips"), _counted(self.sources, most)),
            Section("Duration", tuple(self.durations_s), (tuple(f"{v:.2f} s" for v in self.durations_s.values()),)),
            Section("Sample rate", ("Hz", "clips"), _counted(self.sample_rates_hz, most)),
            Section("Channels", ("channels", "clips"), _counted(self.channels, most)),
            Section("Format", ("format", "clips"), _counted(self.formats, most)),
            Section("Captions", ("", "captions", "labels"), _text_rows(self.captions, self.labels)),
            Section("Most common captions", ("caption", "clips"), _first(self.captions["most_common"], most)),
            Section("Most common labels", ("label", "clips"), _first(self.labels["most_common"], most)),
            Section("Findings", ("severity", "what", "count", "the first"), tuple(map(_finding_row, self.findings))),
        ]
        return [section for section in sections if section.rows and any(section.rows)]


def _first(counts: dict[Any, int], most: int) -> tuple[tuple[str, ...], ...]:
    return tuple((str(name), f"{count:,}") for name, count in list(counts.items())[:most])


def _counted(counts: dict[Any, int], most: int) -> tuple[tuple[str, ...], ...]:
    """The first counts, and the sum of the rest."""
    rest = list(counts.values())[most:]
    return _first(counts, most) + (((f"and {len(rest)} more", f"{sum(rest):,}"),) if rest else ())


def _text_rows(captions: dict[str, Any], labels: dict[str, Any]) -> tuple[tuple[str, ...], ...]:
    names = [name for name in captions if name != "most_common"]
    return tuple((name.replace("_", " "), _number(captions[name]), _number(labels.get(name))) for name in names)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _finding_row(finding: Finding) -> tuple[str, ...]:
    return finding.severity, finding.message, f"{finding.count:,}", "\n".join(finding.clips[:3])
