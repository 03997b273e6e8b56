"""How long one waits before anything happens: `import openclap` and `openclap --help`, each in a fresh process.

python benchmarks/imports.py [--repeats 15] [--json FILE]

Goals: 0.3 s and 0.5 s. The median is what one feels; the bare interpreter is part of each, and listed beside.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

CASES: dict[str, tuple[list[str], float | None]] = {
    "python -c pass": (["-c", "pass"], None),
    "import openclap": (["-c", "import openclap"], 0.3),
    "openclap --help": (["-m", "openclap", "--help"], 0.5),
    "openclap train --help": (["-m", "openclap", "train", "--help"], 0.5),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for repeat in range(arguments.repeats + 1):
        for name, (command, _) in CASES.items():  # interleaved, so that a busy moment meets all alike
            seconds = _time(command)
            if repeat > 0:  # the first round fills the file cache
                times[name].append(seconds)
    rows = [
        {"what": name, "median_s": statistics.median(times[name]), "min_s": min(times[name]), "goal_s": CASES[name][1]}
        for name in CASES
    ]
    print(f"{'what':24} {'median':>8} {'min':>8} {'goal':>8}")
    for row in rows:
        goal = "" if row["goal_s"] is None else f"{row['goal_s']:.1f} s"
        print(f"{row['what']:24} {row['median_s']:6.3f} s {row['min_s']:6.3f} s {goal:>8}")
    if arguments.json is not None:
        about = {
            "date": datetime.now(UTC).date().isoformat(),
            "python": platform.python_version(),
            "cores": os.cpu_count(),
        }
        arguments.json.write_text(json.dumps(about | {"repeats": arguments.repeats, "times": rows}, indent=2) + "\n")
    missed = [row["what"] for row in rows if row["goal_s"] is not None and row["median_s"] > row["goal_s"]]
    if missed:
        print(f"slower than the goal: {', '.join(missed)}")


def _time(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
