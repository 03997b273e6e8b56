"""The command line. Every command imports what it needs when it runs, so that `openclap --help` is quick."""

from __future__ import annotations

import sys


def main() -> None:
    """Run `openclap` with the process's arguments, and exit with its code."""
    from openclap.cli.app import run

    sys.exit(run(sys.argv[1:]))
