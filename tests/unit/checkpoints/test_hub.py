"""The hub is stood in for by a server on this machine that speaks the few requests a download makes."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from openclap.checkpoints.hub import fetch, is_hub_name
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
    """One repository, served as the hub serves it."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
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
                self.send_response(code)
                for key, value in {"Content-Length": str(len(body)), **(extra or {})}.items():
                    self.send_header(key, value)
                self.end_headers()
                if with_body:
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


def load_in_another_process(
    name: str, url: str, home: Path, *, offline: bool = False
) -> subprocess.CompletedProcess[str]:
    """The hub's address is read once, at import: a fresh process takes another."""
    code = f"from openclap.checkpoints.load import load\nprint(load({name!r}).config.name)"
    environment = {"HF_ENDPOINT": url, "HF_HOME": str(home), "HF_HUB_OFFLINE": str(int(offline)), "PATH": ""}
    environment |= {"PYTHONPATH": ":".join(sys.path), "NO_PROXY": "127.0.0.1", "HF_HUB_DISABLE_XET": "1"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)


def test_a_bundle_comes_from_the_hub_once_and_without_pickles(hub: Hub, tmp_path: Path) -> None:
    first = load_in_another_process("owner/model", hub.url, tmp_path / "home")
    assert first.stdout.strip() == "tiny", first.stderr
    assert not any("pytorch_model.bin" in path for path in hub.asked if "resolve" in path)
    hub.asked.clear()
    again = load_in_another_process("owner/model", hub.url, tmp_path / "home", offline=True)
    assert again.stdout.strip() == "tiny", again.stderr
    assert hub.asked == []


def test_a_repository_that_is_not_there_is_named(hub: Hub, tmp_path: Path) -> None:
    run = load_in_another_process("owner/other", hub.url, tmp_path / "home")
    assert "CheckpointError: 'owner/other'" in run.stderr
