"""The files of a page: known by name beforehand, so that no address can reach anything else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from starlette.responses import FileResponse, PlainTextResponse, Response

SHARED = Path(__file__).parent / "static"
"""What every page is made with: colours, controls, the player, the spectrogram."""

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class PageFiles:
    """Files by the address that they have below a page.

    Args:
        folders: prefix of the address -> folder, whose files of known kinds are served.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._files = {
            f"{prefix}{path.relative_to(folder).as_posix()}": path
            for prefix, folder in folders.items()
            for path in sorted(folder.rglob("*"))
            if path.suffix in _MEDIA_TYPES
        }

    def answer(self, name: str) -> Response:
        """The file of that address, or 404."""
        path = self._files.get(name)
        if path is None:
            return PlainTextResponse("There is no such file.", 404)
        # The type is said, never guessed: what a machine's registry makes of ".js" may keep a browser from running it.
        return FileResponse(path, media_type=_MEDIA_TYPES[path.suffix], headers={"cache-control": "no-cache"})
