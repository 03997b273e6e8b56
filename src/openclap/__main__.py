"""`python -m openclap` is `openclap`."""

from __future__ import annotations

from openclap.cli import main

if __name__ == "__main__":
    main()
