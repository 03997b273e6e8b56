"""What do masking and reconstruction buy for learning from real sound? The same minutes for each, several seeds.

    python benchmarks/ablation.py --data MANIFEST --out runs/ablation [--arm none 1d 2d …] [--seed 0 1 2]
                                  [--minutes 10] [--json FILE] [--figure FILE.png]
    python benchmarks/ablation.py --data MANIFEST --out runs/sweep --sweep ratio [--values 0.5 0.65 0.75 0.85]
    python benchmarks/ablation.py --data MANIFEST --out runs/sweep --sweep weight [--values 0.1 0.3 1]
    python benchmarks/ablation.py --data MANIFEST --out runs/ablation --calibrate [--arm …]

Each arm is the recipe `flap-tiny` with other masks, or with reconstruction, or with HTSAT ("htsat": the recipe
`starter`, with its own front-end and `flap-tiny`'s optimiser; "htsat-adamw": with its own optimiser); "pretrained"
begins with the encoder of an MAE run of the same minutes on the same clips. All have the same minutes of training, the
same frozen text encoder, batch and captions. A run that is there is evaluated again, not trained again.

The clock ends every run, which is fair on an idle machine alone. So `--calibrate` first measures there how long a step
of each arm takes (calibration.json); where that file lies in OUT, each arm takes as many steps as the minutes hold, and
what else the machine does then changes no result.

Arms are trained on the whole training split and reported on the test split: retrieval over the test clips that have
titles, and zero-shot on ESC-10's fold 5, with chance beside each. A sweep is trained without ESC-10's fold 4 and
reported on that alone; nothing is chosen by the test split.
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
from itertools import pairwise
from pathlib import Path
from typing import Any

CLI = [sys.executable, "-m", "openclap"]
BATCH = 192
RATIO = 0.88
WEIGHT = 1.0
MASKS: dict[str, dict[str, Any]] = {
    "none": {"kind": "none"},
    "1d": {"kind": "1d", "ratio": RATIO},
    "2d": {"kind": "2d", "time_ratio": 0.75, "mel_ratio": 0.5},
    "block": {"kind": "block", "ratio": RATIO},
    "energy": {"kind": "energy", "ratio": RATIO},
}
RECONSTRUCTION = {"loss": "mse", "over": "masked"}
DECODER = {"dim": 128, "depth": 2, "heads": 4, "blocks": "global"}
ARMS = (
    *("none", "1d", "2d", "none-recon", "1d-recon", "2d-recon"),
    *("htsat", "htsat-adamw", "block", "energy", "pretrained"),
)
OPTIMISER = ("name", "lr", "muon_lr_factor", "weight_decay")
DEFAULT_ARMS = ("none", "1d", "2d", "none-recon", "1d-recon", "2d-recon", "htsat")
WHOLE = ['data.train.where={"split": "train"}', "data.validation=null"]
TEST = {"retrieval": ["--where", "split=test"], "zero-shot": ["--where", "split=test"]}
VALIDATION = {
    "retrieval": ["--where", "split=train", "--where", "fold=4"],
    "zero-shot": ["--where", "split=train", "--where", "fold=4"],
}
SHOWN = {
    "A→T R@10": ("retrieval", "a2t_r10"),
    "T→A R@10": ("retrieval", "t2a_r10"),
    "zero-shot ESC-10": ("zero-shot", "top1"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arm", nargs="+", default=list(DEFAULT_ARMS), choices=ARMS)
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--sweep", choices=["ratio", "weight"])
    parser.add_argument("--values", type=float, nargs="+")
    parser.add_argument("--calibrate", action="store_true", help="measure the arms' steps, and train nothing else")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    runs = _sweep(given) if given.sweep else [(arm, [*arm_settings(arm), *WHOLE]) for arm in given.arm]
    if given.calibrate:
        calibrate(runs, given)
        return
    where = VALIDATION if given.sweep else TEST
    rows = []
    for seed in given.seed:  # seed by seed, so that a busy hour meets all arms alike
        for name, settings in runs:
            out = given.out / f"{name}-{given.minutes:g}min-seed{seed}"
            chosen = [*settings, *given.settings]
            if name == "pretrained":
                run = pretrain(seed, given.data, out, end_after("mae", given.minutes, given.out))
                chosen.append(f"audio_init.source={run / 'last'}")
            training = train(name, chosen, seed, given.data, out, end_after(name, given.minutes, given.out))
            rows += [{"arm": name, "seed": seed, **training, **row} for row in evaluate(out, given.data, where)]
            write(rows, given)
    show(rows)
    if given.figure is not None:
        draw(rows, given.figure)


def arm_settings(arm: str, ratio: float | None = None, weight: float = WEIGHT) -> list[str]:
    """The settings that make an arm of the recipe."""
    if arm.startswith("htsat"):
        return [] if arm == "htsat-adamw" else _optimiser()
    mask = dict(MASKS[arm.removesuffix("-recon") if arm != "pretrained" else "1d"])
    if ratio is not None:
        mask["ratio"] = ratio
    options: dict[str, Any] = {"masking": mask}
    settings = []
    if arm.endswith("-recon"):
        over = "all" if mask["kind"] == "none" else "masked"  # where nothing is masked, all there is to reconstruct
        options |= {"reconstruction": RECONSTRUCTION | {"over": over}, "weight": weight}
        settings.append(f"model.decoder={json.dumps(DECODER)}")
    return [f"objective.options={json.dumps(options)}", *settings]


def _sweep(given: argparse.Namespace) -> list[tuple[str, list[str]]]:
    if given.sweep == "ratio":
        values = given.values or [0.5, 0.65, 0.75, 0.85, 0.9]
        return [(f"ratio-{value:g}", arm_settings("1d", ratio=value)) for value in values]
    values = given.values or [0.03, 0.1, 0.3, 1.0]
    return [(f"weight-{value:g}", arm_settings("1d-recon", weight=value)) for value in values]


def calibrate(runs: list[tuple[str, list[str]]], given: argparse.Namespace) -> None:
    """Measure a step of each arm, once what can be kept is kept: the median of those after the second epoch."""
    found = _calibration(given.out)
    end = ["trainer.max_steps=32", "trainer.max_minutes=null", "trainer.log_every=1"]
    for arm, settings in runs:
        name, run = arm, given.out / f"{arm}-calibration"
        if arm == "pretrained":  # its own steps are those of "1d"
            name, run = "mae", pretrain(0, given.data, run, end)
        else:
            train(arm, [*settings, *given.settings], 0, given.data, run, end)
        ends = [step["elapsed_s"] for step in _steps(run)]
        found[name] = round(statistics.median(end - begin for begin, end in pairwise(ends[20:])), 4)
        print(f"{name}: {found[name]:.3f} s a step", file=sys.stderr)
        (given.out / "calibration.json").write_text(json.dumps(found, indent=2) + "\n")


def end_after(name: str, minutes: float, out: Path) -> list[str]:
    """The settings that end an arm: at the steps that its minutes hold on the calibrated machine, or by the clock."""
    found = _calibration(out).get(name.replace("pretrained", "1d"))
    if found is None:
        return [f"trainer.max_minutes={minutes}"]
    return [f"trainer.max_steps={round(60 * minutes / found)}", "trainer.max_minutes=null"]


def _calibration(out: Path) -> dict[str, float]:
    path = out / "calibration.json"
    found: dict[str, float] = json.loads(path.read_text()) if path.is_file() else {}
    return found


def _steps(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == "step"]


def train(name: str, settings: list[str], seed: int, data: Path, out: Path, end: list[str]) -> dict[str, Any]:
    """Steps and minutes of a run, trained now unless it is there."""
    recipe = "starter" if name.startswith("htsat") else "flap-tiny"
    common = [f"seed={seed}", "trainer.max_epochs=null", "trainer.eval_every=null"]
    if name.startswith("htsat"):
        common.append(f"data.batch_size={BATCH}")
    if not (out / "last").is_dir():
        options = _set([*common, *settings, *end])
        ask_nothing([*CLI, "train", recipe, "--data", str(data), "--out", str(out), *options])
    last = _steps(out)[-1]
    return {"steps": last["step"], "training_minutes": round(last["elapsed_s"] / 60, 2)}


def pretrain(seed: int, data: Path, out: Path, end: list[str]) -> Path:
    """An MAE run of flap-tiny's encoder on the training clips alone; trained now unless it is there."""
    run = out.with_name(f"{out.name}-mae")
    if not (run / "last").is_dir():
        tiny = _tiny()
        settings = {
            "model.audio": tiny["model"]["audio"],
            "model.decoder": DECODER,
            "frontend": tiny["frontend"],
            "data.batch_size": BATCH,
            "data.workers": 0,
            "data.cache_bytes": tiny["data"]["cache_bytes"],
            "data.train.where": {"split": "train"},
            "trainer.max_epochs": None,
            "seed": seed,
        }
        options = _set([f"{key}={json.dumps(value)}" for key, value in settings.items()] + _optimiser() + end)
        ask_nothing([*CLI, "train", "mae-vitb", "--data", str(data), "--out", str(run), *options])
    return run


def _tiny() -> dict[str, Any]:
    from openclap.recipes.registry import recipes

    return recipes.get("flap-tiny")().plain()


def _optimiser() -> list[str]:
    """The optimiser of flap-tiny, for other recipes."""
    return [f"optim.{key}={json.dumps(_tiny()['optim'][key])}" for key in OPTIMISER]


def evaluate(run: Path, data: Path, where: dict[str, list[str]]) -> list[dict[str, Any]]:
    """The shown scores of a run's last checkpoint: the clock chose it, and no score did."""
    model = [str(run / "last"), "--no-check"]
    titles = ["--where", "has_caption=true", "--set", "retrieval.clean_titles=true"]
    esc10 = ["--where", "source=esc10", "--set", "zero-shot.prompts=ensemble"]
    common = ["--data", str(data), "--json"]
    found = {
        "retrieval": ask([*CLI, "eval", model[0], "retrieval", *model[1:], *common, *where["retrieval"], *titles]),
        "zero-shot": ask([*CLI, "eval", model[0], "zero-shot", *model[1:], *common, *where["zero-shot"], *esc10]),
    }
    return [{"score": name, **found[task]["results"][0]["scores"][key]} for name, (task, key) in SHOWN.items()]


def ask(command: list[str]) -> dict[str, Any]:
    """What a command prints as JSON."""
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    answer: dict[str, Any] = json.loads(finished.stdout)
    return answer


def ask_nothing(command: list[str]) -> None:
    print("$", " ".join(command[2:]), file=sys.stderr)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _set(settings: list[str]) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


def write(rows: list[dict[str, Any]], given: argparse.Namespace) -> None:
    """Keep what there is so far."""
    if given.json is not None:
        about = {
            "date": datetime.now(UTC).date().isoformat(),
            "cores": os.cpu_count(),
            "processor": platform.processor() or platform.machine(),
            "reported_on": "validation" if given.sweep else "test",
            "minutes": given.minutes,
        }
        given.json.write_text(json.dumps({**about, "rows": rows}, indent=2, ensure_ascii=False) + "\n")


def table(rows: list[dict[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """Arm to score to its values, a seed each."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        found.setdefault(row["arm"], {}).setdefault(row["score"], []).append(row["value"])
    return found


def show(rows: list[dict[str, Any]]) -> None:
    chance = {row["score"]: row["chance"] for row in rows}
    print("| arm | steps | " + " | ".join(f"{name} (chance {chance[name]:.3f})" for name in SHOWN) + " |")
    print("|" + "---|" * (len(SHOWN) + 2))
    for arm, scores in table(rows).items():
        steps = statistics.mean(row["steps"] for row in rows if row["arm"] == arm)
        cells = [_mean_and_spread(scores[name]) for name in SHOWN]
        print(f"| {arm} | {steps:.0f} | " + " | ".join(cells) + " |")


def _mean_and_spread(values: list[float]) -> str:
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """The scores of every arm as bars, each seed a dot, chance a line."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    found = table(rows)
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


if __name__ == "__main__":
    main()
