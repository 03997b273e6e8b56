"""What do titles, labels in a template, and sentences made of labels each bring? The same steps each, several seeds.

    python benchmarks/captions.py --data MANIFEST --out runs/captions [--arm titles labels …] [--seed 0 1 2]
                                  [--steps 300 | --minutes 10] [--k2c MODEL] [--json FILE] [--figure FILE.png]

Each arm is the recipe `flap-tiny` with other captions of the same sounds:

    titles     what people called their recordings; only the clips that have titles
    labels     "The sound of a and b"; only the clips that have labels
    both       titles and labels, each as often where a clip has both; all clips
    sentences  what a stage of `openclap captions` made of the labels; only the clips that have labels
    mixed      titles, labels and sentences, each as often where a clip has them; all clips

The sentences are those of the stage `k2c` with the model that --k2c names; clips that it leaves out (under two seconds,
or rejected) keep the caption of their labels. Without --k2c the arms are called sentences-by-rule and mixed-by-rule:
the stage `template` stands in, with six forms of sentence and grammatical labels, which shows what several wordings
bring, and not what a language model does. None of the six is a prompt of the evaluation, while "The sound of …" is
both a caption of `labels` and one of its prompts.

Batch, sound, encoder and steps are the same for all. Arms with fewer clips see each more often: the table has the
epochs. With --minutes the clock ends each run instead. A run that is there is evaluated again, and one that was broken
off goes on.

Reported on the test split, which nothing was chosen by: retrieval over the clips that have titles, which is what the
arm `titles` trains for, and zero-shot on ESC-10's fold 5, which is nearer to labels.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import arms

FORMS = (
    "You can hear {label}.",
    "What is heard here is {label}.",
    "An audio clip in which one hears {label}",
    "The microphone picked up {label}.",
    "Listen to {label}.",
    "In this recording there is {label}.",
)
ONLY_WITHOUT = 1e-9
"""A weight that counts only for clips without another caption."""
ARMS = ("titles", "labels", "both", "sentences", "mixed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arm", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2])
    until = parser.add_mutually_exclusive_group()
    until.add_argument("--steps", type=int, default=300)
    until.add_argument("--minutes", type=float)
    parser.add_argument("--k2c", metavar="MODEL", help="folder or hub name of a keyword-to-caption model")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    maker = "template" if given.k2c is None else "k2c"
    data = make_sentences(given.data, given.out, given.k2c)
    end, length = f"trainer.max_steps={given.steps}", f"{given.steps}steps"
    if given.minutes is not None:
        end, length = f"trainer.max_minutes={given.minutes}", f"{given.minutes:g}min"
    rows: list[dict[str, Any]] = []
    for seed in given.seed:  # seed by seed, so that a benchmark that is broken off has all arms
        for arm in given.arm:
            name = f"{arm}-by-rule" if maker == "template" and arm in {"sentences", "mixed"} else arm
            out = given.out / f"{name}-{length}-seed{seed}"
            settings = [*arm_settings(arm, maker), f"seed={seed}", end, *given.settings]
            training = arms.train("flap-tiny", settings, data, out)
            rows += [
                {"arm": name, "seed": seed, **training, **row} for row in arms.evaluate(out, given.data, arms.TEST)
            ]
            arms.write(rows, given.json, reported_on="test", sentences_by=given.k2c or FORMS)
    arms.show(rows)
    if given.figure is not None:
        arms.draw(rows, given.figure)


def make_sentences(data: Path, out: Path, k2c: str | None) -> Path:
    """The manifest whose training clips have sentences made of their labels; nothing is made twice."""
    given = {"prompts": FORMS, "captions": len(FORMS)} if k2c is None else {"model": k2c}
    stage = "template" if k2c is None else "k2c"
    made = out.resolve() / f"{stage}.jsonl"
    out.mkdir(parents=True, exist_ok=True)
    options = [part for key, value in given.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    where = ["--where", "split=train"]
    arms.ask_nothing([*arms.CLI, "captions", "make", stage, str(data), "--out", str(made), *where, *options])
    return made


def arm_settings(arm: str, maker: str) -> list[str]:
    """The settings that make an arm of the recipe: its clips, and how often each source of captions is drawn."""
    clips, weights = {
        "titles": ({"has_caption": True}, {"original": 1.0}),
        "labels": ({"has_labels": True}, {"labels": 1.0}),
        "both": ({}, {"original": 1.0, "labels": 1.0}),
        "sentences": ({"has_labels": True}, {maker: 1.0, "labels": ONLY_WITHOUT}),
        "mixed": ({}, {"original": 1.0, "labels": 1.0, maker: 1.0}),
    }[arm]
    return [
        f"data.train.where={json.dumps({'split': 'train', **clips})}",
        "data.validation=null",
        "data.captions.p_labels=0",
        f"data.captions.weights={json.dumps(weights)}",
        "trainer.max_epochs=null",
        "trainer.max_minutes=null",
        "trainer.eval_every=null",
    ]


if __name__ == "__main__":
    main()
