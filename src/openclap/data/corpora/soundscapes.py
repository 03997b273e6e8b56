"""Soundscapes: a corpus made by code, with captions that state what is heard, how often, how loud and in what order.

It needs no download and no licence, and what is in each clip is known exactly: a model can be asked whether it heard
three barks or two, and the dog before the bell or after it. It is no substitute for real sound.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile
from pydantic import Field

from openclap.config import Config, digest
from openclap.data.corpus import CorpusInfo, corpora
from openclap.data.fetch import Progress
from openclap.data.prepared import MANIFEST, STAMP, Prepared, counted, read_stamp
from openclap.data.synthesis import scene as scenes
from openclap.data.synthesis.source import sources
from openclap.data.synthesis.wording import captions
from openclap.errors import ConfigError

SPLITS = ("train", "validation", "test")

_VERSION = 1  # raise it when a change makes other sounds or captions: prepared folders are then made anew


class SoundscapesConfig(Config):
    """Settings of the corpus.

    Attributes:
        n_train: clips in the split "train".
        n_validation: clips in the split "validation".
        n_test: clips in the split "test".
        seed: of everything drawn; each clip has its own generator, seeded by (seed, split, index).
        sample_rate_hz: rate of the files.
        duration_s: length of each clip.
        single_fraction: share of clips that hold one source alone, spread evenly over the sources.
        sources: names of those to use; empty for all.
        audio_format: file format; 16 bits either way.
    """

    n_train: int = Field(default=1200, ge=0)
    n_validation: int = Field(default=100, ge=0)
    n_test: int = Field(default=200, ge=0)
    seed: int = Field(default=0, ge=0)
    sample_rate_hz: int = 16000
    duration_s: float = 5.0
    single_fraction: float = 0.4
    sources: tuple[str, ...] = ()
    audio_format: Literal["flac", "wav"] = "flac"

    def size(self, split: str) -> int:
        """How many clips a split has."""
        return {"train": self.n_train, "validation": self.n_validation, "test": self.n_test}[split]


def render(config: SoundscapesConfig, split: str, index: int) -> tuple[scenes.Scene, tuple[str, ...]]:
    """The clip `index` of a split and its captions: a pure function of its arguments (`n_…` do not matter)."""
    rng = np.random.default_rng([_VERSION, config.seed, SPLITS.index(split), index])
    names = config.sources or tuple(sources.names())
    # Evenly spaced singles: their count passes a whole number at this index.
    before, after = int(index * config.single_fraction), int((index + 1) * config.single_fraction)
    if after > before:
        made = scenes.single(rng, names[before % len(names)], config.sample_rate_hz, config.duration_s)
    else:
        made = scenes.scene(rng, names, config.sample_rate_hz, config.duration_s)
    return made, captions(rng, made)


class Soundscapes:
    """The registered corpus "soundscapes"."""

    info = CorpusInfo(
        name="soundscapes",
        title="Scenes of synthetic sounds whose captions state what is heard, how often, how loud and in what order",
        licence="CC0-1.0",
        kind="both",
        labels="multi",
        access="generated",
        splits={split: SoundscapesConfig().size(split) for split in SPLITS},
        hours=2.08,
    )

    def fetch(self, raw: Path, *, progress: Progress | None = None, **options: Any) -> None:
        """Nothing: `prepare` makes it."""

    def prepare(
        self, out: Path, *, raw: Path | None = None, progress: Progress | None = None, **options: Any
    ) -> Prepared:
        """What was prepared, after its clips and `manifest.jsonl` have been put into `out`.

        Args:
            out: the folder to make; one prepared earlier with the same options is used as it is.
            raw: not looked at: nothing is published.
            progress: is told how many clips were made.
            **options: fields of `SoundscapesConfig`.

        Raises:
            ConfigError: if an option is wrong, or `out` holds something else.
        """
        config = _checked(SoundscapesConfig.read(options, origin="corpus soundscapes"))
        stamp = {"corpus": self.info.name, "version": _VERSION, "options": config.plain()}
        if not _is_prepared(out, stamp):
            _clear(out)
            # First whose folder it is, and last what it was made with: one that says that is complete.
            _write_stamp(out, {"corpus": self.info.name, "complete": False})
            made = (row for split in SPLITS for row in _write_split(out, config, split))
            total = sum(config.size(split) for split in SPLITS)
            rows = list(counted(made, lambda count: progress and progress("clips", count, total), every=10))
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (out / MANIFEST).write_text(text, encoding="utf-8")
            _write_stamp(out, stamp)
        splits = {split: config.size(split) for split in SPLITS}
        return Prepared(out / MANIFEST, sum(splits.values()), splits)


corpora.add("soundscapes", Soundscapes())


def _write_split(out: Path, config: SoundscapesConfig, split: str) -> Iterator[dict[str, Any]]:
    (out / split).mkdir(parents=True, exist_ok=True)
    for index in range(config.size(split)):
        made, texts = render(config, split, index)
        path = f"{split}/{index:05d}.{config.audio_format}"
        soundfile.write(out / path, made.samples, config.sample_rate_hz, subtype="PCM_16")
        yield _row(path, split, made, texts)


def _row(path: str, split: str, made: scenes.Scene, texts: Sequence[str]) -> dict[str, Any]:
    return {
        "audio": path,
        "captions": list(texts),
        "labels": list(made.labels),
        "split": split,
        "kind": made.kind,
        "events": [event.plain() for event in made.events],
        "reverberation_s": round(made.reverberation_s, 3),
        "source": "soundscapes",
        "license": "CC0-1.0",
    }


def _checked(config: SoundscapesConfig) -> SoundscapesConfig:
    known = [sources.get(name) for name in config.sources]
    if known and config.single_fraction < 1 and not scenes.enough(known):
        raise ConfigError(f"corpus soundscapes: sources are {list(config.sources)}, but {scenes.NEEDED}")
    if config.duration_s < 3 or config.sample_rate_hz < 8000:
        raise ConfigError(
            f"corpus soundscapes: duration_s is {config.duration_s} and sample_rate_hz {config.sample_rate_hz}, but "
            "three events in order need at least 3 s, and the sounds at least 8000 Hz"
        )
    if not 0 <= config.single_fraction <= 1:
        raise ConfigError(f"corpus soundscapes: single_fraction is {config.single_fraction}, but a share is 0 to 1")
    return config


def _is_prepared(out: Path, stamp: dict[str, Any]) -> bool:
    return digest(read_stamp(out)) == digest(stamp)


def _write_stamp(out: Path, stamp: dict[str, Any]) -> None:
    (out / STAMP).write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")


def _clear(out: Path) -> None:
    """Make room in `out`, which must be empty, or hold what this corpus has put there and nothing else.

    Without its stamp nothing is touched: train/, test/ and a manifest.jsonl are what anybody's data look like.
    """
    ours = {STAMP, MANIFEST, *SPLITS} if read_stamp(out).get("corpus") == Soundscapes.info.name else set()
    others = sorted(entry.name for entry in out.iterdir() if entry.name not in ours) if out.is_dir() else []
    if others:
        raise ConfigError(f"{out} holds {others[0]!r}, which is not of the corpus soundscapes: give an empty folder")
    for name in SPLITS:
        shutil.rmtree(out / name, ignore_errors=True)
    (out / MANIFEST).unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
