"""Examples to training batches, in a seeded order that any run can enter at any step, with any number of workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from openclap.audio.augment import AugmentConfig
from openclap.audio.frontend import Frontend
from openclap.config import Config
from openclap.data.cache import ClipCache
from openclap.data.columns import ColumnConfig
from openclap.data.example import Example
from openclap.data.kept import Reads
from openclap.data.manifest import Manifest, read_manifest
from openclap.data.policy import CaptionPolicyConfig, check_captions, choose_caption, choose_negatives, text_key
from openclap.data.reading import AudioRead, AudioReader, ClipRequest, FailedClip, read_batches, worker_context
from openclap.data.sampling import BatchPlan, generator_for, seed_for
from openclap.errors import DataError, TooManyBadSamplesError
from openclap.text.tokenizer import Tokenizer
from openclap.types import NegativeTexts, PairBatch

_TOLERATED = 5
"""Bad clips that any ceiling above zero lets pass: 1 % of a small folder is less than one clip."""


class SourceConfig(Config):
    """A manifest, and which part of it.

    Attributes:
        path: a folder or a file, as `openclap.data.manifest` describes them.
        where: filters, as in {"split": "train"}.
        audio_root: what relative audio paths start from; the manifest's own folder by default.
    """

    path: str
    where: dict[str, Any] = Field(default_factory=dict)
    audio_root: str | None = None


class DataConfig(Config):
    """What a run is trained on, and how it is read.

    Attributes:
        train: the clips to train on.
        validation: the clips to choose the best checkpoint by, or None.
        columns: column names of both, where the synonyms do not find them.
        captions: which of a clip's texts is taken, and whether negatives are.
        batch_size: clips a step; with fewer different clips than this, a step holds them all.
        workers: processes that read sound; 0 reads in the training process. A script that trains with workers needs
            the usual `if __name__ == "__main__":`.
        random_crop: whether clips longer than the window are cropped at random, or their views taken at random places.
        augment: what else is done to a clip's sound by chance, in training.
        max_bad_fraction: the share of the clips that may fail to load before training stops; 0 stops at the first.
        reads: what is read of a clip, and cached. "waveforms": features are made of each batch on the training device.
            "features": they are made when a clip is read, which on a CPU saves making them in every epoch; crops,
            rolls and gains are then those of features (see `openclap.audio.precomputed`).
        cache_bytes: memory for what was read, all workers together; 0 reads it anew in each epoch.
    """

    train: SourceConfig
    validation: SourceConfig | None = None
    columns: ColumnConfig | None = None
    captions: CaptionPolicyConfig = CaptionPolicyConfig()
    batch_size: int = Field(default=64, ge=2)
    workers: int = Field(default=2, ge=0)
    random_crop: bool = True
    augment: AugmentConfig = AugmentConfig()
    reads: Reads = "waveforms"
    max_bad_fraction: float = Field(default=0.01, ge=0.0, le=1.0)
    cache_bytes: int = Field(default=0, ge=0)


def read_source(source: SourceConfig, columns: ColumnConfig | None = None) -> Manifest:
    """The manifest that a source names, filtered.

    Raises:
        ManifestError: as `read_manifest` does.
    """
    return read_manifest(source.path, columns=columns, where=source.where, audio_root=source.audio_root)


@dataclass(frozen=True)
class BadSample:
    """A clip that was left out, and why."""

    id: str
    audio: Path
    error: str
    reason: str


class PairLoader:
    """Batches of clips and captions; what a step holds depends on the examples, config, seed and step alone.

    A clip that cannot be used is left out of its batch, which is then smaller, and noted in `bad`. Memory holds the
    batch in use, two more a worker, and the cache.

    Args:
        examples: clips that all have a caption or a label, if there is a tokenizer.
        frontend: makes clips of one length.
        tokenizer: makes ids of captions; it runs in this process, since a batch takes it about a millisecond. None
            gives batches without texts.
        config: batch size, workers, crops, captions, ceiling and cache.
        seed: decides order, crops, augmentation and captions.

    Raises:
        DataError: if a clip has no text, `config.captions` does not fit the clips, or there are fewer than two
            different ones.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        frontend: Frontend,
        tokenizer: Tokenizer | None,
        config: DataConfig,
        seed: int,
    ) -> None:
        if tokenizer is not None:
            _refuse_textless(examples)
            check_captions(examples, config.captions)
        self.bad: list[BadSample] = []
        self._examples = examples
        self._tokenizer = tokenizer
        self._config = config
        self._seed = seed
        self._plan = BatchPlan(examples, config.batch_size, seed)
        cache = None
        if config.cache_bytes:
            context = worker_context() if config.workers else None
            cache = ClipCache(len(examples), config.cache_bytes, context)
        self._reader = AudioReader(frontend, cache, config.augment, config.reads)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which every different clip comes up once, but for those left over after the last full batch."""
        return self._plan.steps_per_epoch

    @property
    def batch_size(self) -> int:
        """Clips a step: the config's, or all different clips where there are fewer."""
        return self._plan.batch_size

    def iterate(self, start_step: int, stop_step: int) -> Iterator[PairBatch]:
        """The batches of the steps from `start_step` up to, not including, `stop_step`.

        Raises:
            TooManyBadSamplesError: if more clips failed than `max_bad_fraction` allows, or all clips of a step.
        """
        steps = range(start_step, stop_step)
        requests = (self._request(step) for step in steps)
        reads = read_batches(self._reader, requests, min(self._config.workers, len(steps)))
        for step, read in zip(steps, reads, strict=True):
            self._note_failed(read.failed)
            yield self._pair(step, read)

    def _request(self, step: int) -> list[ClipRequest]:
        epoch = self._plan.epoch(step)
        clips = []
        for position in self._plan.batch(step):
            example = self._examples[position]
            crop_seed = seed_for(self._seed, "crop", epoch, example.id) if self._config.random_crop else None
            changed = self._config.augment != AugmentConfig()
            augment_seed = seed_for(self._seed, "augment", epoch, example.id) if changed else None
            clips.append(
                ClipRequest(position, example.audio, example.start_s, example.duration_s, crop_seed, augment_seed)
            )
        return clips

    def _pair(self, step: int, read: AudioRead) -> PairBatch:
        if read.audio is None:
            raise TooManyBadSamplesError(f"every clip of step {step} failed to load: {self._first_bad()}")
        chosen = [self._examples[position] for position in read.positions]
        ids = tuple(example.id for example in chosen)
        if self._tokenizer is None:
            return PairBatch(audio=read.audio, text=None, caption_group=torch.arange(len(ids)), ids=ids)
        epoch, policy = self._plan.epoch(step), self._config.captions
        captions = [
            choose_caption(example, policy, generator_for(self._seed, "caption", epoch, example.id))
            for example in chosen
        ]
        groups: dict[str, int] = {}
        numbers = [groups.setdefault(text_key(caption), len(groups)) for caption in captions]
        return PairBatch(
            audio=read.audio,
            text=self._tokenizer(captions),
            caption_group=torch.tensor(numbers),
            ids=ids,
            negatives=self._negatives(epoch, chosen, captions, self._tokenizer) if policy.negatives else None,
        )

    def _negatives(
        self, epoch: int, chosen: Sequence[Example], captions: Sequence[str], tokenizer: Tokenizer
    ) -> NegativeTexts | None:
        texts: list[str] = []
        places: list[int] = []
        for place, (example, caption) in enumerate(zip(chosen, captions, strict=True)):
            generator = generator_for(self._seed, "negatives", epoch, example.id)
            drawn = choose_negatives(example, caption, self._config.captions, generator)
            texts += drawn
            places += [place] * len(drawn)
        return NegativeTexts(tokenizer(texts), torch.tensor(places)) if texts else None

    def _note_failed(self, failed: Sequence[FailedClip]) -> None:
        known = {bad.id for bad in self.bad}
        for clip in failed:
            example = self._examples[clip.position]
            if example.id not in known:
                self.bad.append(BadSample(example.id, example.audio, clip.error, clip.reason))
        share, n_clips = self._config.max_bad_fraction, len(self._examples)
        ceiling = max(int(share * n_clips), min(_TOLERATED, n_clips // 2)) if share else 0
        if len(self.bad) > ceiling:
            raise TooManyBadSamplesError(
                f"{len(self.bad)} of {n_clips} clips failed to load, and max_bad_fraction {share:g} allows {ceiling}: "
                f"look at them with `openclap data check`. {self._first_bad()}"
            )

    def _first_bad(self) -> str:
        return "The first: " + "".join(f"\n  {bad.audio}: {bad.error}: {bad.reason}" for bad in self.bad[:_TOLERATED])


def _refuse_textless(examples: Sequence[Example]) -> None:
    without = [example for example in examples if not example.has_text]
    if without:
        names = ", ".join(example.id for example in without[:3])
        found = sorted({name for example in without for name in example.extra})
        others = ", ".join(found) or "no others"
        raise DataError(
            f"{len(without)} of {len(examples)} clips have neither a caption nor a label ({names}, …): leave them out "
            f"with where, or name their column with data.columns.captions (there are also: {others})"
        )
