"""The vectors of what a command line means: sounds, which are embedded now, or files of vectors that were before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from openclap.audio.source import AudioSource
    from openclap.cli.output import Output
    from openclap.cli.sounds import Sound
    from openclap.inference.embedder import ClipEmbedding, Embedder


@dataclass(frozen=True)
class Heard:
    """Vectors with what they are of.

    Attributes:
        names: of the sounds, or their parts, one a vector.
        vectors: (N, E), of unit length.
        bad: sounds that could not be used, each with the reason.
    """

    names: list[str]
    vectors: np.ndarray
    bad: list[tuple[str, str]]

    def tell_bad(self, out: Output) -> list[dict[str, str]]:
        """Say which sounds could not be used; gives the same for JSON."""
        for name, reason in self.bad:
            out.say(("skipped", "yellow"), f" {name}: {reason}")
        return [{"sound": name, "error": reason} for name, reason in self.bad]


def hear(embedder: Embedder, places: Sequence[Path]) -> Heard:
    """The vectors of sound files, folders and manifests, or of files that `openclap embed` has written.

    Raises:
        DataError: if a place does not exist or holds no sound.
        IdentityError: if stored vectors are not of this model.
    """
    import numpy as np

    from openclap.cli.sounds import find_sounds
    from openclap.inference.vectors import holds_vectors, read_vectors

    stored = [place for place in places if holds_vectors(place)]
    names: list[str] = []
    vectors = [np.zeros((0, embedder.embed_dim), np.float32)]
    if stored:
        table = read_vectors(*stored).check(embedder.identity)
        if len(table.vectors):  # a file of no rows knows no width
            names += _names(table.columns)
            vectors.append(table.vectors)
    others = [place for place in places if place not in stored]
    bad: list[tuple[str, str]] = []
    for sound, clip in each(embedder, find_sounds(others) if others else [], batch_size=16):
        if isinstance(clip, str):
            bad.append((str(sound), clip))
        elif clip.vector is not None:
            names.append(str(sound))
            vectors.append(clip.vector[None])
    return Heard(names, np.concatenate(vectors), bad)


def each(
    embedder: Embedder, sounds: Iterable[Sound], *, batch_size: int, windows: bool = False
) -> Iterator[tuple[Sound, ClipEmbedding | str]]:
    """Each sound with its embedding, or with the reason why it has none; in bounded memory.

    With `windows`, the windows of a model with feature fusion are plain ones, too.
    """
    readable = _Readable(sounds)
    for clip in embedder.stream_audio(readable, batch_size=batch_size, windows=windows, on_error="keep"):
        yield readable.given[clip.index], clip if clip.error is None else clip.error.reason
    yield from readable.bad


class _Readable:
    """What the embedder is handed, one after another: paths, or decoded parts.

    Attributes:
        given: the sounds that were handed over.
        bad: those that could not be, with the reason.
    """

    def __init__(self, sounds: Iterable[Sound]) -> None:
        self._sounds = sounds
        self.given: list[Sound] = []
        self.bad: list[tuple[Sound, str]] = []

    def __iter__(self) -> Iterator[AudioSource]:
        from openclap.errors import AudioError

        for sound in self._sounds:
            try:
                source = sound.load()
            except AudioError as error:
                self.bad.append((sound, error.reason))
            else:
                self.given.append(sound)
                yield source


def _names(columns: Mapping[str, npt.NDArray[Any]]) -> list[str]:
    """What rows of stored vectors are called: files, with the part where there are several of one; or texts."""
    if "text" in columns:
        return [str(text) for text in columns["text"]]
    paths = [str(path) for path in columns["path"]]
    count = Counter(paths)
    return [
        path if count[path] == 1 else f"{path}#t={start:g},{end:g}"
        for path, start, end in zip(paths, columns["start_s"], columns["end_s"], strict=True)
    ]
