"""A batch's sound, read in a worker process or in this one, with the clips that failed set apart."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
import traceback
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

from openclap.audio.augment import AugmentConfig
from openclap.audio.decode import audio_info
from openclap.audio.frontend import Frontend
from openclap.audio.members import encoded_size, file_behind
from openclap.data.cache import ClipCache
from openclap.data.kept import Reads, kept_of
from openclap.errors import AudioError
from openclap.types import AudioBatch, Clip

_LARGE_BYTES = 2_000_000
_LONG_S = 60.0
_MARGIN_S = 0.05
"""Of a clip longer than a minute (in a file large enough to ask), only the part that the crop takes is decoded, and
a little more, since resampling rounds. Others are decoded whole, and may be cached; the cache decides neither."""
_LONG_FUSED_S = 600.0
"""Fusion hears the whole clip; ten minutes of a longer one are decoded: as much as is fused at once in use."""


@dataclass(frozen=True)
class ClipRequest:
    """One clip to read: its position among the examples, its file and range, and the seeds of what is random, if any.

    Attributes:
        crop_seed: of the place of a crop, or of the views of a fused clip.
        augment_seed: of what the reader's augmentation does.
    """

    position: int
    audio: Path
    start_s: float
    duration_s: float | None
    crop_seed: int | None
    augment_seed: int | None = None


@dataclass(frozen=True)
class FailedClip:
    """A clip that could not be read: its position, the name of the error, and what it said."""

    position: int
    error: str
    reason: str


@dataclass(frozen=True)
class AudioRead:
    """The sound of one batch: the clips at `positions`, and those that failed. `audio` is None if all did."""

    audio: AudioBatch | None
    positions: tuple[int, ...]
    failed: tuple[FailedClip, ...]


class AudioReader:
    """Clips to batches of sound; the same for every process and with any cache.

    Args:
        frontend: decodes, resamples and fits. The reader keeps a copy on the CPU.
        cache: keeps what was decoded, or the features of that, or None.
        augment: what is done to it by chance, for requests that have a seed for it.
        reads: "waveforms", or "features", which are made here instead of from the batch.
    """

    def __init__(
        self,
        frontend: Frontend,
        cache: ClipCache | None = None,
        augment: AugmentConfig | None = None,
        reads: Reads = "waveforms",
    ) -> None:
        self._frontend = deepcopy(frontend).cpu()
        self._cache = cache
        self._kept = kept_of(reads, self._frontend, augment or AugmentConfig())

    def read(self, clips: list[ClipRequest]) -> AudioRead:
        """The clips' sound; those that raise an `AudioError` are left out and told."""
        held: list[Clip] = []
        positions: list[int] = []
        failed: list[FailedClip] = []
        for clip in clips:
            try:
                held.append(self._read_clip(clip))
                positions.append(clip.position)
            except AudioError as error:
                failed.append(FailedClip(clip.position, type(error).__name__, error.reason))
        return AudioRead(self._kept.batch(held) if held else None, tuple(positions), tuple(failed))

    def _read_clip(self, clip: ClipRequest) -> Clip:
        generator = None if clip.crop_seed is None else torch.Generator().manual_seed(clip.crop_seed)
        kept = self._cache.get(clip.position) if self._cache else None
        if kept is None:
            length_s = self._long_s(clip)
            if length_s is not None:
                return self._read_part(clip, length_s, generator)
            sound = self._frontend.read(clip.audio, start_s=clip.start_s, duration_s=clip.duration_s)
            kept = self._kept.make(sound.samples)
            if self._cache:
                self._cache.put(clip.position, kept)
        return self._kept.clip(kept, clip.augment_seed, generator)

    def _long_s(self, clip: ClipRequest) -> float | None:
        """The length of a clip that is too long to be decoded whole, or None."""
        longest_s = self._longest_s
        if clip.duration_s is not None and clip.duration_s <= longest_s:
            return None
        if not file_behind(clip.audio).is_file() or encoded_size(clip.audio) < _LARGE_BYTES:
            return None  # what is not there, `read` reports
        rest_s = audio_info(clip.audio).duration_s - clip.start_s
        length_s = rest_s if clip.duration_s is None else min(rest_s, clip.duration_s)
        return length_s if length_s > longest_s else None

    @property
    def _longest_s(self) -> float:
        """The longest sound that is decoded for one clip."""
        config = self._frontend.config
        return max(_LONG_S if config.fusion is None else _LONG_FUSED_S, 2 * config.window_s)

    def _read_part(self, clip: ClipRequest, length_s: float, generator: torch.Generator | None) -> Clip:
        config = self._frontend.config
        needed_s = config.window_s + _MARGIN_S if config.fusion is None else self._longest_s
        share = 0.5 if config.length.crop == "centre" else 0.0
        if generator is not None:
            share = float(torch.rand((), generator=generator, dtype=torch.float64))
        start_s = clip.start_s + share * (length_s - needed_s)
        part = self._frontend.read(clip.audio, start_s=start_s, duration_s=needed_s, allow_silent=True)
        kept = self._kept.make(part.samples)
        if config.fusion is not None:
            return self._kept.clip(kept, clip.augment_seed, generator)
        return replace(self._kept.clip(kept, clip.augment_seed), is_longer=True)


def read_batches(reader: AudioReader, requests: Iterable[list[ClipRequest]], workers: int) -> Iterator[AudioRead]:
    """The sound of each request, in their order; with workers, up to two requests ahead a worker.

    An error that is not about one clip's sound keeps its type, and brings the worker's traceback as a note.
    """
    if workers == 0:
        for request in requests:
            yield reader.read(request)
        return
    loader = DataLoader(
        _Requests(reader),
        sampler=requests,
        batch_size=None,
        num_workers=workers,
        multiprocessing_context=worker_context(),
        worker_init_fn=end_with_parent,
        generator=torch.Generator(),  # the default would take a number from torch's global one
    )
    for read in loader:
        if isinstance(read, _Crash):
            raise read.error
        yield read


def worker_context() -> BaseContext:
    """How worker processes start: from a server that has torch loaded and no threads, where the system can.

    Plain forking copies a process whose other threads may hold locks (torch, tokenizers), which is how loaders hang.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["openclap.data.reading"])
    return context


def end_with_parent(worker: int) -> None:  # noqa: ARG001
    """Make this worker end when the process that works with it does, also by SIGKILL.

    Torch's own watch looks at the process that started the worker, which is the fork server; and that one lives as
    long as its workers do.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch(sentinel: int) -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, args=(parent.sentinel,), daemon=True).start()


@dataclass(frozen=True)
class _Crash:
    error: Exception


class _Requests(Dataset[AudioRead | _Crash]):
    """The loader's view of a reader: what it asks for is not a number, but the request itself."""

    def __init__(self, reader: AudioReader) -> None:
        self._reader = reader

    def __getitem__(self, request: list[ClipRequest]) -> AudioRead | _Crash:
        try:
            return self._reader.read(request)
        except Exception as error:  # noqa: BLE001 — goes to the main process, which raises it again
            return _Crash(_portable(error))


def _portable(error: Exception) -> Exception:
    """The error with its traceback as a note; of a plain kind if it cannot go between processes."""
    text = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 — our own object
    except Exception:  # noqa: BLE001 — whatever its pickling does
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error = error.with_traceback(None)
    error.add_note(f"in a loader's worker process:\n{text}")
    return error
