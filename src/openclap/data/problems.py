"""What is wrong with a manifest, collected so that a user sees the first several problems at once."""

from __future__ import annotations

from pathlib import Path

from openclap.errors import ManifestError

SHOWN = 8
"""How many problems one error message shows; the rest are counted."""


class Problems:
    """Problems of one manifest, each at a line (None: at the whole of it)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: list[tuple[int | None, str]] = []

    def add(self, line: int | None, reason: str) -> None:
        """Note that `reason` is wrong at `line`."""
        self._found.append((line, reason))

    def raise_if_any(self) -> None:
        """Raise one error that shows the first problems in the order of their lines, and counts the rest.

        Raises:
            ManifestError: if there is a problem; `.line` is that of the first.
        """
        if not self._found:
            return
        found = sorted(self._found, key=lambda problem: problem[0] or 0)
        line, text = found[0]
        for other, reason in found[1:SHOWN]:
            text += f"\n  {'' if other is None else f'line {other}: '}{reason}"
        if len(found) > SHOWN:
            text += f"\n  and {len(found) - SHOWN} more problems"
        raise ManifestError(self._path, text, line)
