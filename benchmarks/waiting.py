"""What does it cost a training step when another program wants the same cores, and how should threads wait?

    python benchmarks/waiting.py [--recipe demo] [--batch 48] [--rounds 3] [--json FILE]

OpenMP's threads spin while they wait for each other, unless OMP_WAIT_POLICY=PASSIVE lets them sleep. Both policies are
measured by `benchmarks/train.py` in processes of their own, on cores that are otherwise idle and beside one process
that computes all the time, in turns.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

POLICIES = ("ACTIVE", "PASSIVE", "unset")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="demo")
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found: dict[tuple[bool, str], list[float]] = {}
    for _ in range(arguments.rounds):
        for busy in (False, True):
            for policy in POLICIES:
                with competitor() if busy else nobody():
                    found.setdefault((busy, policy), []).append(measure(arguments.recipe, arguments.batch, policy))
    rows = [
        {"beside": "a busy process" if busy else "nothing", "policy": policy, "clips_per_s": statistics.median(speeds)}
        for (busy, policy), speeds in found.items()
    ]
    for row in rows:
        print(f"beside {row['beside']:14}  OMP_WAIT_POLICY {row['policy']:7}  {row['clips_per_s']:7.1f} clips/s")
    if arguments.json is not None:
        about = {"date": datetime.now(UTC).date().isoformat(), "cores": os.cpu_count(), "batch": arguments.batch}
        arguments.json.write_text(json.dumps({**about, "rows": rows}, indent=2) + "\n")


def measure(recipe: str, batch: int, policy: str) -> float:
    """Clips a second of one process with so many threads as there are cores."""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    if policy != "unset":
        environment["OMP_WAIT_POLICY"] = policy
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        script = [sys.executable, str(Path(__file__).with_name("train.py")), "--recipe", recipe, "--repeats", "3"]
        options = ["--batch", str(batch), "--precision", "fp32", "--threads", str(os.cpu_count())]
        subprocess.run([*script, *options, "--json", str(result)], env=environment, check=True, capture_output=True)
        return float(json.loads(result.read_text())["rows"][0]["clips_per_s"])


@contextmanager
def competitor() -> Iterator[None]:
    """A process that computes until the block ends."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def nobody() -> Iterator[None]:
    """No other process."""
    yield


if __name__ == "__main__":
    main()
