"""The hub is stood in for by a server on this machine that speaks the few requests a download makes."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from openclap.checkpoints.hub import fetch, fetch_file, is_hub_name
from openclap.checkpoints.native import Bundle, save_bundle
from openclap.errors import CheckpointError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("name", ["gpt2", "owner/model", "owner/model@main", "owner/model.v2@refs/pr/1"])
def test_hub_names_are_known(name: str) -> None:
    assert is_hub_name(name)


@pytest.mark.parametrize("name", ["runs/demo/best", "./model", "../model", "/abs/olute", "a b", "", "owner/model@"])
def test_paths_are_not_taken_for_hub_names(name: str) -> None:
    assert not is_hub_name(name)


def test_without_network_and_cache_the_message_says_what_to_do() -> None:
    with pytest.raises(CheckpointError, match=r"no directory here.*cannot be reached.*check the path; or connect"):
        fetch("nobody/nothing", ["*.json"])


class Hub:
    """One repository, served as the hub serves it; `cut_at` ends or holds the next answer after so many bytes."""

    def __init__(self, folder: Path) -> None:  # noqa: C901 - the handler is inside
        self.folder = folder
        self.asked: list[str] = []
        self.ranges: list[str | None] = []
        self.cut_at: int | None = None
        self.hold = threading.Event()
        self.holds = False
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._answer(with_body=False)

            def do_GET(self) -> None:
                self._answer(with_body=True)

            def log_message(self, *_: object) -> None:
                pass

            def _answer(self, *, with_body: bool) -> None:
                path = unquote(urlsplit(self.path).path)
                hub.asked.append(path)
                if path.startswith("/api/models/owner/model"):
                    names = sorted(file.name for file in folder.iterdir())
                    siblings = [{"rfilename": name} for name in names]
                    body = json.dumps({"id": "owner/model", "sha": COMMIT, "siblings": siblings}).encode()
                    if "/tree/" in path:
                        sizes = {name: (folder / name).stat().st_size for name in names}
                        body = json.dumps(
                            [{"type": "file", "path": n, "size": s, "oid": "0" * 40} for n, s in sizes.items()]
                        ).encode()
                    self._send(200, body, with_body=with_body)
                    return
                file = folder / path.rpartition("/")[2]
                if not path.startswith("/owner/model/resolve/") or not file.is_file():
                    self._send(404, b"{}", with_body=with_body, extra={"X-Error-Code": "RepoNotFound"})
                    return
                body = file.read_bytes()
                etag = hashlib.sha256(body).hexdigest()
                self._send(200, body, with_body=with_body, extra={"X-Repo-Commit": COMMIT, "ETag": f'"{etag}"'})

            def _send(self, code: int, body: bytes, *, with_body: bool, extra: dict[str, str] | None = None) -> None:
                headers = dict(extra or {})
                asked = self.headers.get("Range")
                if with_body and "ETag" in headers:
                    hub.ranges.append(asked)
                    if asked is not None:
                        start = int(asked.removeprefix("bytes=").partition("-")[0])
                        headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
                        code, body = 206, body[start:]
                self.send_response(code)
                for key, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(key, value)
                self.end_headers()
                if with_body and "ETag" in headers and hub.cut_at is not None:
                    end, hub.cut_at = hub.cut_at, None
                    self.wfile.write(body[:end])
                    self.wfile.flush()
                    if hub.holds:
                        hub.hold.wait(30)
                    self.close_connection = True
                elif with_body:
                    self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def hub(bundle: Bundle, tmp_path: Path) -> Iterator[Hub]:
    folder = save_bundle(bundle, tmp_path / "repository")
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    served = Hub(folder)
    thread = threading.Thread(target=served.server.serve_forever, daemon=True)
    thread.start()
    yield served
    served.server.shutdown()
    served.server.server_close()
    thread.join()


def in_another_process(code: str, url: str, home: Path, *, offline: bool = False) -> subprocess.Popen[str]:
    """The hub's address is read once, at import: a fresh process takes another."""
    environment = {"HF_ENDPOINT": url, "HF_HOME": str(home), "HF_HUB_OFFLINE": str(int(offline)), "PATH": ""}
    environment |= {"PYTHONPATH": ":".join(sys.path), "NO_PROXY": "127.0.0.1", "HF_HUB_DISABLE_XET": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True, env=environment)


def load_in_another_process(name: str, url: str, home: Path, *, offline: bool = False) -> tuple[str, str]:
    """What it prints and complains of."""
    code = f"from openclap.checkpoints.load import load\nprint(load({name!r}).config.name)"
    return in_another_process(code, url, home, offline=offline).communicate()


FETCH = """
from openclap.checkpoints.hub import fetch_file
got = fetch_file("owner/model", "weights.pt")
print(got.sha256, got.revision, got.path.read_bytes() == open({original!r}, "rb").read())
"""


@pytest.fixture
def weights(hub: Hub) -> Path:
    """A file of the repository that is large enough to be worth going on with."""
    path = hub.folder / "weights.pt"
    path.write_bytes(random.Random(0).randbytes(25_000_000))
    return path


def fetch_in_another_process(hub: Hub, home: Path, *, offline: bool = False) -> tuple[str, str]:
    code = FETCH.format(original=str(hub.folder / "weights.pt"))
    return in_another_process(code, hub.url, home, offline=offline).communicate()


def test_a_bundle_comes_from_the_hub_once_and_without_pickles(hub: Hub, tmp_path: Path) -> None:
    first = load_in_another_process("owner/model", hub.url, tmp_path / "home")
    assert first[0].strip() == "tiny", first[1]
    assert not any("pytorch_model.bin" in path for path in hub.asked if "resolve" in path)
    hub.asked.clear()
    again = load_in_another_process("owner/model", hub.url, tmp_path / "home", offline=True)
    assert again[0].strip() == "tiny", again[1]
    assert hub.asked == []


def test_a_repository_that_is_not_there_is_named(hub: Hub, tmp_path: Path) -> None:
    _, complaint = load_in_another_process("owner/other", hub.url, tmp_path / "home")
    assert "CheckpointError: 'owner/other'" in complaint


def test_a_single_file_comes_once_with_its_digest_and_commit(hub: Hub, weights: Path, tmp_path: Path) -> None:
    expected = f"{hashlib.sha256(weights.read_bytes()).hexdigest()} {COMMIT} True"
    first, complaint = fetch_in_another_process(hub, tmp_path / "home")
    assert first.strip() == expected, complaint
    assert hub.ranges == [None]
    hub.asked.clear()
    again, complaint = fetch_in_another_process(hub, tmp_path / "home")
    assert again.strip() == expected, complaint
    # Not even whether it has changed: what was loaded once stays what it is.
    assert not [path for path in hub.asked if path.startswith("/owner/")]


def test_a_connection_that_breaks_is_taken_up_where_it_broke(hub: Hub, weights: Path, tmp_path: Path) -> None:
    hub.cut_at = 15_000_000
    said, complaint = fetch_in_another_process(hub, tmp_path / "home")
    assert said.strip().endswith("True"), complaint
    start = hub.ranges[-1]
    assert hub.ranges == [None, start]
    assert start is not None
    assert 0 < int(start.removeprefix("bytes=").removesuffix("-")) <= 15_000_000


def test_a_download_that_was_killed_goes_on_and_is_never_taken_for_whole(
    hub: Hub, weights: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    hub.cut_at, hub.holds = 15_000_000, True
    code = FETCH.format(original=str(weights))
    process = in_another_process(code, hub.url, home)
    deadline = time.monotonic() + 60
    while not any(file.stat().st_size > 1_000_000 for file in home.rglob("*.unfinished")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.communicate()
    hub.hold.set()
    hub.holds = False
    _, complaint = fetch_in_another_process(hub, home, offline=True)
    assert "CheckpointError: 'owner/model/weights.pt'" in complaint  # a part of it is no file of it
    said, complaint = fetch_in_another_process(hub, home)
    assert said.strip().endswith("True"), complaint
    start = hub.ranges[-1]
    assert start is not None
    assert 1_000_000 < int(start.removeprefix("bytes=").removesuffix("-")) <= 15_000_000
    assert not list(home.rglob("*.unfinished"))


def test_bytes_that_are_not_what_the_hub_promised_are_thrown_away(hub: Hub, weights: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    blobs = home / "hub" / "models--owner--model" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{digest}.unfinished").write_bytes(bytes(3_000_000))
    _, complaint = fetch_in_another_process(hub, home)
    assert "but the hub says" in complaint
    said, complaint = fetch_in_another_process(hub, home)
    assert said.strip().endswith("True"), complaint
    assert hub.ranges == ["bytes=3000000-", None]


def test_a_file_that_has_changed_in_the_cache_is_refused(hub: Hub, weights: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    fetch_in_another_process(hub, home)
    blob = home / "hub" / "models--owner--model" / "blobs" / hashlib.sha256(weights.read_bytes()).hexdigest()
    blob.write_bytes(blob.read_bytes()[:-1] + b"?")
    _, complaint = fetch_in_another_process(hub, home)
    assert "the copy in the cache is damaged or was changed" in complaint
    assert f"delete {blob}" in complaint


def test_a_file_that_is_not_in_the_repository_is_named(hub: Hub, tmp_path: Path) -> None:
    _, complaint = fetch_in_another_process(hub, tmp_path / "home")
    assert "CheckpointError: 'owner/model/weights.pt'" in complaint


def test_without_network_the_message_says_what_to_fetch_elsewhere_and_where_to_put_it() -> None:
    with pytest.raises(
        CheckpointError, match=r"fetch https://huggingface.co/nobody/nothing/resolve/main/a\.pt"
    ) as error:
        fetch_file("nobody/nothing", "a.pt")
    assert "copy the folder models--nobody--nothing" in str(error.value)
