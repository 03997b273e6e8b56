"""`openclap embed`: many sounds, or texts, to a file of vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openclap.cli.opening import Check, Precision, Tokenizer, open_embedder
from openclap.cli.options import BatchSize, Device, Json, Model

if TYPE_CHECKING:
    from openclap.cli.output import Output
    from openclap.cli.sounds import Sound
    from openclap.inference.embedder import ClipEmbedding, Embedder
    from openclap.inference.job import EmbeddedSound, EmbeddingJob
    from openclap.inference.vectors import VectorFile

_PART = 256  # sounds that are kept together: at most so many are embedded again after a kill


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
    hop_s: Annotated[
        float | None, typer.Option("--hop", metavar="SECONDS", help="From one window's start to the next: overlap.")
    ] = None,
    long: Annotated[
        str, typer.Option("--long", help="Long sound by windows or fusion; auto is fusion where the model has it.")
    ] = "auto",
    restart: Annotated[bool, typer.Option("--restart", help="Forget what an earlier run has left unfinished.")] = False,
    batch_size: BatchSize = 16,
    device: Device = "auto",
    tokenizer: Tokenizer = None,
    precision: Precision = "fp32",
    check: Check = True,
    as_json: Json = False,
) -> None:
    """Turn sounds (or texts) into a file of vectors.

    They have unit length, and the file holds the identity of the model that they belong to. Killed at any moment, the
    same command goes on where it was. Sounds that cannot be read are skipped, and named at the end; the exit code is
    then 3.
    """
    from openclap.cli.output import Output
    from openclap.cli.sounds import find_sounds
    from openclap.errors import AudioError
    from openclap.inference.vectors import writing

    if bool(places) == bool(text):
        raise typer.BadParameter("give sounds to embed, or --text, and not both", param_hint="PLACE")
    output = Output(as_json)
    sounds = find_sounds(places) if places else []
    with ExitStack() as opened, writing(out) as file:  # a job is over when its file is at its place, and not before
        embedder = open_embedder(
            model,
            output,
            device=device,
            tokenizer=tokenizer,
            precision=precision,
            check=check,
            hop_s=hop_s,
            long=long,
        )
        if text:
            file.add(embedder.embed_text(text), {"text": text})
            written = _Written(rows=len(text))
        else:
            job = opened.enter_context(_job(out, embedder, windows, restart))
            _Work(embedder, job, windows=windows, batch_size=batch_size).run(sounds, output)
            written = _write(job, sounds, file)
        file.describe(embedder.identity)
    for name, reason in written.bad.items():
        output.say(("skipped", "yellow"), f" {name}: {reason}")
    output.say(f"{written.rows} vectors of {embedder.embed_dim} numbers in {out}; {len(written.bad)} sounds skipped")
    bad = [{"sound": name, "error": reason} for name, reason in written.bad.items()]
    output.result(
        {"out": out, "vectors": written.rows, "dim": embedder.embed_dim, "identity": embedder.identity, "bad": bad}
    )
    if bad:
        raise typer.Exit(AudioError.exit_code)


@dataclass
class _Work:
    """Sounds to a job's parts."""

    embedder: Embedder
    job: EmbeddingJob
    windows: bool
    batch_size: int

    def run(self, sounds: list[Sound], out: Output) -> None:
        """Embed what is not done yet, part by part, and show how it goes."""
        waiting = [sound for sound in sounds if sound.key not in self.job.done]
        before = len(sounds) - len(waiting)
        if before:
            out.say(f"{before} of {len(sounds)} sounds are done already")
        with out.progress("sounds") as bar:
            task = bar.add_task("embedding", total=len(waiting))
            for first in range(0, len(waiting), _PART):
                part = waiting[first : first + _PART]
                done: dict[str, EmbeddedSound] = {}
                # Sounds of like length together: a batch then waits for no straggler.
                for found in self._embed(sorted(part, key=lambda sound: sound.length_s())):
                    done[found.key] = found
                    bar.update(task, completed=first + len(done))
                self.job.add([done[sound.key] for sound in part])

    def _embed(self, sounds: Sequence[Sound]) -> Iterator[EmbeddedSound]:
        import numpy as np

        from openclap.cli.heard import each
        from openclap.inference.job import EmbeddedSound

        nothing = np.zeros((0, self.embedder.embed_dim), np.float32)
        for sound, clip in each(self.embedder, sounds, batch_size=self.batch_size, windows=self.windows):
            if isinstance(clip, str):
                yield EmbeddedSound(sound.key, nothing, error=clip)
            else:
                yield self._rows(sound, clip)

    def _rows(self, sound: Sound, clip: ClipEmbedding) -> EmbeddedSound:
        import numpy as np

        from openclap.inference.job import EmbeddedSound

        whole = [(clip.windows[0].start_s, clip.windows[-1].end_s, clip.vector)]
        parts = [(w.start_s, w.end_s, w.vector) for w in clip.windows] if self.windows else whole
        starts, ends, vectors = zip(*parts, strict=True)
        return EmbeddedSound(
            sound.key,
            np.stack(vectors),
            tuple(sound.start_s + start for start in starts),
            tuple(sound.start_s + end for end in ends),
        )


@dataclass
class _Written:
    """What came of it: rows in the file, and by their names the sounds that have none."""

    rows: int = 0
    bad: dict[str, str] = field(default_factory=dict)


@contextmanager
def _job(out: Path, embedder: Embedder, windows: bool, restart: bool) -> Iterator[EmbeddingJob]:
    """The job of a file, for this process alone; deleted when the block ends without an error.

    Raises:
        ConfigError: if another process is at work on the same file.
    """
    from openclap.errors import ConfigError
    from openclap.exclusive import held
    from openclap.inference.job import EmbeddingJob

    folder = out.with_name(f"{out.name}.unfinished")
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(held(folder))
        except BlockingIOError as error:
            raise ConfigError(
                f"another process is embedding to {out}: wait for it, or end it, or give another --out"
            ) from error
        if restart:
            EmbeddingJob.delete(folder)
        job = EmbeddingJob.open(folder, embedder.identity, {"windows": windows})
        yield job
        job.close()


def _write(job: EmbeddingJob, sounds: list[Sound], file: VectorFile) -> _Written:
    """Put a job's rows into a file, in the order of the sounds."""
    import numpy as np

    written = _Written()
    found = zip(sounds, job.collect(sound.key for sound in sounds), strict=True)
    for group in _groups(found):
        for sound, embedded in group:
            if embedded.error is not None:
                written.bad[str(sound)] = embedded.error
        vectors = [embedded.vectors for _, embedded in group if len(embedded.vectors)]
        if vectors:
            paths = [str(sound.path) for sound, embedded in group for _ in embedded.vectors]
            starts = [start for _, embedded in group for start in embedded.start_s]
            ends = [end for _, embedded in group for end in embedded.end_s]
            file.add(np.concatenate(vectors), {"path": paths, "start_s": starts, "end_s": ends})
            written.rows += len(paths)
    return written


def _groups(
    found: Iterable[tuple[Sound, EmbeddedSound]],
) -> Iterator[list[tuple[Sound, EmbeddedSound]]]:
    from openclap.inference.batching import grouped

    return grouped(found, _PART)
