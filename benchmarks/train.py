"""How many clips a second does a recipe's model learn from, by batch size and precision?

    python benchmarks/train.py [--recipe demo] [--batch 16 48] [--precision fp32 bf16] [--threads 2] [--json FILE]
                               [--memory kept|returned] [--objective '{"masking": {"kind": "none"}}']

Whole optimiser steps (features, both towers, backward, clipping, AdamW) on made-up sound that is in memory already:
reading files is the loader's, which works beside the step. The front-end's share is listed. Precisions take turns, so
that a busy moment meets both alike; the median counts. `--memory returned` leaves the C library's memory as it is,
where training on a CPU keeps all that it frees; page faults are those of one step of each precision and a front-end's
pass. Run it on an idle machine: two threads on two cores that others use as well wait for each other most of the time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch

from openclap.checkpoints.native import Bundle
from openclap.data.example import Example
from openclap.data.manifest import Manifest
from openclap.memory import all_freed_memory_kept
from openclap.recipes.registry import recipes
from openclap.text.prompts import label_caption
from openclap.training.config import RunConfig
from openclap.training.objectives.base import build_objective
from openclap.training.optim import build_optimizer
from openclap.training.precision import resolve_device, resolve_precision
from openclap.training.setup import build_bundle
from openclap.training.step import TrainStep
from openclap.training.text_cache import PooledTextCache
from openclap.types import AudioBatch, PairBatch

WORDS = ("rain", "wind", "dog", "engine", "bell", "siren", "clock", "drum", "bird", "footsteps", "applause", "door")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="demo", choices=recipes.names())
    parser.add_argument("--batch", type=int, nargs="+", default=[16, 48])
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"], choices=["fp32", "bf16"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--memory", default="kept", choices=["kept", "returned"])
    parser.add_argument("--objective", type=json.loads, metavar="JSON", help="other options of the objective")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = resolve_device(arguments.device)
    config = recipes.get(arguments.recipe)()
    if arguments.objective is not None:
        objective = config.objective.model_copy(update={"options": arguments.objective})
        config = config.model_copy(update={"objective": objective})
    rows = []
    kept = arguments.memory == "kept" and device.type == "cpu"  # as in training
    with all_freed_memory_kept() if kept else nullcontext():
        for batch_size in arguments.batch:
            rows += measure(config, batch_size, arguments.precision, arguments.repeats, device)
    print(f"{arguments.recipe} on {device}, {arguments.threads} threads; auto is {resolve_precision('auto', device)}")
    for row in rows:
        print(
            f"batch {row['batch']:4}  {row['precision']}  {row['clips_per_s']:8.1f} clips/s  "
            f"front-end {100 * row['frontend_share']:4.1f} %  {row['page_faults']:,} page faults"
        )
    if arguments.json is not None:
        about = {
            "date": datetime.now(UTC).date().isoformat(),
            "recipe": arguments.recipe,
            "device": str(device),
            "memory": arguments.memory,
            "objective": arguments.objective,
            "threads": arguments.threads,
            "cores": os.cpu_count(),
            "torch": torch.__version__,
            "python": platform.python_version(),
        }
        arguments.json.write_text(json.dumps({**about, "rows": rows}, indent=2) + "\n")


def measure(
    config: RunConfig, batch_size: int, precisions: list[str], repeats: int, device: torch.device
) -> list[dict[str, float | int | str]]:
    captions = [label_caption([first, second]) for first in WORDS for second in WORDS if first != second]
    examples = tuple(Example(id=str(i), audio=Path(), captions=(caption,)) for i, caption in enumerate(captions))
    steps = {}
    for precision in precisions:
        bundle = build_bundle(config, Manifest(Path(), Path(), examples))
        bundle.model.to(device)
        bundle.frontend.to(device)
        batch = make_batch(bundle, batch_size, captions)
        room = config.trainer.text_cache_bytes
        steps[precision] = TrainStep(
            bundle.model,
            bundle.frontend,
            build_objective(config.objective),
            build_optimizer(bundle.model, config.optim),
            config.optim,
            device=device,
            precision=precision,
            seed=0,
            text_cache=PooledTextCache(bundle.model.text_encoder, room) if room else None,
        )
    times: dict[str, list[float]] = {name: [] for name in (*precisions, "frontend")}
    faults = []
    for repeat in range(repeats + 2):  # the first two fill caches and let memory settle
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for name, step in steps.items():
            times[name].append(timed(partial(step, repeat, 1.0, [batch]), device))
        times["frontend"].append(timed(partial(bundle.frontend, batch.to(device).audio), device))
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    frontend = statistics.median(times["frontend"][2:])
    return [
        {
            "batch": batch_size,
            "precision": name,
            "clips_per_s": round(batch_size / statistics.median(times[name][2:]), 2),
            "frontend_share": round(frontend / statistics.median(times[name][2:]), 4),
            "page_faults": round(statistics.median(faults[2:])),
        }
        for name in precisions
    ]


def make_batch(bundle: Bundle, batch_size: int, captions: list[str]) -> PairBatch:
    generator = torch.Generator().manual_seed(0)
    waves = 0.1 * torch.randn(batch_size, bundle.frontend.config.window_samples, generator=generator)
    chosen = [captions[i % len(captions)] for i in range(batch_size)]
    return PairBatch(
        AudioBatch(waves, torch.zeros(batch_size, dtype=torch.bool)),
        bundle.tokenizer(chosen),
        torch.arange(batch_size),
        tuple(map(str, range(batch_size))),
    )


def timed(call: Callable[[], object], device: torch.device) -> float:
    begin = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
