"""What does the recipe `starter` learn from real sound? Train on the train split, report the test split.

    python benchmarks/starter.py --data MANIFEST --out runs/benchmark [--recipe starter starter-tuned] [--seed 0 1 2]
                                 [--json FILE]

A run that is there already is evaluated again, not trained again. Retrieval is over the test clips that have titles
(file names read as words, as in training); zero-shot is ESC-10's fold 5, with LAION's prompt and with the ensemble.
Chance stands beside each number. Nothing was tuned on the test split: the recipe validates on ESC-10's fold 4.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

CLI = [sys.executable, "-m", "openclap"]
SHOWN = {
    "A→T R@10, titled clips": ("retrieval", "laion", "a2t_r10"),
    "T→A R@10, titled clips": ("retrieval", "laion", "t2a_r10"),
    "zero-shot ESC-10 fold 5, prompt “This is a sound of {label}.”": ("zero-shot", "laion", "top1"),
    "zero-shot ESC-10 fold 5, prompt ensemble": ("zero-shot", "ensemble", "top1"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark"))
    parser.add_argument("--recipe", nargs="+", default=["starter", "starter-tuned"])
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    for recipe in arguments.recipe:
        for seed in arguments.seed:
            out = arguments.out / f"{recipe}-seed{seed}"
            training = train(recipe, seed, arguments.data, out)
            rows += [{"recipe": recipe, "seed": seed, **training, **row} for row in evaluate(out, arguments.data)]
    show(rows)
    if arguments.json is not None:
        about = {
            "date": datetime.now(UTC).date().isoformat(),
            "cores": os.cpu_count(),
            "processor": platform.processor() or platform.machine(),
            "python": platform.python_version(),
        }
        arguments.json.write_text(json.dumps({**about, "rows": rows}, indent=2, ensure_ascii=False) + "\n")


def train(recipe: str, seed: int, data: Path, out: Path) -> dict[str, Any]:
    """Steps and minutes of a run, trained now unless it is there."""
    if not (out / "best").is_dir():
        options = ["--data", str(data), "--out", str(out), "--set", f"seed={seed}"]
        subprocess.run([*CLI, "train", recipe, *options], check=True)
    steps = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    last = [step for step in steps if step["kind"] == "step"][-1]
    return {"steps": last["step"], "training_minutes": round(last["elapsed_s"] / 60, 1)}


def evaluate(run: Path, data: Path) -> list[dict[str, Any]]:
    """The shown scores of a run's best checkpoint."""
    of_test = ["--data", str(data), "--where", "split=test", "--json"]
    model = str(run / "best")
    titles = ["--where", "has_caption=true", "--set", "retrieval.clean_titles=true"]
    found = {("retrieval", "laion"): ask([*CLI, "eval", model, "retrieval", *of_test, *titles])}
    for prompts in ("laion", "ensemble"):
        esc10 = ["--where", "source=esc10", "--set", f"zero-shot.prompts={prompts}"]
        found["zero-shot", prompts] = ask([*CLI, "eval", model, "zero-shot", *of_test, *esc10])
    return [
        {"score": name, **found[task, prompts]["results"][0]["scores"][key]}
        for name, (task, prompts, key) in SHOWN.items()
    ]


def ask(command: list[str]) -> dict[str, Any]:
    """What a command prints as JSON."""
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    answer: dict[str, Any] = json.loads(finished.stdout)
    return answer


def show(rows: list[dict[str, Any]]) -> None:
    for recipe in dict.fromkeys(row["recipe"] for row in rows):
        of_recipe = [row for row in rows if row["recipe"] == recipe]
        minutes = statistics.median(row["training_minutes"] for row in of_recipe)
        seeds = len({row["seed"] for row in of_recipe})
        print(f"\n{recipe}: {of_recipe[0]['steps']} steps in {minutes} minutes, {seeds} seed(s)")
        for name in SHOWN:
            same = [row for row in of_recipe if row["score"] == name]
            values = [row["value"] for row in same]
            spread = (
                f" ± {statistics.stdev(values):.3f}"
                if len(values) > 1
                else f"  95 % {same[0]['low']:.3f} to {same[0]['high']:.3f}"
            )
            print(f"  {name:62} {statistics.mean(values):.3f}{spread}   chance {same[0]['chance']:.3f}")


if __name__ == "__main__":
    main()
