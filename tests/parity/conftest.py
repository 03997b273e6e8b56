"""The peers' processes, the sounds and texts that both sides are given, and the table of what differed."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

sys.path.insert(0, str(Path(__file__).parent))  # comparison.py and published.py stand beside the tests

from comparison import Row, Sounds, table

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
ROWS: list[Row] = []

# Of the starter's clips: 8 kHz and 0.4 s, 44.1 kHz and 5 s, MP3 of 44.1 kHz and 17 s. No clip of it has two channels.
CLIPS = {
    "short": "audio/fsdd/0_george_0.wav",
    "middling": "audio/esc10/1-110389-A.ogg",
    "long": "djembe__phrase_fortissimo",
}


class Peer:
    """A peer's process; see peers_process.py for what it can be asked."""

    def __init__(self, script: str, log: Path) -> None:
        python, code = os.environ.get("OPENCLAP_PEERS_PYTHON", ""), os.environ.get("OPENCLAP_PEERS_CODE", "")
        if not Path(python).is_file() or not Path(code, "compat.py").is_file():
            pytest.skip("no peers: make parity PEERS=their Python PEERS_CODE=the folder of compat.py")
        self._log = log
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [str(Path(python).absolute()), str(Path(__file__).with_name(script))],
                env=os.environ | {"OPENCLAP_PEERS_CODE": str(Path(code).resolve())},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def ask(self, do: str, **command: Any) -> dict[str, Any]:
        """The answer to one command."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"do": do, **command}, default=str), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, f"the peer failed:\n{self._log.read_text()[-3000:]}"
        return json.loads(answer)

    def end(self) -> None:
        """End the process."""
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait(timeout=60)
        self._process.stdout.close()  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def peer(request, tmp_path_factory) -> Iterator[Peer]:
    """The process of the module's PEER script."""
    found = Peer(request.module.PEER, tmp_path_factory.mktemp("peer") / "log.txt")
    yield found
    found.end()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where checkpoints of gigabytes go; gone after the test, where pytest's own folders stay."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture(scope="session")
def sounds() -> Sounds:
    """Real clips, decoded and mixed down the same way for both sides."""
    manifest = SHARED / "starter" / "manifest.jsonl"
    if not manifest.exists():
        pytest.skip(f"no real clips: {manifest} is absent")
    known = [json.loads(line)["path"] for line in manifest.read_text().splitlines()]
    found = {name: next(path for path in known if wanted in path) for name, wanted in CLIPS.items()}
    return Sounds({name: manifest.parent / path for name, path in found.items()})


@pytest.fixture(scope="session")
def stereo_file(sounds, tmp_path_factory) -> Path:
    """A stereo file of 44.1 kHz: two clips, one in each channel."""
    left, rate_hz = soundfile.read(sounds.paths["middling"], dtype="float32")
    right = soundfile.read(sounds.paths["long"], dtype="float32")[0][: len(left)]
    path = tmp_path_factory.mktemp("stereo") / "stereo.wav"
    soundfile.write(path, np.stack([left, right], axis=1), rate_hz, subtype="FLOAT")
    return path


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """What people write, and what breaks: empty, too long, unicode, exclamation marks (the padding of MS-CLAP)."""
    path = SHARED / "captions" / "audiocaps_test.csv"
    if not path.exists():
        pytest.skip(f"no captions: {path} is absent")
    with path.open(newline="", encoding="utf-8") as file:
        captions = [row["caption"] for row in csv.DictReader(file)]
    return [
        "",
        "a dog barks!",
        "rain!! and thunder !",
        "Ein Käuzchen ruft; 雨の音 — café",
        " ".join(captions[:9]),
        *captions[9:13],
    ]


@pytest.fixture
def rows() -> Iterator[list[Row]]:
    """Where every comparison puts what it measured; after each test they go to OPENCLAP_PARITY_JSON, if that is set."""
    yield ROWS
    if to := os.environ.get("OPENCLAP_PARITY_JSON"):
        Path(to).write_text(json.dumps([row._asdict() for row in ROWS], indent=1) + "\n")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table of all that was measured."""
    if ROWS:
        terminalreporter.section("parity: largest differences")
        for line in table(ROWS):
            terminalreporter.write_line(line)
