"""How many clips a second go from file to vector, and how many captions, beside transformers and laion-clap?

    python benchmarks/embed.py [--peers PYTHON --peers-code FOLDER] [--threads 2] [--batch 1 8 32] [--rounds 5]
                               [--memory default kept huge-pages] [--json FILE] [--markdown]

Clips are 10 s WAV files at 48 kHz, captions are AudioCaps's where they lie beside the checkout; models are HTSAT-tiny
with RoBERTa-base, float32, random weights. PYTHON is the interpreter of an environment with both peers and FOLDER holds
the code that builds their models; without them only openclap is timed.

Every system has a process of its own (`embed_systems.py`), with the same threads, files, batch and settings of the C
library's memory. Rounds take turns, so what else the machine does falls on all: trust the ratios, which are medians of
each round's. "Kept" memory is freed memory that is not given back to the system, so it need not be paged in again.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

HERE = Path(__file__).resolve().parent
CAPTIONS = HERE.parents[1] / "shared" / "data" / "captions" / "audiocaps_test.csv"
RATE_HZ, SECONDS = 48_000, 10
CLIPS = {1: 8, 8: 16, 32: 32}  # how many a round embeds, by batch
MEMORY = {
    "default": {},
    "kept": {"MALLOC_MMAP_THRESHOLD_": str(2**32), "MALLOC_TRIM_THRESHOLD_": str(2**34), "MALLOC_TOP_PAD_": str(2**26)},
    "huge-pages": {"THP_MEM_ALLOC_ENABLE": "1"},
}


class Worker:
    """One system in a process of its own."""

    def __init__(self, name: str, python: str, folder: Path, code: str | None, settings: dict[str, str]) -> None:
        self.name = name
        command = [python, str(HERE / "embed_systems.py"), name, str(folder), *([code] if code else [])]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("VERBOSE") else subprocess.DEVNULL,
            text=True,
            env=os.environ | settings,
        )
        self.versions = self._hear()

    def ask(self, do: str, items: list[str], batch: int) -> dict[str, float]:
        """Have the system do something, and get what it took."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, "items": items, "batch": batch}) + "\n")
        self._process.stdin.flush()
        return self._hear()

    def end(self) -> None:
        """Let the process end."""
        self._process.communicate()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with code {self._process.wait()}; VERBOSE=1 shows what it said")
        return json.loads(line)  # type: ignore[no-any-return]


def write_clips(folder: Path, count: int) -> list[str]:
    """Paths of clips with noise that swells, and tones that differ."""
    generator = np.random.default_rng(0)
    time = np.arange(RATE_HZ * SECONDS) / RATE_HZ
    paths = []
    for number in range(count):
        tone = np.sin(2 * np.pi * generator.uniform(80, 6000) * time) * (0.5 + 0.5 * np.sin(2 * np.pi * 0.3 * time))
        samples = 0.3 * tone + 0.05 * generator.standard_normal(time.size)
        paths.append(str(folder / f"{number:03}.wav"))
        soundfile.write(paths[-1], samples.astype(np.float32), RATE_HZ)
    return paths


def read_captions(count: int) -> list[str]:
    """Real captions, or made ones where there are none."""
    if CAPTIONS.exists():
        with CAPTIONS.open(newline="") as file:
            return [row["caption"] for row in csv.DictReader(file)][:count]
    words = ("a dog barks", "while", "rain falls", "on the roof", "and", "people talk", "in the distance", "loudly")
    generator = np.random.default_rng(0)
    return [" ".join(generator.choice(words, generator.integers(3, 9))) for _ in range(count)]


def start(args: argparse.Namespace, folder: Path, settings: dict[str, str]) -> list[Worker]:
    """The systems' processes; openclap first in the list, but started last, when a peer has written the tokenizer."""
    settings = settings | {name: str(args.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "THREADS")}
    settings["OMP_WAIT_POLICY"] = "PASSIVE"  # a system that waits for its turn must not keep the cores busy
    peers = []
    if args.peers:
        peers = [Worker(n, args.peers, folder, args.peers_code, settings) for n in ("transformers", "laion-clap")]
    else:
        from openclap.text.tokenizer import Tokenizer

        Tokenizer.train(read_captions(5000), 3000).save(folder)
    return [Worker("openclap", sys.executable, folder, None, settings), *peers]


def measure(workers: list[Worker], do: str, items: list[str], batch: int, rounds: int) -> list[dict[str, Any]]:
    """One row a system: medians over rounds in which the systems take turns."""
    answers: dict[str, list[dict[str, float]]] = {worker.name: [] for worker in workers}
    for number in range(rounds + 1):
        for worker in workers[number % len(workers) :] + workers[: number % len(workers)]:
            answer = worker.ask(do, items, batch)
            if number:  # the first warms up
                answers[worker.name].append(answer)
    rows = []
    for worker in workers:
        mine = answers[worker.name]
        ratios = [a["seconds"] / b["seconds"] for a, b in zip(mine, answers[workers[0].name], strict=True)]
        rows.append(
            {
                "system": worker.name,
                "per_second": round(len(items) / statistics.median(a["seconds"] for a in mine), 2),
                "openclap_is_faster_by": round(statistics.median(ratios), 2),
                "page_faults_each": round(statistics.median(a["page_faults"] for a in mine) / len(items)),
                "peak_rss_mb": round(mine[-1]["peak_rss_mb"]),
            }
        )
    return rows


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """All rows: for every memory setting, clips at each batch with the front-end's share, and captions."""
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips, captions = write_clips(folder, max(CLIPS.get(b, b) for b in args.batch)), read_captions(args.captions)
        for memory in args.memory:
            workers = start(args, folder, MEMORY[memory])
            for batch in args.batch:
                files = clips[: CLIPS.get(batch, batch)]
                rows = measure(workers, "audio", files, batch, args.rounds)
                fronts = measure(workers, "frontend", files, batch, 3)
                for row, front in zip(rows, fronts, strict=True):
                    row["frontend_share"] = round(row["per_second"] / front["per_second"], 3)
                results += [{"memory": memory, "what": "clips", "batch": batch, **row} for row in rows]
            rows = measure(workers, "text", captions, args.text_batch, min(args.rounds, 3))
            results += [{"memory": memory, "what": "captions", "batch": args.text_batch, **row} for row in rows]
            for worker in workers:
                worker.end()
    return results


def table(results: list[dict[str, Any]]) -> str:
    """The results as a Markdown table."""
    heads = ["memory", "what", "batch", "system", "a second", "openclap ×", "front-end", "faults each", "peak MB"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for r in results:
        share = f"{r['frontend_share']:.0%}" if "frontend_share" in r else ""
        cells = [r["memory"], r["what"], r["batch"], r["system"], r["per_second"], r["openclap_is_faster_by"], share]
        lines.append("| " + " | ".join(map(str, [*cells, r["page_faults_each"], r["peak_rss_mb"]])) + " |")
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", metavar="PYTHON")
    parser.add_argument("--peers-code", metavar="FOLDER", default=str(HERE.parents[1] / "shared" / "peers"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--captions", type=int, default=512)
    parser.add_argument("--text-batch", type=int, default=32)
    parser.add_argument("--memory", nargs="+", choices=list(MEMORY), default=["default", "kept"])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", action="store_true", help="print nothing but the table")
    return parser.parse_args()


def main() -> None:
    args = parse()
    results = run(args)
    about = {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "threads": args.threads,
        "clip_s": SECONDS,
    }
    if args.json:
        args.json.write_text(json.dumps({"about": about, "results": results}, indent=2) + "\n")
    if not args.markdown:
        print(", ".join(f"{key} {value}" for key, value in about.items()), end="\n\n")
    print(table(results))


if __name__ == "__main__":
    main()
