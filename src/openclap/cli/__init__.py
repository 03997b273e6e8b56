"""The command line. Every command imports what it needs when it runs, so that `openclap --help` is quick."""

from __future__ import annotations

import sys


def main() -> None:
    """Run `openclap` with the process's arguments, and exit with its code."""
    try:
        from openclap.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while modules are still read; later, each command says so itself
        code = 130
    sys.exit(code)
