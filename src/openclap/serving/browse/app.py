"""The server behind the page: clips, sound and spectrograms out, decisions in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, HTTPException, Query
from pydantic import Field
from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp

from openclap.config import Config
from openclap.data.example import Example
from openclap.data.manifest import Manifest
from openclap.errors import ConfigError, OpenclapError
from openclap.serving.browse.describe import detail, line
from openclap.serving.browse.export import ExistsError, export
from openclap.serving.browse.filters import Filters
from openclap.serving.browse.headers import Headers
from openclap.serving.browse.index import ClipIndex
from openclap.serving.browse.rejected import read_rejected
from openclap.serving.browse.review import REASONS, Decision, Review
from openclap.serving.files import SHARED, PageFiles
from openclap.serving.guard import Guard
from openclap.serving.replies import Reply, error_reply
from openclap.serving.sound import PlayableFiles
from openclap.serving.spectrogram import draw

_MOST_LINES = 200
_KEPT = {"cache-control": "private, max-age=600"}  # the browser's own cache makes going back quick


class _Page(Filters):
    """Filters, and which part of what they find is wanted.

    Attributes:
        offset: how many of the found clips come before the part.
        limit: how many it holds at most.
        around: instead of an offset, a clip: the part begins at the multiple of `limit` that has it, if it is found.
    """

    offset: int = Field(0, ge=0)
    limit: int = Field(100, ge=1, le=_MOST_LINES)
    around: int | None = Field(None, ge=0)


class _Export(Config):
    name: str = Field(max_length=200)
    overwrite: bool = False


def browse_app(manifest: Manifest, review: Review, token: str) -> ASGIApp:
    """The page for a manifest, below `/TOKEN/`.

    Args:
        manifest: its clips; files need not be there.
        review: where decisions are kept.
        token: from `openclap.serving.guard.new_token`.
    """
    browser = _Browser(manifest, review)
    app = FastAPI(openapi_url=None, lifespan=browser.lifespan, default_response_class=Reply)  # no pages from a CDN
    app.include_router(browser.router)
    app.add_exception_handler(OpenclapError, error_reply)
    app.add_exception_handler(OSError, error_reply)  # a full disk, a folder that is gone
    return Guard(app, token)


class _Browser:
    def __init__(self, manifest: Manifest, review: Review) -> None:
        self._manifest, self._review = manifest, review
        self._headers = Headers(manifest.examples)
        self._index = ClipIndex(manifest.examples, self._headers)
        self._rejected = read_rejected(manifest.path)
        self._sounds = PlayableFiles()
        self._files = PageFiles({"": Path(__file__).parent / "static", "shared/": SHARED})
        self.router = APIRouter()
        answers: dict[str, Callable[..., Any]] = {
            "/api/manifest": self.manifest,
            "/api/clips": self.clips,
            "/api/counts": self.counts,
            "/api/clips/{place}": self.clip,
            "/api/clips/{place}/sound": self.sound,
            "/api/clips/{place}/spectrogram": self.spectrogram,
            "/{name:path}": self.file,
        }
        for path, answer in answers.items():
            self.router.add_api_route(path, answer, methods=["GET", "HEAD"], response_model=None)
        self.router.add_api_route("/api/clips/{place}/decision", self.decide, methods=["POST"], response_model=None)
        self.router.add_api_route("/api/export", self.export, methods=["POST"], response_model=None)

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG002 - as FastAPI calls it
        """Read headers while the server runs, and leave nothing behind."""
        self._headers.start()
        yield
        self._headers.end()
        self._sounds.close()

    def file(self, name: str) -> Response:
        return self._files.answer(name or "index.html")

    def manifest(self) -> Reply:
        path = self._manifest.path
        return Reply(
            {
                "name": path.name if path.is_dir() else f"{path.absolute().parent.name}/{path.name}",
                "path": str(path),
                "clips": len(self._manifest),
                "reasons": list(REASONS),
                "review": str(self._review.path),
                "export": f"{path.absolute().stem}.cleaned.jsonl",
                "folder": str(self._folder),
            }
        )

    def clips(self, page: Annotated[_Page, Query()]) -> Reply:
        self._review.refresh()
        decisions = self._review.decisions
        found = self._index.find(page, decisions)
        offset = page.offset
        if page.around is not None:
            before = int(found.searchsorted(page.around))
            met = before < len(found) and found[before] == page.around
            offset = before - before % page.limit if met else 0
        lines = [self._line(int(place)) for place in found[offset : offset + page.limit]]
        return Reply({**self._state(), "found": len(found), "offset": offset, "clips": lines})

    def counts(self, filters: Annotated[Filters, Query()]) -> Reply:
        self._review.refresh()
        return Reply({**self._state(), **self._index.counts(filters, self._review.decisions)})

    def clip(self, place: int) -> Reply:
        example = self._example(place)
        decision, rejected = self._review.of(example.id), self._rejected.get(example.id, ())
        return Reply(detail(place, example, decision, root=self._manifest.root, rejected=rejected))

    def sound(self, place: int) -> Response:
        example = self._example(place)
        file = self._sounds.get(example.audio, start_s=example.start_s, duration_s=example.duration_s)
        return FileResponse(file.path, media_type=file.media_type, headers=_KEPT)

    def spectrogram(self, place: int, columns: Annotated[int, Query(ge=50, le=4000)] = 1200) -> Response:
        example = self._example(place)
        picture = draw(example.audio, start_s=example.start_s, duration_s=example.duration_s, columns=columns)
        headers = {**_KEPT, "x-spectrogram": json.dumps(picture.head())}
        return Response(picture.levels.tobytes(), media_type="application/octet-stream", headers=headers)

    def decide(self, place: int, decision: Decision) -> Reply:
        self._review.decide(self._example(place).id, decision)
        return Reply({**self._state(), "clip": self._line(place)})

    def export(self, asked: _Export) -> Reply:
        if Path(asked.name).name != asked.name or asked.name.startswith(".") or not asked.name.isprintable():
            raise ConfigError(f"{asked.name!r} is not the name of a file: it is written to {self._folder}")
        self._review.refresh()
        path = self._folder / asked.name
        try:
            cleaned, record = export(self._manifest, self._review.decisions, path, overwrite=asked.overwrite)
        except ExistsError as error:
            return Reply({"exists": str(error)})  # a question, not a failure
        return Reply({"path": str(path), "decisions": str(record), **cleaned.plain()})

    @property
    def _folder(self) -> Path:
        """Where an export goes: beside the manifest, as the decisions do."""
        return self._review.path.parent

    def _state(self) -> dict[str, Any]:
        """What every page should know of what others do."""
        flagged = sum(decision.flag is not None for decision in self._review.decisions.values())
        files = {"read": self._headers.n_read, "of": len(self._manifest)}
        return {"version": self._review.version, "flagged": flagged, "files": files}

    def _line(self, place: int) -> dict[str, Any]:
        example = self._manifest.examples[place]
        decision = self._review.of(example.id)
        return line(place, example, float(self._headers.seconds[place]), bool(self._headers.broken[place]), decision)

    def _example(self, place: int) -> Example:
        if not 0 <= place < len(self._manifest):
            raise HTTPException(404, f"there is no clip {place}")
        return self._manifest.examples[place]
