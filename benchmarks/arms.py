"""What ablations share: arms of a recipe trained by the command line, scored, shown and drawn.

Imported by `ablation.py`, `captions.py` and `demo.py`; nothing to run here.

Arms are scored by retrieval, both ways, and zero-shot; chance beside each. Unless told otherwise, over the clips that
have titles and on ESC-10.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openclap.training.log import read_log

CLI = [sys.executable, "-m", "openclap"]
TEST = ["--where", "split=test"]
VALIDATION = ["--where", "split=train", "--where", "fold=4"]
STARTER = {
    "retrieval": ["--where", "has_caption=true", "--set", "retrieval.clean_titles=true"],
    "zero-shot": ["--where", "source=esc10", "--set", "zero-shot.prompts=ensemble"],
}
SHOWN = {
    "A→T R@10": ("retrieval", "a2t_r10"),
    "T→A R@10": ("retrieval", "t2a_r10"),
    "zero-shot": ("zero-shot", "top1"),
}
OPTIMISER = ("name", "lr", "muon_lr_factor", "weight_decay")

Row = dict[str, Any]


def train(recipe: str, settings: list[str], data: Path, out: Path) -> Row:
    """Steps, epochs and minutes of a run, trained now unless it is there; one that was broken off goes on."""
    if (out / "config.yaml").is_file():
        if not _ended(out):
            ask_nothing([*CLI, "train", str(out), "--resume"])
    else:
        options = [part for setting in settings for part in ("--set", setting)]
        ask_nothing([*CLI, "train", recipe, "--data", str(data), "--out", str(out), *options])
    if not _ended(out):
        raise SystemExit(f"{out} was stopped before its end: run this again, and it goes on")
    begun = next(event for event in read_log(out / "log.jsonl") if event["kind"] == "start")
    last = steps(out)[-1]
    return {
        "steps": last["step"],
        "epochs": round(last["step"] / begun["steps_per_epoch"], 1),
        "training_minutes": round(last["elapsed_s"] / 60, 2),
    }


def steps(run: Path) -> list[Row]:
    """The logged steps of a run."""
    return [event for event in read_log(run / "log.jsonl") if event["kind"] == "step"]


def evaluate(run: Path, data: Path, where: list[str], tasks: dict[str, list[str]] | None = None) -> list[Row]:
    """The shown scores of a run's last checkpoint: its end chose it, and no score did.

    Args:
        run: its directory.
        data: the manifest.
        where: options that choose the split.
        tasks: each task with its own options; None is those on the starter's clips.
    """
    common = ["--no-check", "--data", str(data), "--json", *where]
    found = {
        task: ask([*CLI, "eval", str(run / "last"), task, *common, *own]) for task, own in (tasks or STARTER).items()
    }
    return [{"score": name, **found[task]["results"][0]["scores"][key]} for name, (task, key) in SHOWN.items()]


def flap_tiny() -> Row:
    """The recipe, as plain data, for arms that have a part of it."""
    from openclap.recipes.registry import recipes

    return recipes.get("flap-tiny")().plain()


def optimiser() -> Row:
    """The optimiser of flap-tiny, as settings of other recipes."""
    return {f"optim.{key}": flap_tiny()["optim"][key] for key in OPTIMISER}


def as_settings(values: Row) -> list[str]:
    """Values by their dotted names, as `--set` takes them."""
    return [f"{key}={json.dumps(value)}" for key, value in values.items()]


def ask(command: list[str]) -> Row:
    """What a command prints as JSON."""
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    answer: Row = json.loads(finished.stdout)
    return answer


def ask_nothing(command: list[str]) -> None:
    """Run a command whose output nobody reads, and say which."""
    print("$", " ".join(command[2:]), file=sys.stderr)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def write(rows: list[Row], path: Path | None, **about: Any) -> None:
    """Keep what there is so far, with the date, the machine and what else is told about the rows."""
    if path is not None:
        machine = {
            "date": datetime.now(UTC).date().isoformat(),
            "cores": os.cpu_count(),
            "processor": platform.processor() or platform.machine(),
        }
        path.write_text(json.dumps({**machine, **about, "rows": rows}, indent=2, ensure_ascii=False) + "\n")


def show(rows: list[Row]) -> None:
    """Print the arms as a Markdown table: the mean over seeds, and the standard deviation between them."""
    chance = {row["score"]: row["chance"] for row in rows}
    print("| arm | steps | epochs | " + " | ".join(f"{name} (chance {chance[name]:.3f})" for name in SHOWN) + " |")
    print("|" + "---|" * (len(SHOWN) + 3))
    for arm, scores in _table(rows).items():
        taken, epochs = (
            statistics.mean(row[name] for row in rows if row["arm"] == arm) for name in ("steps", "epochs")
        )
        cells = [_mean_and_spread(scores[name]) for name in SHOWN]
        print(f"| {arm} | {taken:.0f} | {epochs:.1f} | " + " | ".join(cells) + " |")


def draw(rows: list[Row], path: Path) -> None:
    """The scores of every arm as bars, each seed a dot, chance a line."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    found = _table(rows)
    figure, axes = plt.subplots(1, len(SHOWN), figsize=(4 * len(SHOWN), 3.4), sharey=True, layout="constrained")
    for axis, name in zip(axes, SHOWN, strict=True):
        values = [scores[name] for scores in found.values()]
        axis.bar(range(len(found)), [statistics.mean(each) for each in values], color="#5c6bc0")
        for place, each in enumerate(values):
            axis.plot([place] * len(each), each, "o", color="#1a237e", markersize=4)
        axis.axhline(next(row["chance"] for row in rows if row["score"] == name), color="grey", linestyle="--")
        axis.set_xticks(range(len(found)), list(found), rotation=40, ha="right")
        axis.set_title(name)
        axis.set_ylim(0, 1)
    figure.savefig(path, dpi=120)


def _ended(run: Path) -> bool:
    return any(event["kind"] == "end" and not event["stopped"] for event in read_log(run / "log.jsonl"))


def _table(rows: list[Row]) -> dict[str, dict[str, list[float]]]:
    """Arm to score to its values, a seed each."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        found.setdefault(row["arm"], {}).setdefault(row["score"], []).append(row["value"])
    return found


def _mean_and_spread(values: list[float]) -> str:
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}"
