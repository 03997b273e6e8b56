"""How many clips a second go from file to vector, and how many captions, beside transformers and laion-clap?

    python benchmarks/embed.py [--peers PYTHON --peers-code FOLDER] [--models htsat-tiny pann-cnn14]
                               [--precisions fp32 int8] [--batch 1 8 32] [--rounds 5] [--threads 2] [--device cpu]
                               [--memory default kept huge-pages] [--real FOLDER] [--json FILE] [--markdown]

Clips are 10 s WAV files at 48 kHz, captions are AudioCaps's where they lie beside the checkout; models are HTSAT-tiny
and CNN14 with RoBERTa-base, random weights. PYTHON is the interpreter of an environment with both peers and FOLDER
holds the code that builds their models; without them only openclap is timed. With `--device cuda` all models are on the
GPU, and so is openclap's log-mel.

Every system has a process of its own (`embed_systems.py`), with the same threads, files, batch and settings of the C
library's memory. Rounds take turns, so what else the machine does falls on all: trust the ratios, which are medians of
each round's, to the best of the peers in that round. "Kept" memory is freed memory that is not given back to the
system, so it need not be paged in again. Precisions are compared by the cosine of their vectors to "fp32": of real
clips of all kinds (`--real`) and of the captions. "Centred" is the cosine after the mean vector of all clips was taken
from each, which leaves what tells clips apart: with random weights all vectors lie close together.
"""

from __future__ import annotations

import argparse
import csv
import itertools
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
import torch

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "shared" / "data"
CAPTIONS = DATA / "captions" / "audiocaps_test.csv"
PEERS = {"htsat-tiny": ("transformers", "laion-clap"), "pann-cnn14": ("laion-clap",)}
REAL = {".ogg", ".flac", ".wav", ".opus", ".mp3"}
RATE_HZ, SECONDS = 48_000, 10
CLIPS = {1: 8, 8: 16, 32: 32}  # how many a round embeds, by batch
MEMORY = {
    "default": {},
    "kept": {"MALLOC_MMAP_THRESHOLD_": str(2**32), "MALLOC_TRIM_THRESHOLD_": str(2**34), "MALLOC_TOP_PAD_": str(2**26)},
    "huge-pages": {"THP_MEM_ALLOC_ENABLE": "1"},
}


class Worker:
    """One system in a process of its own."""

    def __init__(self, name: str, args: argparse.Namespace, model: str, folder: Path, settings: dict[str, str]) -> None:
        self.name, self.is_peer = name, not name.startswith("openclap")
        command = [args.peers if self.is_peer else sys.executable, str(HERE / "embed_systems.py"), name, model]
        command += [str(folder), args.device, *([args.peers_code] if self.is_peer else [])]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("VERBOSE") else subprocess.DEVNULL,
            text=True,
            env=os.environ | settings,
        )
        self.versions = self._hear()

    def ask(self, do: str, items: list[str], batch: int) -> dict[str, Any]:
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


def read_real(folder: Path, count: int) -> list[str]:
    """Real clips, evenly from all that are there."""
    found = sorted(str(path) for path in folder.rglob("*") if path.suffix.lower() in REAL)
    return found[:: max(1, len(found) // count)][:count]


def start(args: argparse.Namespace, model: str, folder: Path, memory: str) -> list[Worker]:
    """The systems' processes; openclap's first in the list, but started last, when a peer has written the tokenizer."""
    settings = MEMORY[memory] | {name: str(args.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "THREADS")}
    settings["OMP_WAIT_POLICY"] = "PASSIVE"  # a system that waits for its turn must not keep the cores busy
    peers = []
    if args.peers:
        peers = [Worker(name, args, model, folder, settings) for name in PEERS[model]]
    elif not (folder / "tokenizer.json").exists():
        from openclap.text.tokenizer import Tokenizer

        Tokenizer.train(read_captions(5000), 3000).save(folder)
    return [*(Worker(f"openclap-{precision}", args, model, folder, settings) for precision in args.precisions), *peers]


def measure(workers: list[Worker], do: str, items: list[str], batch: int, rounds: int) -> list[dict[str, Any]]:
    """One row a system: medians over rounds in which the systems take turns."""
    answers: dict[str, list[dict[str, float]]] = {worker.name: [] for worker in workers}
    for number in range(rounds + 1):
        for worker in workers[number % len(workers) :] + workers[: number % len(workers)]:
            answer = worker.ask(do, items if number else items[: 2 * batch], batch)
            if number:  # the first warms up
                answers[worker.name].append(answer)
    peers = [worker.name for worker in workers if worker.is_peer]
    rows = []
    for worker in workers:
        mine = answers[worker.name]
        row = {
            "system": worker.name,
            "per_second": round(len(items) / statistics.median(a["seconds"] for a in mine), 2),
            "page_faults_each": round(statistics.median(a["page_faults"] for a in mine) / len(items)),
            "peak_rss_mb": round(mine[-1]["peak_rss_mb"]),
        }
        if peers:
            best = [min(answers[peer][number]["seconds"] for peer in peers) for number in range(rounds)]
            ratios = [peer / own["seconds"] for peer, own in zip(best, mine, strict=True)]
            row["times_best_peer"] = round(statistics.median(ratios), 2)
        rows.append(row)
    return rows


def compare(workers: list[Worker], do: str, items: list[str]) -> list[dict[str, Any]]:
    """One row for every precision after the first: cosines of its vectors to the first's."""
    exact, *others = [worker for worker in workers if not worker.is_peer]
    if not others:
        return []
    vectors = {
        worker.name: np.load(worker.ask(do, items, 32)["path"]).astype(np.float64) for worker in (exact, *others)
    }
    centre = vectors[exact.name].mean(axis=0)
    rows = []
    for worker in others:
        row: dict[str, Any] = {"system": worker.name, "items": len(items)}
        for name, middle in (("cosine", 0.0), ("centred", centre)):
            a, b = vectors[exact.name] - middle, vectors[worker.name] - middle
            found = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
            row |= {f"{name}_mean": round(float(found.mean()), 6), f"{name}_least": round(float(found.min()), 6)}
        rows.append(row)
    return rows


def run(args: argparse.Namespace) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of speed, for every memory setting and model: clips at each batch, and captions. And rows of cosines."""
    speeds: list[dict[str, Any]] = []
    cosines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips, captions = write_clips(folder, max(CLIPS.get(b, b) for b in args.batch)), read_captions(args.captions)
        real = read_real(args.real, args.real_clips)
        for memory, model in itertools.product(args.memory, args.models):
            workers = start(args, model, folder, memory)
            about = {"memory": memory, "model": model}
            for batch in args.batch:
                files = clips[: CLIPS.get(batch, batch)]
                rows = measure(workers, "audio", files, batch, args.rounds)
                fronts = measure(workers, "frontend", files, batch, 1)
                for row, front in zip(rows, fronts, strict=True):
                    row["frontend_share"] = round(row["per_second"] / front["per_second"], 3)
                speeds += [{**about, "what": "clips", "batch": batch, **row} for row in rows]
            if model == args.models[0]:  # the text model is the same in all
                rows = measure(workers, "text", captions, args.text_batch, min(args.rounds, 2))
                speeds += [{**about, "what": "captions", "batch": args.text_batch, **row} for row in rows]
                found = compare(workers, "texts", captions)
                cosines += [{"model": "roberta-base", "what": "captions", **row} for row in found]
            if real:
                cosines += [{"model": model, "what": "real clips", **row} for row in compare(workers, "vectors", real)]
            for worker in workers:
                worker.end()
    return speeds, cosines


def table(rows: list[dict[str, Any]], columns: dict[str, str]) -> str:
    """Rows as a Markdown table: keys and heads of its columns."""
    lines = ["| " + " | ".join(columns.values()) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(row.get(key, "")) for key in columns) + " |" for row in rows]
    return "\n".join(lines)


SPEEDS = {
    "memory": "memory", "model": "model", "what": "what", "batch": "batch", "system": "system",
    "per_second": "a second", "times_best_peer": "× best peer", "frontend_share": "front-end",
    "page_faults_each": "faults each", "peak_rss_mb": "peak MB",
}  # fmt: skip
COSINES = {
    "model": "model", "what": "what", "items": "number", "system": "system", "cosine_mean": "mean cosine",
    "cosine_least": "least", "centred_mean": "mean, centred", "centred_least": "least, centred",
}  # fmt: skip


def parse(given: list[str] | None = None) -> argparse.Namespace:
    """The command's arguments; ends the command where they cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", metavar="PYTHON")
    parser.add_argument("--peers-code", metavar="FOLDER", default=str(HERE.parents[1] / "shared" / "peers"))
    parser.add_argument("--models", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--precisions", nargs="+", choices=["fp32", "bf16", "int8"], default=["fp32", "int8"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--captions", type=int, default=512)
    parser.add_argument("--text-batch", type=int, default=32)
    parser.add_argument("--memory", nargs="+", choices=list(MEMORY), default=["default"])
    parser.add_argument("--real", type=Path, metavar="FOLDER", default=DATA / "starter" / "audio")
    parser.add_argument("--real-clips", type=int, default=64)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", action="store_true", help="print nothing but the table")
    args = parser.parse_args(given)
    if args.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error(f"argument --device: {args.device!r} needs a GPU, and torch sees none here: give cpu")
    return args


def main() -> None:
    args = parse()
    speeds, cosines = run(args)
    about = {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": args.device,
        "cores": os.cpu_count(),
        "threads": args.threads,
        "rounds": args.rounds,
        "clip_s": SECONDS,
    }
    if args.json:
        results = {"about": about, "speeds": speeds, "cosines": cosines}
        args.json.write_text(json.dumps(results, indent=2) + "\n")
    if not args.markdown:
        print(", ".join(f"{key} {value}" for key, value in about.items()), end="\n\n")
    print(table(speeds, SPEEDS))
    if cosines:
        print("\n" + table(cosines, COSINES))


if __name__ == "__main__":
    main()
