"""One process of the fuzz run: makes broken inputs from a seed, reads them, and says in FOLDER/result.json what came.

    python run.py TARGET FOLDER --seed 0 --cases 200 --seconds 60

Each case depends on target, seed and number alone, so that `--first N --cases 1` does one again. An input that is read,
or refused with an openclap error, is as it should be; everything else is a failure, with the input kept in FOLDER. A
case that takes too long ends the process by SIGALRM, one that crashes by its own signal: FOLDER/case names it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

CASE_S = 20.0  # of one case; sound ones take milliseconds, and this machine may be busy
MEMORY_BYTES = 3 << 30  # more than before the first case; all inputs are below 2 MB
SLOW_S, LARGE_MB = 5.0, 400  # beyond, a case is told of: it asked for more than its input is worth


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cases", type=int, default=10**9)
    parser.add_argument("--seconds", type=float, default=1e9)
    options = parser.parse_args()

    warnings.simplefilter("ignore")
    target = _target(options.target, options.folder)
    limit = _address_space() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    found = _run(target, options)
    (options.folder / "result.json").write_text(json.dumps(found))  # decoders print on stdout, too
    os._exit(0)  # what a broken library would still do at exit is not what is looked for


def _target(name: str, folder: Path):
    import audio_files
    import checkpoint_files
    import documents

    kinds = {"audio": audio_files.Audio, "checkpoints": checkpoint_files.Checkpoints, "documents": documents.Documents}
    folder.mkdir(parents=True, exist_ok=True)
    return kinds[name](folder)


def _run(target, options: argparse.Namespace) -> dict[str, object]:
    from openclap.errors import OpenclapError

    outcomes: Counter[str] = Counter()
    failures: dict[str, dict[str, object]] = {}
    end = time.monotonic() + options.seconds
    number, heavy = options.first, []
    while number < options.first + options.cases and time.monotonic() < end:
        (options.folder / "case").write_text(f"{options.target} --seed {options.seed} --first {number} --cases 1")
        rng = random.Random(f"{options.target}-{options.seed}-{number}")
        made = target.make(rng)
        signal.setitimer(signal.ITIMER_REAL, CASE_S)
        begin, peak_mb = time.monotonic(), _peak_mb()
        try:
            target.read(made)
            outcomes["read"] += 1
        except OpenclapError as error:
            outcomes[type(error).__name__] += 1
            if not str(error).strip():
                failures[f"{type(error).__name__} without words"] = {"case": number}
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            where = traceback.extract_tb(error.__traceback__)
            ours = next((frame for frame in reversed(where) if "/openclap/" in frame.filename), where[-1])
            key = f"{type(error).__name__} at {Path(ours.filename).name}:{ours.lineno}"
            outcomes[key] += 1
            if key not in failures:
                failures[key] = {"case": number, "message": str(error)[:300], "input": target.keep(made, number)}
                failures[key]["trace"] = "".join(traceback.format_exception(error))[-1500:]
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        took_s, grown_mb = time.monotonic() - begin, _peak_mb() - peak_mb
        if took_s > SLOW_S or grown_mb > LARGE_MB:
            heavy.append({"case": number, "seconds": round(took_s, 1), "megabytes": grown_mb})
        number += 1
    return {
        "cases": number - options.first, "outcomes": dict(outcomes.most_common()), "failures": failures,
        "heavy": heavy, "peak_mb": _peak_mb(),
    }  # fmt: skip


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
