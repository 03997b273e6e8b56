"""Which audio encoder learns the demo's generated scenes best in the demo's minutes: its HTSAT, or a masked ViT?

    python benchmarks/demo.py --data corpora/soundscapes/manifest.jsonl --out runs/demo-arms [--arm htsat flap …]
                              [--ratio 0.75] [--seed 0 1 2] [--minutes 3] [--json FILE]

"htsat" is the recipe `demo` as it stands; "htsat-muon" has the batch, the optimiser and the features made once of
`flap-tiny`; "flap" its audio encoder, front-end and masks as well. Text towers and tokenizers are the demo's, learnt
from nothing, and no clip is rolled or made louder: the captions say what comes first and what is loud.

The clock ends every run, so the machine must be idle. Ratios are compared on the validation split (`--on validation`);
the test split, where each task has the demo's own terms, is for what was chosen.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import arms

BATCH = 192
ARMS = ("htsat", "htsat-muon", "flap")
TASKS = {"retrieval": [], "zero-shot": ["--where", "kind=single", "--set", "zero-shot.prompts=ensemble"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arm", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--ratio", type=float, default=0.75)
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--on", choices=["validation", "test"], default="test")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = []
    for seed in given.seed:  # seed by seed, so that a busy hour meets all arms alike
        for arm in given.arm:
            name = f"{arm}-{given.ratio:g}" if arm == "flap" else arm
            out = given.out / f"{name}-{given.minutes:g}min-seed{seed}"
            ending = [f"seed={seed}", f"trainer.max_minutes={given.minutes}", "trainer.max_epochs=null"]
            training = arms.train("demo", [*arm_settings(arm, given.ratio), *ending], given.data, out)
            found = arms.evaluate(out, given.data, ["--where", f"split={given.on}"], TASKS)
            rows += [{"arm": name, "seed": seed, **training, **row} for row in found]
            arms.write(rows, given.json, reported_on=given.on, minutes=given.minutes)
    arms.show(rows)


def arm_settings(arm: str, ratio: float) -> list[str]:
    """The settings that make an arm of the recipe demo."""
    if arm == "htsat":
        return []
    tiny = arms.flap_tiny()
    settings = {"data.batch_size": BATCH, "data.reads": tiny["data"]["reads"], **arms.optimiser()}
    if arm == "flap":
        settings |= {
            "model.audio": tiny["model"]["audio"],
            "frontend": tiny["frontend"],
            "data.cache_bytes": tiny["data"]["cache_bytes"],
            "objective.name": "flap",
            "objective.options": {"masking": {"kind": "1d", "ratio": ratio}},
        }
    return arms.as_settings(settings)


if __name__ == "__main__":
    main()
