"""Train and evaluate from Python.

python train_in_python.py MANIFEST OUT [optim.lr=1e-4 …]
"""

from __future__ import annotations

import sys
from pathlib import Path

import openclap
from openclap.data.manifest import read_manifest
from openclap.evaluation.task import evaluate
from openclap.recipes.own_data import with_data
from openclap.recipes.registry import recipes
from openclap.training.setup import build_trainer


def main(manifest_path: str, out: str, *settings: str) -> None:
    config, _ = with_data(recipes.get("demo")(), Path(manifest_path))
    result = build_trainer(config.override(settings), Path(out)).run()
    print(f"{result.step} steps in {result.elapsed_s:.0f} s: {dict(result.metrics)}")

    held_out = read_manifest(manifest_path, where={"split": "test"})
    model = openclap.load(Path(out) / "best")
    for measured in evaluate(model, held_out, ["retrieval"]):
        for score in measured.scores.values():
            print(f"{score.name}: {score.value:.3f} (chance {score.chance:.3f})")


if __name__ == "__main__":
    main(*sys.argv[1:])
