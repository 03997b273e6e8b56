"""`openclap captions events`: what a CLAP model hears in each clip, as evidence for captions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openclap.cli.opening import Check, Precision, Tokenizer, open_embedder
from openclap.cli.options import BatchSize, Columns, Device, Json, Model

if TYPE_CHECKING:
    from openclap.captions.llm.evidence import Event
    from openclap.data.example import Example
    from openclap.inference.embedder import Embedder

_PART = 64  # clips that are kept together: at most so many are heard again after a kill


def events(
    model: Model,
    manifest: Annotated[Path, typer.Argument(help="The clips.")],
    out: Annotated[Path, typer.Option("--out", help="The manifest to write, with the events: .jsonl.")],
    labels: Annotated[
        str, typer.Option("--labels", help="A file with a label a line, or audioset for its 527 classes.")
    ] = "audioset",
    prompts: Annotated[
        str, typer.Option("--prompts", help="A set of words around labels, or one text with {label} in it.")
    ] = "ensemble",
    top: Annotated[int, typer.Option("--top", min=1, help="The most events a clip.")] = 5,
    min_score: Annotated[
        float, typer.Option("--min-score", min=0.0, max=1.0, help="Events below are left out.")
    ] = 0.05,
    into: Annotated[str, typer.Option("--into", help="The column's name.")] = "events",
    column: Columns = None,
    batch_size: BatchSize = 16,
    device: Device = "auto",
    tokenizer: Tokenizer = None,
    precision: Precision = "fp32",
    check: Check = True,
    as_json: Json = False,
) -> None:
    """Write what a model hears in each clip into the manifest: labels with scores, which `captions make llm` reads.

    Scores are probabilities among the labels given: they add up to 1 over all of them, even where nothing fits. Killed
    at any moment, the same command goes on where it was. Clips that cannot be read get no events, and are named; the
    exit code is then 3.
    """
    from openclap.captions.llm.hearing import add_events
    from openclap.cli.options import column_config
    from openclap.cli.output import Output
    from openclap.cli.targets import jsonl_target, work_target
    from openclap.data.stream import ManifestStream
    from openclap.errors import AudioError

    output = Output(as_json)
    jsonl_target(out)
    work_target(out, work=".events", manifest=manifest)
    _free_column(into)
    wanted = _labels(labels)
    clips = ManifestStream(manifest, columns=column_config(column))
    output.other_ids(clips.other_ids)
    embedder = open_embedder(model, output, device=device, tokenizer=tokenizer, precision=precision, check=check)
    identity = {"model": embedder.identity, "labels": wanted, "prompts": prompts, "top": top, "min_score": min_score}
    hearing = _Hearing(embedder, wanted, prompts, top, min_score, batch_size)
    with output.progress("clips") as bar:
        task = bar.add_task("hearing", total=len(clips))
        report = add_events(
            clips,
            hearing.hear,
            out,
            identity=identity,
            column=into,
            batch_size=_PART,
            progress=lambda done, _: bar.update(task, completed=done),
        )
    for clip, reason in report.bad:
        output.say(("skipped", "yellow"), f" {clip}: {reason}")
    output.say(f"{report.events:,} events in {report.with_events:,} of {report.clips:,} clips: {out}")
    bad = [{"clip": clip, "error": reason} for clip, reason in report.bad]
    output.result({"out": out, "clips": report.clips, "events": report.events, "bad": bad})
    if bad:
        raise typer.Exit(AudioError.exit_code)


def _free_column(name: str) -> None:
    """Refuse a column whose name means something else in every manifest."""
    from openclap.data.columns import SYNONYMS
    from openclap.errors import ConfigError

    for field, names in SYNONYMS.items():
        if name.casefold() in {field, *names}:
            raise ConfigError(f"--into {name}: a column of this name holds the {field} of clips: give another")
    if not name:
        raise ConfigError("--into takes the name of a column, and got an empty text")


class _Hearing:
    """Zero-shot classification of many clips."""

    def __init__(
        self, embedder: Embedder, labels: list[str], prompts: str, top: int, min_score: float, batch_size: int
    ) -> None:
        self._embedder, self._labels = embedder, labels
        self._top, self._min_score, self._batch_size = top, min_score, batch_size
        self._vectors = embedder.embed_labels(labels, [prompts] if "{label}" in prompts else prompts)

    def hear(self, examples: Sequence[Example]) -> list[list[Event] | str]:
        """The events of each clip, or why it cannot be heard."""
        from openclap.cli.heard import each
        from openclap.cli.sounds import Sound

        sounds = [Sound(example.audio, example.start_s, example.duration_s) for example in examples]
        found: dict[Sound, list[Event] | str] = {}
        for sound, clip in each(self._embedder, list(dict.fromkeys(sounds)), batch_size=self._batch_size):
            if isinstance(clip, str):
                found[sound] = clip
            elif clip.vector is not None:
                found[sound] = self._events(clip.vector)
        return [found[sound] for sound in sounds]

    def _events(self, vector: object) -> list[Event]:
        import numpy as np

        from openclap.captions.llm.evidence import Event

        cosines = self._embedder.similarity(np.asarray(vector)[None], self._vectors)
        scores = self._embedder.probabilities(cosines)[0]
        best = np.argsort(-scores, kind="stable")[: self._top]
        return [Event(self._labels[i], float(scores[i])) for i in best if scores[i] >= self._min_score]


def _labels(name: str) -> list[str]:
    from openclap.errors import ConfigError

    if name == "audioset":
        from openclap.captions.llm.lexicon import audioset_labels

        return audioset_labels()
    try:
        lines = Path(name).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--labels takes audioset, or a file with a label a line: {name}: {error}") from error
    return [line.strip() for line in lines if line.strip()]
