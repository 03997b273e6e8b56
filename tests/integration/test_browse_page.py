"""`openclap data browse`, as somebody uses it: the command in a process of its own, and a real browser."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")
pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")

import uvicorn
from playwright import sync_api as playwright

from openclap.data.manifest import read_manifest
from openclap.serving.browse.app import browse_app
from openclap.serving.browse.review import Review, review_path
from openclap.serving.server import listening

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOSTILE = "<img src=x onerror=\"document.title='broken in'\"><script>document.title='broken in'</script> a tone"
RATE_HZ, SECONDS = 16_000, 3.0
N_CLIPS = 104  # more than a page of the list


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser that is installed here."""
    path = os.environ.get("OPENCLAP_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed, and OPENCLAP_BROWSER is not set")
    sandbox = not hasattr(os, "geteuid") or os.geteuid() != 0  # root has none
    arguments = ["--autoplay-policy=no-user-gesture-required", "--mute-audio"]
    playwright.expect.set_options(timeout=20_000)  # a machine that runs other tests, too, is slow
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=arguments, chromium_sandbox=sandbox)
        yield browser
        browser.close()


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A hundred clips to decide about."""
    return written_manifest(tmp_path)


def written_manifest(folder: Path) -> Path:
    """A hundred clips, among them a broken one, one that browsers do not play, and captions that are hostile."""
    time_s = np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ
    tone = (0.3 * np.sin(2 * np.pi * 1_000 * time_s)).astype(np.float32)
    for name in ("tone.wav", "tone.aiff"):
        soundfile.write(folder / name, tone, RATE_HZ)
    (folder / "broken.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVEjunk")
    made = {"text": "a person hums a long tone", "maker": "debias", "of": ["a man hums a tone"], "replaces": True,
            "details": {"model": HOSTILE}}  # fmt: skip
    rows: list[dict[str, Any]] = [
        {"id": "first", "audio": "tone.wav", "captions": ["a man hums a tone"], "made": [made], "split": "train"},
        {"id": "aiff", "audio": "tone.aiff", "captions": [HOSTILE], "labels": [HOSTILE], "split": HOSTILE},
        {"id": "broken", "audio": "broken.wav", "captions": ["nothing is to be heard"], "split": "test"},
    ]
    rows += [
        {
            "id": f"clip {n}",
            "audio": "tone.wav",
            "start_s": n / 100,
            "duration_s": 1.0,
            "captions": [f"tone number {n}"],
        }
        for n in range(N_CLIPS - len(rows))
    ]
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


class Command:
    """The command, running; `url` is what it printed."""

    def __init__(self, manifest: Path) -> None:
        arguments = [sys.executable, "-m", "openclap", "data", "browse", str(manifest), "--no-open"]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.url = self._printed_url()

    def _printed_url(self) -> str:
        output, deadline = b"", time.monotonic() + 60
        assert self.process.stdout is not None
        while time.monotonic() < deadline:
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                output += os.read(self.process.stdout.fileno(), 65_536)
            if found := re.search(rb"http://127\.0\.0\.1:\d+/[\w-]+/", output):
                return found[0].decode()
            assert self.process.poll() is None, output.decode()
        raise AssertionError(f"no address was printed: {output.decode()}")

    def end(self, with_signal: int = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(with_signal)
        said, _ = self.process.communicate(timeout=20)
        return self.process.returncode, said.decode()


@pytest.fixture
def start(manifest: Path) -> Iterator[Callable[[], Command]]:
    """Starts the command; whatever is left running is killed at the end."""
    started: list[Command] = []

    def starting() -> Command:
        started.append(Command(manifest))
        return started[-1]

    yield starting
    for command in started:
        if command.process.poll() is None:
            command.process.kill()
            command.process.communicate()


class Page:
    """A page of the browser, with words for what one does and sees on it."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 860}, **options)
        self.tab = self.context.new_page()
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self.tab.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, url: str) -> Page:
        self.tab.on(
            "request", lambda request: None if request.url.startswith(url) else self.foreign.append(request.url)
        )
        self.tab.goto(url)
        self.shows("first")
        return self

    def press(self, *keys: str) -> None:
        for key in keys:
            self.tab.keyboard.press(key)

    def shows(self, clip: str) -> None:
        playwright.expect(self.tab.locator("#clip-name")).to_have_text(clip)

    def says(self, selector: str, text: str) -> None:
        playwright.expect(self.tab.locator(selector)).to_contain_text(text)

    def count(self, selector: str, number: int) -> None:
        playwright.expect(self.tab.locator(selector)).to_have_count(number)

    def drawn(self) -> None:
        """The spectrogram is there."""
        self.tab.locator(".plot .now:not([hidden])").wait_for(state="attached")

    def colours(self) -> int:
        """How many colours the spectrogram has."""
        return self.tab.locator(".plot canvas").evaluate(
            "canvas => new Set(new Uint32Array(canvas.getContext('2d')"
            ".getImageData(60, 0, canvas.width - 60, canvas.height - 30).data.buffer)).size"
        )

    def played_s(self) -> float:
        return self.tab.locator("audio").evaluate("audio => audio.currentTime")

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, "it did not come about"
            self.tab.wait_for_timeout(20)

    def close(self) -> None:
        self.context.close()
        assert self.complaints == []
        assert self.foreign == []


@contextmanager
def served(manifest: Path) -> Iterator[str]:
    """Where the page is, served by this very process: a command takes seconds to start."""
    app = browse_app(read_manifest(manifest, check_files=False), Review(review_path(manifest)), "token")
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    with listening() as (listener, port):
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{port}/token/"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page is, for tests that decide nothing."""
    with served(written_manifest(tmp_path_factory.mktemp("clips"))) as url:
        yield url


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Page]:
    """The page, open in a browser; at the end, nothing has been complained of or asked of any other server."""
    page = Page(browser).open(address)
    yield page
    page.close()


def test_one_listens_and_looks_by_keyboard(opened: Page) -> None:
    opened.drawn()
    assert opened.colours() > 20  # a blank one has one
    assert opened.played_s() == 0
    opened.press(" ")
    opened.until(lambda: opened.played_s() > 0.2)
    opened.press(" ")
    at = opened.played_s()
    opened.press("ArrowRight")
    opened.until(lambda: abs(opened.played_s() - at - 1) < 0.2)
    opened.tab.locator(".plot").click(position={"x": 54 + 0.5 * (827 - 54), "y": 80})
    opened.until(lambda: abs(opened.played_s() - SECONDS / 2) < 0.1)
    opened.press("l", "+")
    assert opened.tab.locator("audio").evaluate("audio => [audio.loop, audio.playbackRate]") == [True, 1.5]
    opened.tab.get_by_label("Speed").focus()
    opened.press("j")  # not taken by the list of speeds
    opened.shows("aiff")


def test_one_walks_the_whole_list_by_keyboard(opened: Page) -> None:
    assert opened.tab.locator(".row[aria-selected=true]").evaluate("row => row === document.activeElement")
    opened.press("j")
    opened.shows("aiff")
    opened.drawn()  # decoded here: no browser plays AIFF
    opened.press(" ")
    opened.until(lambda: opened.played_s() > 0.1)
    opened.press("ArrowDown")
    opened.shows("broken")
    opened.says(".plot .message", "is a broken wav file")
    opened.press("j")
    opened.shows("clip 0")
    opened.drawn()
    opened.press("k", "k", "k")
    opened.shows("first")
    opened.press("]")
    opened.shows("clip 97")
    opened.says("#pages", "101 – 104 of 104")
    opened.press("k")
    opened.shows("clip 96")
    opened.says("#pages", "1 – 100 of 104")


def test_captions_stand_beside_what_they_were_made_from(opened: Page) -> None:
    opened.says(".group > .caption .said", "a man hums a tone")
    made = opened.tab.locator(".made .caption")
    assert made.locator("del").all_inner_texts() == ["man"]
    assert made.locator("ins").all_inner_texts() == ["person", "long"]
    opened.says(".made .caption .under", "replaces its source")


def test_filters_are_chips_and_stand_in_the_address(opened: Page) -> None:
    opened.press("/")
    opened.tab.keyboard.type("number 1 -number")
    opened.says("#found", "0 of 104")
    opened.tab.locator("#search").fill("tone")
    opened.says("#found", "103 of 104")
    opened.press("Escape", "g")
    opened.count("#panel input:focus", 1)
    opened.press(" ")  # the first value of the first filter: no split stated, as of most clips
    opened.says(".chip", "split: not stated")
    opened.says("#found", "101 of 104")
    opened.count("#panel input:focus:checked", 1)
    opened.until(lambda: "split=" in opened.tab.url)
    opened.tab.reload()
    opened.says(".chip", "split: not stated")
    opened.says("#found", "101 of 104")
    opened.tab.locator(".chip button").press("Delete")
    opened.count(".chip", 0)
    opened.count("#chips button:focus", 1)  # the next one there is
    opened.until(lambda: "split=" not in opened.tab.url)


def test_flags_outlive_the_page_and_the_server_and_are_exported(
    browser: Any, start: Callable[[], Command], manifest: Path
) -> None:
    command = start()
    page = Page(browser).open(command.url)
    page.press("f", "ArrowRight", "Enter")  # the second reason
    page.count("[data-reason=wrong-caption][aria-checked=true]", 1)
    page.press("Escape", "j")
    page.shows("aiff")
    page.press("c", "Enter")
    page.count(".caption.dropped", 1)
    page.press("Escape", "j")
    page.shows("broken")
    page.press("1", "n")
    page.tab.keyboard.type("no header")
    page.press("Enter", "j")
    page.shows("clip 0")
    page.press("4")
    page.says("#total", "3 flagged")
    page.press("u")
    page.says("#total", "2 flagged")
    page.close()
    assert command.end(signal.SIGKILL)[0] == -signal.SIGKILL

    command = start()
    page = Page(browser).open(command.url)
    page.says("#total", "2 flagged")
    page.says(".row.flagged >> nth=0", "wrong caption")
    page.count(".row.flagged", 2)
    page.press("e", "Enter")
    page.says("dialog", "1 wrong caption, 1 broken")
    page.press("Enter")
    page.says("dialog", "Replace it?")
    page.press("Escape")
    page.close()
    code, said = command.end()  # with Ctrl-C, which is how one ends it: in peace
    assert (code, "Traceback" in said) == (0, False), said
    assert "Ended. Decided about 3 clips" in said
    left = read_manifest(manifest.with_name("manifest.cleaned.jsonl")).examples
    assert [example.id for example in left] == ["aiff", *(f"clip {n}" for n in range(N_CLIPS - 3))]
    assert left[0].captions == ()  # dropped, and a label is left
    record = json.loads(manifest.with_name("manifest.cleaned.decisions.json").read_text(encoding="utf-8"))
    assert record["decisions"]["broken"]["note"] == "no header"


def test_two_pages_see_each_others_flags_and_lose_none(browser: Any, manifest: Path) -> None:
    with served(manifest) as url:
        _two_pages(Page(browser).open(url))


def _two_pages(opened: Page) -> None:
    other = opened.context.new_page()
    other.goto(opened.tab.url)
    playwright.expect(other.locator("#clip-name")).to_have_text("first")
    opened.press("1")
    opened.count(".row.flagged", 1)
    other.keyboard.press("j")
    playwright.expect(other.locator("#clip-name")).to_have_text("aiff")
    other.keyboard.press("2")
    playwright.expect(other.locator("#total")).to_have_text("2 flagged")
    opened.tab.bring_to_front()
    opened.tab.evaluate("() => { dispatchEvent(new Event('focus')); }")
    opened.says("#total", "2 flagged")
    opened.count(".row.flagged", 2)
    opened.close()


def test_captions_are_text_whatever_they_say(opened: Page) -> None:
    opened.press("j")
    opened.shows("aiff")
    opened.says(".caption .said", HOSTILE)
    opened.press("g")
    opened.says("#panel", HOSTILE)
    opened.tab.wait_for_timeout(200)
    assert opened.tab.title() == "aiff – openclap"
    opened.count("main img, main script", 0)


def test_the_page_reads_well_in_the_dark_and_on_narrow_screens(browser: Any, address: str) -> None:
    page = Page(browser, color_scheme="dark").open(address)
    background = "() => getComputedStyle(document.body).backgroundColor"
    dark = page.tab.evaluate(background)
    page.press("t")
    light = page.tab.evaluate(background)
    assert sum(map(int, re.findall(r"\d+", dark))) < 150 < 600 < sum(map(int, re.findall(r"\d+", light)))
    page.tab.set_viewport_size({"width": 700, "height": 860})
    page.drawn()
    assert page.tab.evaluate("() => document.documentElement.scrollWidth") <= 700
    page.close()
