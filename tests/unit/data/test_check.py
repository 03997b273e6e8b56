"""A check finds in made-up data what was put into it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from openclap.data.check import check_manifest
from openclap.data.example import Example
from openclap.data.manifest import Manifest, read_manifest
from openclap.data.report import DataReport, Finding


def manifest(*examples: Example, path: str = "m.jsonl") -> Manifest:
    return Manifest(Path(path), Path(), examples)


def found(report: DataReport) -> dict[str, Finding]:
    return {finding.kind: finding for finding in report.findings}


def test_rows_that_are_part_of_a_clip_with_another_id_are_noted(clips: Callable[[int], list[Example]]) -> None:
    report = check_manifest(replace(manifest(clips(2)[1]), other_ids=("second", "third")))
    finding = found(report)["other-ids"]
    assert (finding.severity, finding.count, finding.clips) == ("note", 2, ("second", "third"))


def test_clean_data_has_no_findings_and_exits_with_0(clips: Callable[[int], list[Example]]) -> None:
    examples = [example for example in clips(9) if int(example.id[0]) % 3]  # those of 0.2 and 0.4 s
    report = check_manifest(manifest(*examples))
    assert report.findings == ()
    assert report.severity is None
    assert report.exit_code(strict=True) == 0
    assert (report.clips, report.readable) == (6, 6)
    assert report.hours * 3600 == pytest.approx(3 * 0.2 + 3 * 0.4)
    assert report.durations_s == pytest.approx({"min": 0.2, "mean": 0.3, "median": 0.3, "p95": 0.4, "max": 0.4})
    assert report.sample_rates_hz == {8000: 6}
    assert report.formats == {"wav/pcm_16": 6}
    assert report.parts == {
        "all": {"clips": 6, "hours": pytest.approx(0.5e-3), "captions": 6, "labels_only": 0, "no_text": 0}
    }


def test_broken_missing_silent_quiet_clipped_and_short_clips_are_found(
    tmp_path: Path, noise: Callable[..., Path]
) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFFxxxxWAVE")
    soundfile.write(tmp_path / "silent.wav", np.zeros(4000), 8000)
    noise(tmp_path / "quiet.flac", seed=1, peak=0.0005)
    soundfile.write(tmp_path / "clipped.wav", np.clip(np.random.default_rng(2).normal(0, 1, 4000), -1, 1), 8000)
    noise(tmp_path / "short.wav", seed=3, seconds=0.05)
    names = ["broken.wav", "missing.wav", "silent.wav", "quiet.flac", "clipped.wav", "short.wav"]
    report = check_manifest(manifest(*(Example(name, tmp_path / name, labels=("x",)) for name in names)))
    findings = found(report)
    assert findings["unreadable"].count == 2
    assert findings["unreadable"].clips[1].startswith("missing.wav: AudioNotFoundError: ")
    assert {kind: finding.clips for kind, finding in findings.items() if kind != "unreadable"} == {
        "silent": ("silent.wav",),
        "quiet": ("quiet.flac",),
        "clipped": ("clipped.wav",),
        "short": ("short.wav",),
    }
    assert [finding.severity for finding in report.findings] == ["error", "error", "warning", "warning", "warning"]
    assert report.exit_code() == 3
    assert report.readable == 4


def test_the_same_sound_is_found_under_another_name_and_in_another_container(
    tmp_path: Path, noise: Callable[..., Path]
) -> None:
    wav = noise(tmp_path / "a.wav", seed=0)
    samples, rate_hz = soundfile.read(wav)
    soundfile.write(tmp_path / "b.flac", samples, rate_hz)
    noise(tmp_path / "c.wav", seed=1)
    examples = [Example(name, tmp_path / name, ("x", "y")) for name in ("a.wav", "b.flac", "c.wav")]
    report = check_manifest(manifest(*examples))
    assert found(report)["duplicates"].clips == ("a.wav = b.flac",)
    assert report.exit_code() == 0
    assert report.exit_code(strict=True) == 3

    split = [replace(example, split=split) for example, split in zip(examples, ("train", "test", "test"), strict=True)]
    report = check_manifest(manifest(*split))
    assert found(report)["leakage"].clips == ("a.wav (train) = b.flac (test)",)
    assert "duplicates" not in found(report)
    assert report.exit_code() == 3


def test_leakage_is_found_across_manifests(tmp_path: Path, noise: Callable[..., Path]) -> None:
    example = Example("a.wav", noise(tmp_path / "a.wav", seed=0), ("x",))
    report = check_manifest([manifest(example, path="train.csv"), manifest(example, path="test.csv")])
    assert found(report)["leakage"].clips == ("train.csv: a.wav (train.csv) = test.csv: a.wav (test.csv)",)
    assert set(report.parts) == {"train.csv", "test.csv"}


def test_different_ranges_of_one_file_are_no_duplicates(tmp_path: Path, noise: Callable[..., Path]) -> None:
    path = noise(tmp_path / "a.wav", seed=0, seconds=0.4)
    halves = [Example(str(start), path, ("x",), start_s=start, duration_s=0.2) for start in (0.0, 0.2)]
    assert check_manifest(manifest(*halves)).findings == ()


def test_texts_are_counted_whatever_their_case(tmp_path: Path, noise: Callable[..., Path]) -> None:
    texts = [("A dog barks",), ("a dog BARKS", "dog_01.wav"), (), ()]
    examples = [
        Example(str(n), noise(tmp_path / f"{n}.wav", seed=n), captions, ("dog",) if n == 2 else ())
        for n, captions in enumerate(texts)
    ]
    report = check_manifest(manifest(*examples))
    assert report.captions["count"] == 3
    assert report.captions["distinct"] == 2
    assert (report.captions["words_min"], report.captions["words_max"]) == (1, 3)
    assert report.captions["most_common"] == {"A dog barks": 2, "dog_01.wav": 1}
    assert report.labels["most_common"] == {"dog": 1}
    assert found(report)["no-text"].clips == ("3",)
    assert found(report)["file-name-titles"].clips == ("1: dog_01.wav",)


def test_a_caption_of_many_clips_is_a_warning(tmp_path: Path, noise: Callable[..., Path]) -> None:
    examples = [Example(str(n), noise(tmp_path / f"{n}.wav", seed=n), ("noise",)) for n in range(4)]
    assert found(check_manifest(manifest(*examples)))["dominant-caption"].clips == ("noise",)


def test_threads_change_nothing_and_progress_counts_every_clip(clips: Callable[[int], list[Example]]) -> None:
    done: list[tuple[int, int]] = []
    examples = clips(7)
    one = check_manifest(manifest(*examples))
    many = check_manifest(manifest(*examples), threads=3, progress=lambda n, total: done.append((n, total)))
    assert one == many
    assert done == [(n, 7) for n in range(1, 8)]


def test_the_report_is_json_and_tables_of_text(clips: Callable[[int], list[Example]]) -> None:
    report = check_manifest(manifest(*clips(3)))
    assert json.loads(report.json())["clips"] == 3
    for section in report.sections():
        assert all(len(row) == len(section.columns) for row in section.rows)
        assert all(isinstance(cell, str) for row in section.rows for cell in row)
    assert report.sections()[0].title == "Clips"


@pytest.mark.slow
def test_the_starter_set_has_the_known_faults(starter_manifest: Path) -> None:
    findings = found(check_manifest(read_manifest(starter_manifest), threads=2))
    assert {kind: finding.count for kind, finding in findings.items() if finding.severity == "error"} == {
        "silent": 4,
        "leakage": 10,
    }
    assert findings["duplicates"].count == 16
