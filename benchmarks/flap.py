"""What does masking save? Time and memory of the audio tower and of a whole training step against the mask ratio.

    python benchmarks/flap.py [--encoder vit-base] [--batch 8] [--ratio 0 0.25 0.5 0.75 0.8] [--rounds 3] [--json FILE]
    python benchmarks/flap.py --device cuda --precision bf16 --batch 256 512 1024 2304 4608 --ratio 0 0.75
                              --kind 1d --part tower --reconstruction no --rounds 1

Clips are 10 s, 512 patches of AudioMAE's geometry. "tower" is front-end, audio encoder, projection (and decoder, where
it reconstructs), forward and backward; "step" is a whole optimiser step with RoBERTa learning, too. Each case runs in a
process of its own, cases take turns, and the median counts. Memory is how much the process grows beyond what it holds
before the first step (parameters; for "step" the optimiser's state comes on top), by its peak; on a GPU, by torch's own
count. "arithmetic" is what 12·D²·N + 2·N²·D products a layer lead one to expect of the encoder for the tokens kept.

On a GPU the share of the measured peak of a matrix product is printed besides, for as many of the batches as fit: the
products of the encoder's blocks alone count as work, while the time is that of all. What has run out of memory once is
not tried again, nor are larger batches of it. With `--json` numbers are kept after each case.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from openclap.audio.frontend import Frontend
from openclap.losses.reconstruction import ReconstructionConfig
from openclap.memory import all_freed_memory_kept
from openclap.models.clap import Clap, ClapConfig, EncoderConfig
from openclap.models.mae_decoder import DecoderConfig
from openclap.models.masking import MaskingConfig
from openclap.recipes.registry import recipes
from openclap.training.objectives.base import ObjectiveConfig, build_objective
from openclap.training.objectives.masked import MaskedClips
from openclap.training.optim import OptimConfig, build_optimizer
from openclap.training.precision import resolve_device
from openclap.training.step import TrainStep
from openclap.types import AudioBatch, PairBatch, TextBatch

STEPS = 4  # of a process; the first warms up
CAPTION_TOKENS = 20  # as AudioCaps' captions have


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="vit-base", choices=["vit-tiny", "vit-small", "vit-base", "vit-large"])
    parser.add_argument("--batch", type=int, nargs="+", default=[8])
    parser.add_argument("--ratio", type=float, nargs="+", default=[0, 0.25, 0.5, 0.75, 0.8])
    parser.add_argument("--kind", nargs="+", default=["1d", "2d"], choices=["1d", "2d"])
    parser.add_argument("--part", nargs="+", default=["tower", "step"], choices=["tower", "step"])
    parser.add_argument("--reconstruction", nargs="+", default=["no", "yes"], choices=["no", "yes"])
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case is not None:
        print(json.dumps(run_case(**json.loads(given.case))))
        return
    resolve_device(given.device)
    about = {"date": datetime.now(UTC).date().isoformat(), "machine": machine(given.device)}

    def keep(rows: list[dict[str, Any]], peak: float | None = None) -> None:
        if given.json is not None:
            given.json.write_text(json.dumps({**about, "matrix_tflops": peak, "rows": rows}, indent=2) + "\n")

    rows = measure(plan(given), given.rounds, keep)
    peak = matrix_peak(given.device, given.precision) if given.device != "cpu" else None
    show(rows, peak)
    keep(rows, peak)


def plan(given: argparse.Namespace) -> list[dict[str, Any]]:
    """The cases, each once; at ratio 0 every kind of mask is the same."""
    cases = []
    for batch in given.batch:
        for part in given.part:
            for reconstruction in given.reconstruction:
                for kind in given.kind:
                    for ratio in given.ratio:
                        if ratio == 0 and (kind != given.kind[0] or reconstruction == "yes"):
                            continue  # nothing is masked: nothing to tell apart, and nothing to reconstruct
                        common = {"encoder": given.encoder, "device": given.device, "threads": given.threads}
                        cases.append(
                            common
                            | {"batch": batch, "part": part, "kind": kind, "ratio": ratio}
                            | {"reconstructs": reconstruction == "yes", "precision": given.precision}
                        )
    return cases


def measure(
    cases: list[dict[str, Any]], rounds: int, keep: Callable[[list[dict[str, Any]]], None]
) -> list[dict[str, Any]]:
    """Each case with the medians of its rounds; cases take turns, and what there is so far is kept after each."""
    found: list[list[dict[str, Any]]] = [[] for _ in cases]
    too_large: list[dict[str, Any]] = []
    for turn in range(rounds):
        for place, case in enumerate(cases):
            if any(
                case == {**other, "batch": case["batch"]} and case["batch"] >= other["batch"] for other in too_large
            ):
                continue
            began = time.perf_counter()
            done = subprocess.run(
                [sys.executable, __file__, "--case", json.dumps(case)], capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                found[place].append(json.loads(done.stdout.splitlines()[-1]))
            elif "out of memory" in done.stderr:
                too_large.append(case)
            else:
                sys.exit(done.stderr)
            label = f"round {turn + 1}: {case['part']} {case['kind']} {case['ratio']} batch {case['batch']}"
            print(f"{label}, {time.perf_counter() - began:.0f} s", file=sys.stderr)
            keep(summary(cases, found))
    return summary(cases, found)


def summary(cases: list[dict[str, Any]], found: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Each case with the medians of what was found; without numbers where nothing was."""
    rows = []
    for case, results in zip(cases, found, strict=True):
        if results:
            middle = {key: statistics.median(result[key] for result in results) for key in ("seconds", "grown_mb")}
            rows.append({**case, **results[0], **middle, "rounds": len(results)})
        else:
            rows.append({**case, "seconds": None, "grown_mb": None, "tokens": None, "rounds": 0})
    return rows


def run_case(
    encoder: str, batch: int, part: str, kind: str, ratio: float, reconstructs: bool, precision: str, device: str,
    threads: int,
) -> dict[str, Any]:  # fmt: skip
    """Seconds a step, and how much memory it takes."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    where = torch.device(device)
    masking = masking_of(kind, ratio)
    model = Clap(
        ClapConfig(
            audio=EncoderConfig(name=encoder),
            text=EncoderConfig(
                name="hf",
                options={"hf": {"model_type": "roberta", "vocab_size": 50265, "max_position_embeddings": 514}},
            ),
            decoder=DecoderConfig() if reconstructs else None,
        )
    ).to(where)
    frontend = Frontend(recipes.get("flap-vitb-1d")().frontend).to(where)
    pairs = made_up(batch, frontend).to(where)
    reconstruction = ReconstructionConfig() if reconstructs else None
    if part == "tower":
        work = tower(model, frontend, pairs, masking, reconstruction, precision)
    else:
        work = step(model, frontend, pairs, masking, reconstruction, precision, where)
    before = held_mb(where)
    seconds = []
    with all_freed_memory_kept() if where.type == "cpu" else nullcontext():  # as in training
        for number in range(STEPS):
            began = time.perf_counter()
            work(number)
            if where.type == "cuda":
                torch.cuda.synchronize(where)
            seconds.append(time.perf_counter() - began)
    audio = model.audio_encoder
    rows, tokens = audio.rows, frontend.config.frames // audio.patch_size * audio.rows
    return {
        "seconds": statistics.median(seconds[1:]),
        "grown_mb": peak_mb(where) - before,
        "tokens": masking.kept(tokens, rows),
        "arithmetic": work_of(audio.dim, masking.kept(tokens, rows)) / work_of(audio.dim, tokens),
        "gmac": len(audio.blocks) * work_of(audio.dim, masking.kept(tokens, rows)) * batch / 1e9,
    }


def masking_of(kind: str, ratio: float) -> MaskingConfig:
    """A mask that removes a share of the tokens; of columns and rows the share that leaves as many."""
    if ratio == 0:
        return MaskingConfig()
    if kind == "2d":
        side = 1 - (1 - ratio) ** 0.5
        return MaskingConfig(kind="2d", time_ratio=side, mel_ratio=side)
    return MaskingConfig(kind=kind, ratio=ratio)


def tower(
    model: Clap, frontend: Frontend, pairs: PairBatch, masking: MaskingConfig,
    reconstruction: ReconstructionConfig | None, precision: str,
) -> Any:  # fmt: skip
    """Front-end, audio encoder and projection of a masked batch, forward and backward."""
    model.train()
    direction = torch.randn(1, model.resolved_config().embed_dim, device=pairs.audio.waveforms.device)

    def work(_: int) -> None:
        model.zero_grad(set_to_none=True)
        with torch.no_grad():
            features = frontend(pairs.audio)
        with torch.autocast(features.device.type, torch.bfloat16, enabled=precision == "bf16"):
            clips = MaskedClips(model, features)
            encoded, masks = clips.encoded(masking)
            loss = (model.project_audio(clips.pooled(encoded)) * direction).sum()
            if reconstruction is not None:
                loss = loss + clips.reconstruction(model, reconstruction, encoded, masks)
        loss.backward()

    return work


def step(
    model: Clap, frontend: Frontend, pairs: PairBatch, masking: MaskingConfig,
    reconstruction: ReconstructionConfig | None, precision: str, device: torch.device,
) -> Any:  # fmt: skip
    """A whole optimiser step of FLAP's objective."""
    options: dict[str, Any] = {"masking": masking.plain()}
    if reconstruction is not None:
        options["reconstruction"] = reconstruction.plain()
    optim = OptimConfig(lr=1e-5)
    taken = TrainStep(
        model,
        frontend,
        build_objective(ObjectiveConfig(name="flap", options=options)),
        build_optimizer(model, optim),
        optim,
        device=device,
        precision=precision,  # type: ignore[arg-type]
        seed=0,
    )
    return lambda number: taken(number, 1.0, [pairs])


def made_up(batch: int, frontend: Frontend) -> PairBatch:
    """Noise, and captions of random tokens."""
    waveforms = 0.1 * torch.randn(batch, frontend.config.window_samples)
    ids = torch.randint(10, 50000, (batch, CAPTION_TOKENS))
    return PairBatch(
        AudioBatch(waveforms, torch.zeros(batch, dtype=torch.bool)),
        TextBatch(ids, torch.ones_like(ids)),
        torch.arange(batch),
        tuple(map(str, range(batch))),
    )


def work_of(dim: int, tokens: int) -> float:
    """Products of one layer, forward."""
    return 12 * dim**2 * tokens + 2 * tokens**2 * dim


def held_mb(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device) / 1e6
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024 / 1e6
    return peak_mb(device)


def peak_mb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def matrix_peak(device: str, precision: str) -> float:
    """Tera-operations a second of a large matrix product, the best of ten."""
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    left, right = (torch.randn(8192, 8192, device=device, dtype=kind) for _ in range(2))
    best = float("inf")
    for _ in range(10):
        torch.cuda.synchronize()
        began = time.perf_counter()
        left @ right
        torch.cuda.synchronize()
        best = min(best, time.perf_counter() - began)
    return 2 * 8192**3 / best / 1e12


def show(rows: list[dict[str, Any]], peak: float | None) -> None:
    whole = {(row["batch"], row["part"]): row for row in rows if row["ratio"] == 0 and row["seconds"] and row["tokens"]}
    head = (
        "| batch | part | mask | reconstructs | tokens | s | clips/s | time × | arithmetic × | memory MB | memory × |"
    )
    print(head + (" of the peak |" if peak else ""))
    print("|" + "---|" * (head.count("|") - 1 + bool(peak)))
    for row in rows:
        says = "yes" if row["reconstructs"] else "no"
        start = f"| {row['batch']} | {row['part']} | {row['kind']} {row['ratio']} | {says} |"
        if row["seconds"] is None:
            print(f"{start} out of memory |")
            continue
        full = whole.get((row["batch"], row["part"]))
        time_share = f"{row['seconds'] / full['seconds']:.2f}" if full else ""
        memory_share = f"{row['grown_mb'] / full['grown_mb']:.2f}" if full else ""
        line = (
            f"{start} {row['tokens']} | {row['seconds']:.3f} | {row['batch'] / row['seconds']:.1f} | {time_share} | "
            f"{row['arithmetic']:.2f} | {row['grown_mb']:.0f} | {memory_share} |"
        )
        if peak:
            line += f" {3 * 2 * row['gmac'] / 1e3 / row['seconds'] / peak:.2f} |"  # a backward pass is two forward ones
        print(line)


def machine(device: str) -> str:
    name = torch.cuda.get_device_name() if device != "cpu" else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, torch {torch.__version__}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
