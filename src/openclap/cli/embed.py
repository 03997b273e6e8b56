"""`openclap embed`: many sounds, or texts, to a file of vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openclap.cli.options import BatchSize, Device, Json, Model, device_name

if TYPE_CHECKING:
    from openclap.audio.source import AudioSource
    from openclap.cli.output import Output
    from openclap.cli.sounds import Sound
    from openclap.cli.vectors import VectorFile
    from openclap.inference.embedder import ClipEmbedding, Embedder

_GROUP = 256  # clips whose vectors are handed to the file at once: one row group of Parquet


def embed(
    model: Model,
    places: Annotated[
        list[Path] | None, typer.Argument(metavar="[PLACE]…", help="Sound files, folders of them, or manifests.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The file to write: .npz or .parquet.")] = Path("vectors.npz"),
    text: Annotated[
        list[str] | None, typer.Option("--text", help="A text to embed, in place of sounds. May be repeated.")
    ] = None,
    windows: Annotated[bool, typer.Option("--windows", help="A vector for each window of a long sound.")] = False,
    batch_size: BatchSize = 16,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Turn sounds (or texts) into a file of vectors.

    They have unit length, and the file holds the identity of the model that they belong to. Sounds that cannot
    be read are skipped, and named at the end; the exit code is then 3.
    """
    from openclap.cli.output import Output
    from openclap.cli.sounds import find_sounds
    from openclap.cli.vectors import writing
    from openclap.errors import AudioError
    from openclap.inference.embedder import load

    if bool(places) == bool(text):
        raise typer.BadParameter("give sounds to embed, or --text, and not both", param_hint="PLACE")
    output = Output(as_json)
    sounds = find_sounds(places) if places else []
    with writing(out) as file:
        embedder = load(model, device=device_name(device))
        job = _Job(embedder, file, windows=windows)
        if text:
            file.add(embedder.embed_text(text), {"text": text})
            job.rows = len(text)
        else:
            job.run(sounds, batch_size, output)
        file.describe(embedder.identity)
    for name, reason in job.bad.items():
        output.say(("skipped", "yellow"), f" {name}: {reason}")
    output.say(f"{job.rows} vectors of {embedder.embed_dim} numbers in {out}; {len(job.bad)} sounds skipped")
    bad = [{"source": name, "reason": reason} for name, reason in job.bad.items()]
    output.result(
        {"out": out, "vectors": job.rows, "dim": embedder.embed_dim, "identity": embedder.identity, "bad": bad}
    )
    if bad:
        raise typer.Exit(AudioError.exit_code)


@dataclass
class _Job:
    """Sounds to rows of a file; what could not be read is in `bad`, by name."""

    embedder: Embedder
    file: VectorFile
    windows: bool
    rows: int = 0
    bad: dict[str, str] = field(default_factory=dict)

    def run(self, sounds: list[Sound], batch_size: int, out: Output) -> None:
        """Embed the sounds, and show how it goes."""
        group: list[tuple[Sound, ClipEmbedding]] = []
        readable = _Readable(sounds, self.bad)
        with out.progress("sounds") as bar:
            task = bar.add_task("embedding", total=len(sounds))
            for clip in self.embedder.stream_audio(readable, batch_size=batch_size, on_error="keep"):
                if clip.error is None:
                    group.append((readable.given[clip.index], clip))
                else:
                    self.bad[clip.source] = clip.error.reason
                if len(group) == _GROUP:
                    self._write(group)
                bar.update(task, completed=clip.index + 1)
            self._write(group)
            bar.update(task, completed=len(sounds))

    def _write(self, group: list[tuple[Sound, ClipEmbedding]]) -> None:
        import numpy as np

        rows = []
        for sound, clip in group:
            whole = [(clip.windows[0].start_s, clip.windows[-1].end_s, clip.vector)]
            parts = [(w.start_s, w.end_s, w.vector) for w in clip.windows] if self.windows else whole
            rows += [
                (str(sound.path), sound.start_s + start, sound.start_s + end, vector) for start, end, vector in parts
            ]
        if rows:
            paths, starts, ends, vectors = zip(*rows, strict=True)
            self.file.add(np.stack(vectors), {"path": paths, "start_s": starts, "end_s": ends})
        self.rows += len(rows)
        group.clear()


class _Readable:
    """What the embedder is handed, one after another: paths, or decoded parts; `given` has the sound of each."""

    def __init__(self, sounds: Iterable[Sound], bad: dict[str, str]) -> None:
        self._sounds, self._bad = sounds, bad
        self.given: list[Sound] = []

    def __iter__(self) -> Iterator[AudioSource]:
        from openclap.errors import AudioError

        for sound in self._sounds:
            try:
                source = sound.load()
            except AudioError as error:
                self._bad[str(sound)] = error.reason
            else:
                self.given.append(sound)
                yield source
