"""What do masking and reconstruction buy for learning from real sound? The same minutes for each, several seeds.

    python benchmarks/ablation.py --data MANIFEST --out runs/ablation [--arm none 1d 2d …] [--seed 0 1 2]
                                  [--minutes 10 | --steps 107] [--json FILE] [--figure FILE.png]
    python benchmarks/ablation.py --data MANIFEST --out runs/sweep --sweep ratio [--values 0.5 0.65 0.75 0.85]
    python benchmarks/ablation.py --data MANIFEST --out runs/sweep --sweep weight [--values 0.1 0.3 1]
    python benchmarks/ablation.py --data MANIFEST --out runs/ablation --calibrate [--arm …]

Each arm is the recipe `flap-tiny` with other masks, or with reconstruction, or with HTSAT ("htsat": the recipe
`starter`, with its own front-end and `flap-tiny`'s augmentation and optimiser; "htsat-adamw": with its own optimiser);
"-recon" decodes all that is masked in two blocks, "-light" a quarter of it in one; "pretrained" begins with the encoder
of `mae-tiny`, trained once on the same clips, for --mae-minutes, which come on top. All have the same minutes of
training (or steps, with --steps), the same frozen text encoder, batch and captions. A run that is there is evaluated
again, not trained again.

The clock ends every run, which is fair on an idle machine alone. So `--calibrate` first measures there how long a step
of each arm takes (calibration.json); where that file lies in OUT, each arm takes as many steps as the minutes hold, and
what else the machine does then changes no result.

Arms are trained on the whole training split and reported on the test split: retrieval over the test clips that have
titles, and zero-shot on ESC-10's fold 5, with chance beside each. A sweep is trained without ESC-10's fold 4 and
reported on that alone, "weight" with the light decoder; nothing is chosen by the test split.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import arms

BATCH = 192
RATIO = 0.88
MASKS: dict[str, dict[str, Any]] = {
    "none": {"kind": "none"},
    "1d": {"kind": "1d", "ratio": RATIO},
    "2d": {"kind": "2d", "time_ratio": 0.75, "mel_ratio": 0.5},
    "block": {"kind": "block", "ratio": RATIO},
    "energy": {"kind": "energy", "ratio": RATIO},
}
DECODER = {"dim": 128, "depth": 2, "heads": 4, "blocks": "global"}
LIGHT_DECODER = DECODER | {"depth": 1}
LIGHT = {"loss": "mse", "over": "masked", "share": 0.25}
ARMS = (
    *("none", "1d", "2d", "none-recon", "1d-recon", "2d-recon", "1d-light"),
    *("htsat", "htsat-adamw", "block", "energy", "pretrained"),
)
START = "start"
"""In the calibration: the seconds that the first two epochs take longer, to read clips and to encode captions."""
DEFAULT_ARMS = ("none", "1d", "2d", "none-recon", "1d-recon", "2d-recon", "htsat")
WHOLE = ['data.train.where={"split": "train"}', "data.validation=null"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arm", nargs="+", default=list(DEFAULT_ARMS), choices=ARMS)
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--steps", type=int, help="of each arm, instead of minutes")
    parser.add_argument("--mae-minutes", type=float, default=10, help="of the training that “pretrained” begins with")
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
    where = arms.VALIDATION if given.sweep else arms.TEST
    rows = []
    for seed in given.seed:  # seed by seed, so that a busy hour meets all arms alike
        for name, settings in runs:
            length = f"{given.minutes:g}min" if given.steps is None else f"{given.steps}steps"
            out = given.out / f"{name}-{length}-seed{seed}"
            chosen = [*settings, *given.settings]
            if name == "pretrained":
                mae = given.out / f"mae-{given.mae_minutes:g}min"
                pretrain(given.data, mae, end_after("mae", given.mae_minutes, given.out))
                chosen.append(f"audio_init.source={mae / 'last'}")
            end = end_after(name, given.minutes, given.out) if given.steps is None else _steps(given.steps)
            training = train(name, chosen, seed, given.data, out, end)
            rows += [{"arm": name, "seed": seed, **training, **row} for row in arms.evaluate(out, given.data, where)]
            reported_on = "validation" if given.sweep else "test"
            arms.write(rows, given.json, reported_on=reported_on, minutes=None if given.steps else given.minutes)
    arms.show(rows)
    if given.figure is not None:
        arms.draw(rows, given.figure)


def arm_settings(arm: str, ratio: float | None = None, weight: float = 1.0) -> list[str]:
    """The settings that make an arm of the recipe."""
    if arm.startswith("htsat"):
        return _hearing() if arm == "htsat-adamw" else _hearing() + arms.as_settings(arms.optimiser())
    kind, _, reconstruction = arm.partition("-")
    mask = dict(MASKS["1d" if arm == "pretrained" else kind])
    if ratio is not None:
        mask["ratio"] = ratio
    options: dict[str, Any] = {"masking": mask}
    settings = []
    if reconstruction:
        over = "all" if kind == "none" else "masked"  # where nothing is masked, all there is to reconstruct
        judged = LIGHT if reconstruction == "light" else {"loss": "mse", "over": over}
        options |= {"reconstruction": judged, "weight": weight}
        decoder = LIGHT_DECODER if reconstruction == "light" else DECODER
        settings.append(f"model.decoder={json.dumps(decoder)}")
    return [f"objective.options={json.dumps(options)}", *settings]


def _sweep(given: argparse.Namespace) -> list[tuple[str, list[str]]]:
    if given.sweep == "ratio":
        values = given.values or [0.5, 0.65, 0.75, 0.85, 0.9]
        return [(f"ratio-{value:g}", arm_settings("1d", ratio=value)) for value in values]
    values = given.values or [0, 0.03, 0.1, 0.3, 1.0]
    return [
        (f"weight-{value:g}", arm_settings("1d-light", weight=value) if value else arm_settings("1d"))
        for value in values
    ]


def calibrate(runs: list[tuple[str, list[str]]], given: argparse.Namespace) -> None:
    """Measure a step of each arm once what can be kept is kept, on few clips; and what keeping it costs, with "1d"."""
    found = _calibration(given.out)
    few = 'data.train.where={"split": "train", "source": "esc10"}'
    end = [few, "trainer.max_steps=16", "trainer.max_minutes=null", "trainer.log_every=1"]
    for arm, settings in runs:
        name, run = arm, given.out / f"{arm}-calibration"
        if arm == "pretrained":  # its own steps are those of "1d"
            name, run = "mae", given.out / "mae-calibration"
            pretrain(given.data, run, end)
        else:
            train(arm, [*settings, *given.settings], 0, given.data, run, end)
        ends = [step["elapsed_s"] for step in arms.steps(run)]
        found[name] = round(statistics.median(end - begin for begin, end in pairwise(ends[8:])), 4)
        print(f"{name}: {found[name]:.3f} s a step", file=sys.stderr)
        _keep(found, given.out)
    if START not in found and "1d" in found:
        run = given.out / "start-calibration"
        train("1d", [*arm_settings("1d"), *WHOLE], 0, given.data, run, ["trainer.max_steps=22", *end[2:]])
        steps = arms.steps(run)
        found[START] = round(steps[-1]["elapsed_s"] - len(steps) * found["1d"], 1)
        _keep(found, given.out)


def end_after(name: str, minutes: float, out: Path) -> list[str]:
    """The settings that end an arm: at the steps that its minutes hold on the calibrated machine, or by the clock."""
    found = _calibration(out)
    each = found.get(name.replace("pretrained", "1d"))
    if each is None or START not in found:
        return [f"trainer.max_minutes={minutes}"]
    return _steps(round((60 * minutes - found[START]) / each))


def _steps(count: int) -> list[str]:
    return [f"trainer.max_steps={count}", "trainer.max_minutes=null"]


def _keep(found: dict[str, float], out: Path) -> None:
    (out / "calibration.json").write_text(json.dumps(found, indent=2) + "\n")


def _calibration(out: Path) -> dict[str, float]:
    path = out / "calibration.json"
    found: dict[str, float] = json.loads(path.read_text()) if path.is_file() else {}
    return found


def train(name: str, settings: list[str], seed: int, data: Path, out: Path, end: list[str]) -> dict[str, Any]:
    """Steps and minutes of an arm's run, trained now unless it is there."""
    common = [f"seed={seed}", "trainer.max_epochs=null", "trainer.eval_every=null"]
    if name.startswith("htsat"):
        common.append(f"data.batch_size={BATCH}")
    recipe = "starter" if name.startswith("htsat") else "flap-tiny"
    return arms.train(recipe, [*common, *settings, *end], data, out)


def pretrain(data: Path, run: Path, end: list[str]) -> None:
    """A run of mae-tiny on the training clips' sound; trained now unless it is there."""
    arms.train("mae-tiny", [*WHOLE, "trainer.eval_every=null", *end], data, run)


def _hearing() -> list[str]:
    """What flap-tiny does to clips by chance, and that their features are made once, for other recipes."""
    return arms.as_settings({f"data.{key}": arms.flap_tiny()["data"][key] for key in ("augment", "reads")})


if __name__ == "__main__":
    main()
