"""`openclap data browse`: a manifest's clips in a local web page."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from openclap.cli.options import Columns, Json


def browse(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="A manifest, or a folder of sounds.")],
    column: Columns = None,
    review: Annotated[
        Path | None,
        typer.Option("--review", help="Where decisions are kept.  \\[default: MANIFEST.review.jsonl]", dir_okay=False),
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes one that is free.")] = 0,
    open_page: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
    as_json: Json = False,
) -> None:
    """Listen to clips, compare their captions, and decide what to leave out, in a web page on this machine.

    Decisions are kept at once beside the manifest, which itself is never changed: the page exports a cleaned one.
    Only this machine reaches the page. Ctrl-C ends it.
    """
    from openclap.cli.options import column_config
    from openclap.cli.output import Output
    from openclap.data.manifest import read_manifest
    from openclap.optional import require

    require("fastapi", extra="serve", purpose="browsing a manifest")
    from openclap.serving.browse.app import browse_app
    from openclap.serving.browse.review import Review, review_path
    from openclap.serving.guard import new_token
    from openclap.serving.server import listening, serve

    out = Output(as_json)
    with out.console.status(f"reading {manifest}"):
        read = read_manifest(manifest, columns=column_config(column), check_files=False)
        decisions = Review(review or review_path(read.path))
        token = new_token()
        app = browse_app(read, decisions, token)
    with listening(port) as (listener, own_port):
        url = f"http://127.0.0.1:{own_port}/{token}/"

        def started() -> None:
            out.say(f"{len(read):,} clips of {read.path}; decisions are kept in {decisions.path}")
            out.say("Open ", (url, "bold"), " – Ctrl-C ends it.")
            out.result({"url": url, "clips": len(read), "review": decisions.path})
            sys.stdout.flush()
            if open_page:
                _open(url)

        serve(app, listener, started)
    out.say(f"Ended. Decided about {len(decisions.decisions):,} clips: {decisions.path}")


def _open(url: str) -> None:
    """Show the page, where there is a screen to show it on: else a browser of the terminal would take that over."""
    import webbrowser

    if sys.platform in {"win32", "darwin"} or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(url)
