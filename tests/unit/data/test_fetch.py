"""Fetching from a real server that fails as servers do: every byte comes once, and nothing wrong is kept."""

from __future__ import annotations

import hashlib
import http.server
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from openclap.data import fetch
from openclap.data.fetch import RemoteFile, fetch_files
from openclap.data.transfer import Patience
from openclap.errors import DataError

DATA = np.random.default_rng(0).bytes(300_000)
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
SHA256 = hashlib.sha256(DATA).hexdigest()
QUICK = Patience(tries=3, wait_s=0.01, longest_wait_s=0.02, timeout_s=5)


class Server(http.server.ThreadingHTTPServer):
    """Serves files, and fails as its `faults` say: one for each request, in order."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {"/a.bin": DATA}
        self.faults: list[str] = []
        self.asked: list[tuple[str, str | None]] = []
        self.version = '"1"'
        self.ranges = True
        self.chunk_wait_s = 0.0

    def url(self, name: str = "a.bin") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, span = self.server, self.headers.get("Range")
        server.asked.append((self.path, span))
        fault = server.faults.pop(0) if server.faults else ""
        if fault.isdigit():
            self.send_response(int(fault))
            self.send_header("Retry-After", "0")
            self.end_headers()
            return
        data = server.files.get(self.path)
        if data is None:
            self.send_error(404)
            return
        start = int(span.removeprefix("bytes=").rstrip("-")) if span and server.ranges else 0
        if self.headers.get("If-Range") not in (None, server.version):
            start = 0
        if start >= len(data) > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("ETag", server.version)
        if fault != "no length":
            self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        body = data[start:]
        if fault == "cut":
            body = body[: len(body) // 2]
        if fault == "wrong":
            body = bytes(len(body))
        for place in range(0, len(body), 10_000):
            self.wfile.write(body[place : place + 10_000])
            time.sleep(server.chunk_wait_s)
        if fault == "cut":
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def bring(server: Server, raw: Path, **known: object) -> None:
    fetch_files([RemoteFile("a.bin", server.url(), **known)], raw, patience=QUICK)


def spans(server: Server) -> list[str | None]:
    return [span for _, span in server.asked]


def test_a_file_comes_whole_and_leaves_nothing_beside_it(server: Server, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    file = RemoteFile("deep/a.bin", server.url(), bytes=len(DATA), md5=MD5, sha256=SHA256)
    fetch_files([file], tmp_path, progress=lambda *now: told.append(now))
    assert (tmp_path / "deep/a.bin").read_bytes() == DATA
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.bin"]
    assert told[0] == ("deep/a.bin", 0, len(DATA))
    assert told[-1] == ("deep/a.bin", len(DATA), len(DATA))


def test_what_is_there_is_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    bring(server, tmp_path, md5=MD5)
    bring(server, tmp_path, md5=MD5)
    assert len(server.asked) == 1


def test_a_cut_connection_is_taken_up_at_its_byte(server: Server, tmp_path: Path) -> None:
    server.faults = ["cut", "cut"]
    bring(server, tmp_path, md5=MD5)
    assert spans(server) == [None, "bytes=150000-", "bytes=225000-"]
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_another_call_goes_on_where_one_was_ended(server: Server, tmp_path: Path) -> None:
    server.faults = ["cut", "503", "503", "503"]
    with pytest.raises(DataError, match=r"150,000 bytes are kept"):
        bring(server, tmp_path)
    assert (tmp_path / "a.bin.unfinished").stat().st_size == 150_000
    assert not (tmp_path / "a.bin").exists()
    bring(server, tmp_path, md5=MD5)
    assert spans(server)[-1] == "bytes=150000-"
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_a_killed_process_loses_nothing(server: Server, tmp_path: Path) -> None:
    server.chunk_wait_s = 0.05
    code = "import sys; from pathlib import Path; from openclap.data.fetch import *; "
    code += "fetch_files([RemoteFile('a.bin', sys.argv[1])], Path(sys.argv[2]))"
    unfinished = tmp_path / "a.bin.unfinished"
    server.files["/a.bin"] = DATA * 20  # several of the chunks in which it is read
    process = subprocess.Popen([sys.executable, "-c", code, server.url(), str(tmp_path)])
    deadline = time.monotonic() + 20
    while not (unfinished.exists() and unfinished.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    have, server.chunk_wait_s = unfinished.stat().st_size, 0
    assert have > 0
    bring(server, tmp_path)
    assert spans(server)[-1] == f"bytes={have}-"
    assert (tmp_path / "a.bin").read_bytes() == DATA * 20


def test_a_server_without_parts_sends_it_from_the_beginning(server: Server, tmp_path: Path) -> None:
    server.ranges, server.faults = False, ["cut"]
    bring(server, tmp_path, md5=MD5)
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_a_file_that_changed_meanwhile_is_not_mixed_with_what_came_of_the_old_one(
    server: Server, tmp_path: Path
) -> None:
    server.faults = ["cut", "503", "503", "503"]
    with pytest.raises(DataError):
        bring(server, tmp_path)
    server.files["/a.bin"], server.version = DATA[::-1], '"2"'
    bring(server, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == DATA[::-1]


def test_all_bytes_being_there_already_is_no_error(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin.unfinished").write_bytes(DATA)
    bring(server, tmp_path, md5=MD5)  # the server answers 416
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_more_bytes_than_the_server_has_are_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin.unfinished").write_bytes(DATA + b"more")
    bring(server, tmp_path, md5=MD5)
    assert (tmp_path / "a.bin").read_bytes() == DATA


@pytest.mark.parametrize("fault", ["429", "500", "502", "503", "504", "408"])
def test_a_busy_server_is_asked_again(fault: str, server: Server, tmp_path: Path) -> None:
    server.faults = [fault, fault]
    bring(server, tmp_path, md5=MD5)
    assert len(server.asked) == 3


def test_waiting_for_a_server_is_told_and_how_long(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.faults = ["503", "503", "503"]
    with pytest.raises(DataError, match="3 times in a row"):
        bring(server, tmp_path)
    assert [message.partition(": the server ")[2] for message in caplog.messages] == [
        "answers 503 (Service Unavailable): trying again in 0 s (2 of 3 tries)",
        "answers 503 (Service Unavailable): trying again in 0 s (3 of 3 tries)",
    ]
    assert caplog.messages[0].startswith(server.url())


@pytest.mark.parametrize("fault", ["401", "403", "404", "410"])
def test_a_refusal_is_final_and_names_the_address(fault: str, server: Server, tmp_path: Path) -> None:
    server.faults = [fault]
    with pytest.raises(DataError, match=f"{server.url()}: the server answers {fault}"):
        bring(server, tmp_path)
    assert len(server.asked) == 1


def test_wrong_bytes_are_not_kept(server: Server, tmp_path: Path) -> None:
    server.faults = ["wrong"]
    with pytest.raises(DataError, match=f"MD5 .* but {MD5} was published"):
        bring(server, tmp_path, md5=MD5)
    assert not list(tmp_path.glob("a.bin*"))


def test_a_wrong_beginning_of_a_resumed_file_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin.unfinished").write_bytes(b"something else")
    bring(server, tmp_path, sha256=SHA256)
    assert spans(server) == ["bytes=14-", None]
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_another_size_than_published_is_seen_before_it_comes(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="300,000 bytes, but 5 were published"):
        bring(server, tmp_path, bytes=5)


def test_a_stream_without_a_length_is_taken_to_its_end(server: Server, tmp_path: Path) -> None:
    server.faults = ["no length"]
    bring(server, tmp_path, md5=MD5)
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_several_come_at_once_and_one_that_fails_keeps_none_from_coming(server: Server, tmp_path: Path) -> None:
    server.files |= {f"/{n}.bin": DATA[n:] for n in range(6)}
    files = [RemoteFile(f"{n}.bin", server.url(f"{n}.bin")) for n in range(6)]
    with pytest.raises(DataError, match=r"(?s)missing\.bin.* 404.*\(6 of 7 files came\)"):
        fetch_files([RemoteFile("missing.bin", server.url("missing.bin")), *files], tmp_path, patience=QUICK)
    assert all((tmp_path / f"{n}.bin").read_bytes() == DATA[n:] for n in range(6))


def test_a_server_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be reached .* 3 times in a row"):
        fetch_files([RemoteFile("a", "http://127.0.0.1:9/a")], tmp_path, patience=QUICK)


def test_files_of_this_machine_are_copied(tmp_path: Path) -> None:
    (tmp_path / "there.bin").write_bytes(DATA)
    fetch_files([RemoteFile("a.bin", (tmp_path / "there.bin").as_uri(), md5=MD5)], tmp_path / "raw")
    assert (tmp_path / "raw/a.bin").read_bytes() == DATA
    with pytest.raises(DataError, match="cannot be read"):
        fetch_files([RemoteFile("b.bin", (tmp_path / "gone.bin").as_uri())], tmp_path / "raw")


def test_other_addresses_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a http, https or file URL"):
        fetch_files([RemoteFile("a", "ftp://example.org/a")], tmp_path)


def test_a_file_put_there_by_hand_is_verified(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(DATA)
    bring(server, tmp_path, md5=MD5)
    assert not server.asked
    (tmp_path / "a.bin").write_bytes(b"a sign-in page")
    with pytest.raises(DataError, match="delete it, and it is fetched"):
        bring(server, tmp_path, md5=MD5)


def test_a_disk_that_is_too_small_is_seen_first(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(DataError, match="are free on its disk"):
        bring(server, tmp_path, bytes=len(DATA))
    assert not server.asked


def test_archives_are_unpacked_once_and_may_then_be_deleted(server: Server, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as made:
        made.writestr("x/a.wav", b"sound")
    server.files["/x.zip"] = (tmp_path / "made.zip").read_bytes()
    file = RemoteFile("x.zip", server.url("x.zip"), unpack="zip", into="audio")
    fetch_files([file], tmp_path / "raw")
    assert (tmp_path / "raw/audio/x/a.wav").read_bytes() == b"sound"
    (tmp_path / "raw/x.zip").unlink()
    fetch_files([file], tmp_path / "raw")
    assert len(server.asked) == 1


@pytest.mark.parametrize("name", ["../evil.wav", "audio/../../evil.wav", "/evil.wav", "..\\evil.wav", "C:evil.wav"])
def test_a_name_out_of_somebodys_table_leads_nowhere_else(name: str, server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="outside of"):
        fetch_files([RemoteFile("a.bin", server.url()), RemoteFile(name, server.url())], tmp_path / "raw")
    assert not server.asked


def test_a_file_that_is_listed_twice_comes_once(server: Server, tmp_path: Path) -> None:
    fetch_files([RemoteFile("a.bin", server.url(), md5=MD5)] * 3, tmp_path)
    assert len(server.asked) == 1
    with pytest.raises(DataError, match="both to be called"):
        fetch_files([RemoteFile("a.bin", server.url()), RemoteFile("a.bin", server.url("b.bin"))], tmp_path)


@pytest.mark.skipif(shutil.which("zip") is None, reason="needs Info-ZIP's zip")
def test_the_volumes_of_an_unpacked_archive_may_be_deleted_too(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(DATA)
    subprocess.run(["zip", "-q", "-s", "64k", tmp_path / "x.zip", "a.wav"], cwd=tmp_path, check=True)
    names = sorted(path.name for path in tmp_path.glob("x.z*"))
    server.files = {f"/{name}": (tmp_path / name).read_bytes() for name in names}
    files = [RemoteFile(name, server.url(name), unpack="zip" if name == "x.zip" else "no") for name in names]
    fetch_files(files, tmp_path / "raw")
    assert (tmp_path / "raw/a.wav").read_bytes() == DATA
    for name in names:
        (tmp_path / "raw" / name).unlink()
    fetch_files(files, tmp_path / "raw")
    assert len(server.asked) == len(names) > 3
    assert not list((tmp_path / "raw").glob("x.z*"))


def test_one_process_at_a_time_fetches_into_a_folder(server: Server, tmp_path: Path) -> None:
    from openclap.exclusive import held

    with held(tmp_path), pytest.raises(DataError, match="another process is fetching"):
        bring(server, tmp_path)
