"""The report is a folder of its own, complete, safe and readable by all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from openclap.data.manifest import Manifest
from openclap.errors import ConfigError
from openclap.evaluation.pictures import mel_like_spectrogram
from openclap.evaluation.report import NextStep, write_report
from openclap.evaluation.results import read_results
from openclap.evaluation.task import evaluate
from openclap.types import Waveform


class Page(HTMLParser):
    """Tags of a page with their attributes, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def report(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from_here = tmp_path_factory.mktemp("report")
    curves = from_here / "curves.png"
    curves.write_bytes(b"\x89PNG")
    model = _oracle(manifest)
    plan = {"retrieval": {"examples": 3}, "zero-shot": {"examples": 2}}
    results = evaluate(model, manifest, plan, model_path="runs/<demo>")
    steps = [NextStep("openclap classify runs/demo/best dog.wav", "Name a sound of your own")]
    return write_report(from_here / "page", results, manifest, title="A <test>", curves=curves, next_steps=steps)


def _oracle(manifest: Manifest) -> Any:
    rng = np.random.default_rng(0)

    class Random:
        identity = "random-1"

        def embed_audio(self, sources: Any) -> np.ndarray:
            return rng.standard_normal((len(sources), 8))

        def embed_text(self, texts: Any) -> np.ndarray:
            return rng.standard_normal((len(texts), 8))

    return Random()


def test_every_link_of_the_page_is_relative_and_there(report: Path) -> None:
    page = Page(report)
    links = [tag[key] for _, tag in page.tags for key in ("src", "href") if tag.get(key)]
    assert len(links) > 10
    for link in links:
        assert link is not None
        assert "://" not in link
        assert not link.startswith("/")
        if not link.startswith("#"):
            assert (report.parent / link).is_file(), link
        else:
            assert any(tag.get("id") == link[1:] for _, tag in page.tags), link


def test_the_folder_can_be_moved(report: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(report.parent, tmp_path / "moved")
    assert str(report.parent) not in (moved / "index.html").read_text()


def test_the_page_shows_every_score_with_its_chance(report: Path) -> None:
    page = Page(report)
    for result in read_results(report.parent / "results.json"):
        for score in result.scores.values():
            assert score.name in page.text
            if score.unit == "share":
                assert f"{100 * score.chance:.1f} %" in page.text


def test_text_from_the_data_is_never_markup(report: Path) -> None:
    raw = report.read_text()
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in raw
    assert "<b>" not in raw
    assert "A &lt;test&gt;" in raw
    assert "runs/&lt;demo&gt;" in raw


def test_sounds_play_in_any_browser_and_pictures_are_described(report: Path, manifest: Manifest) -> None:
    page = Page(report)
    sounds = page.all("audio")
    assert len(sounds) >= 3
    for sound in sounds:
        assert "controls" in sound
        assert sound["aria-label"]
        assert str(sound["src"]).endswith(".wav")
        samples, rate_hz = soundfile.read(report.parent / str(sound["src"]))
        assert (len(samples), rate_hz) == (4000, 16000)
    images = page.all("img")
    assert len(images) == len(sounds) + 2  # and the curves, and the confusion matrix
    assert all(len(str(image.get("alt"))) > 20 for image in images)


def test_the_page_can_be_read_without_seeing_it(report: Path) -> None:
    page = Page(report)
    assert page.all("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in page.tags if tag in {"h1", "h2", "h3", "h4"}]
    assert levels.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in zip(levels, levels[1:], strict=False))  # noqa: RUF007
    assert all(tag.get("scope") in {"col", "row"} for tag in page.all("th"))
    assert "Commonest errors" in page.text
    assert "prefers-color-scheme: dark" in report.read_text()


def test_what_to_type_next_is_there_and_results_lie_beside(report: Path) -> None:
    assert "openclap classify runs/demo/best dog.wav" in Page(report).text
    assert [result.task for result in read_results(report.parent / "results.json")] == ["retrieval", "zero-shot"]


def test_a_second_report_leaves_nothing_of_the_first(
    manifest: Manifest, oracle: Callable[..., Any], tmp_path: Path
) -> None:
    for examples in (5, 2):
        results = evaluate(oracle(), manifest, {"retrieval": {"examples": examples}})
        write_report(tmp_path, results, manifest)
    assert len(list((tmp_path / "sounds").iterdir())) == 2
    assert "Learning curves" not in Page(tmp_path / "index.html").text


def test_a_folder_that_holds_something_else_is_left_alone(
    manifest: Manifest, oracle: Callable[..., Any], tmp_path: Path
) -> None:
    recording = tmp_path / "sounds" / "recording.wav"
    recording.parent.mkdir()
    recording.write_bytes(b"the only copy")
    (tmp_path / "index.html").write_text("<p>my home page</p>")
    results = evaluate(oracle(), manifest, {"retrieval": {}})
    with pytest.raises(ConfigError, match="give an empty folder"):
        write_report(tmp_path, results, manifest)
    assert recording.read_bytes() == b"the only copy"
    assert "my home page" in (tmp_path / "index.html").read_text()


def test_a_report_that_was_interrupted_is_written_again(
    manifest: Manifest, oracle: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError("no space left")

    results = evaluate(oracle(), manifest, {"retrieval": {"examples": 2}})
    monkeypatch.setattr(soundfile, "write", full)
    with pytest.raises(OSError, match="no space"):
        write_report(tmp_path, results, manifest)
    monkeypatch.undo()
    write_report(tmp_path, results, manifest)
    assert "not finished" not in (tmp_path / "index.html").read_text()


def test_a_tone_is_a_line_in_its_spectrogram() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000).astype(np.float32)
    picture = mel_like_spectrogram(Waveform(tone, 16000), columns=40, rows=100)
    assert picture.shape == (100, 40)
    place = 99 * np.log10(1 + 1000 / 700) / np.log10(1 + 8000 / 700)
    assert np.abs(picture.argmax(axis=0) - place).max() <= 1


def test_a_very_short_sound_has_a_picture_too() -> None:
    assert np.isfinite(mel_like_spectrogram(Waveform(np.ones(10, dtype=np.float32), 8000))).all()
