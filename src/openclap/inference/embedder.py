"""A trained model in use: sound and text to unit vectors of one space, the same ones every time.

The same sound gives the same vector (to 1e-6 in cosine) alone, in any batch, in any order and in any process: there is
no random crop, every window stands for itself, and padding never reaches a result.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast, overload

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from openclap.audio.decode import AudioSource
from openclap.checkpoints.load import load as load_checkpoint
from openclap.checkpoints.native import Bundle, weights_digest
from openclap.config import digest
from openclap.errors import ConfigError
from openclap.inference import sanity
from openclap.inference.batching import CPU_TOKENS, by_length, compute_batch, in_lanes, text_chunks
from openclap.inference.precision import Precision, autocast, check_gain, check_precision, prepared
from openclap.inference.stream import ClipEmbedding, WindowEmbedding, stream, unit
from openclap.inference.windows import LongSound, Window, WindowConfig, read_windows
from openclap.memory import keep_freed_memory
from openclap.models.clap import NO_TEXT
from openclap.text.prompts import fill
from openclap.types import TextBatch, Waveform

__all__ = ["ClipEmbedding", "Embedder", "WindowEmbedding", "load"]

_READERS = 8  # threads that decode for an accelerator; on a CPU one keeps the model busy, and more take its cores
_RULES_VERSION = 1  # of what this module and windows.py compute from the same bundle: part of every identity


class Embedder:
    """A model ready for use; made by `openclap.load`, or of a bundle by `Embedder.from_bundle`.

    Attributes:
        name: the model's name.
        device: where it runs.
        embed_dim: numbers in a vector.
        sample_rate_hz: the rate that sound is resampled to.
        window_s: seconds of sound that the model hears at once.
        precision: how exactly it computes.
        provenance: what the model was made from: data, recipe, versions, licence.
    """

    def __init__(
        self, bundle: Bundle, windows: WindowConfig, precision: Precision = "fp32", *, is_final: bool = False
    ) -> None:
        self._windows = windows.resolved(bundle.config.frontend)
        self._tokenizer = bundle.tokenizer
        self._model = bundle.model.eval().in_use()
        self.device = self._model.logit_scale.device
        self.precision: Precision = precision
        check_precision(precision, self.device)
        check_gain(self._model, precision)
        if is_final or precision != "fp32":
            self._final_digest: str | None = weights_digest(self._model)  # prepared weights are no longer the model's
            self._model = prepared(self._model, precision, in_place=is_final)
        else:
            self._final_digest = None
        if self.device.type == "cpu":
            keep_freed_memory()
        self._frontend = bundle.frontend.to(self.device).eval()
        self.name: str = bundle.config.name
        self.embed_dim: int = bundle.model.embed_dim
        self.sample_rate_hz: int = self._frontend.config.sample_rate_hz
        self.window_s: float = self._frontend.config.window_s
        self.provenance: Mapping[str, Any] = bundle.provenance

    @classmethod
    def from_bundle(
        cls,
        bundle: Bundle,
        *,
        windows: WindowConfig | None = None,
        precision: Precision = "fp32",
        is_final: bool = False,
    ) -> Embedder:
        """An embedder of a bundle in memory, on the device where its model is.

        The model is put into evaluation mode, and stays the caller's: training that goes on must call `model.train()`.

        Args:
            bundle: the model and what belongs to it.
            windows: how sound longer than the model's window is cut.
            precision: as for `openclap.load`.
            is_final: give the bundle's model up to the embedder, which takes it apart to compute faster, as
                `openclap.load` does. Without, and in "fp32", the embedder is always of the weights as they are at the
                time; in other precisions, of the weights as they were.

        Raises:
            ConfigError: if the device has no such precision.
        """
        return cls(bundle, windows or WindowConfig(), precision, is_final=is_final)

    @cached_property
    def identity(self) -> str:
        """SHA-256 hex over all that decides a vector: weights, architecture and pooling, front-end, windows, tokenizer.

        Vectors of one identity can be compared and stored together; vectors of different identities must not be.
        """
        return digest(
            {
                "rules": _RULES_VERSION,
                "weights": self._final_digest or weights_digest(self._model),
                "model": self._model.resolved_config().model_dump(mode="json", exclude={"decoder"}),
                "frontend": self._frontend.config.plain(),
                "windows": self._windows.plain(),
                "tokenizer": None if self._tokenizer is None else self._tokenizer.digest,
            }
            | ({} if self.precision == "fp32" else {"precision": self.precision})
        )

    @property
    def has_text(self) -> bool:
        """Whether the model reads texts; one that was pre-trained on sound alone does not."""
        return self._tokenizer is not None

    @property
    def logit_scale(self) -> float:
        """The log of the inverse temperature that the model learnt."""
        return float(self._model.logit_scale.detach())

    @overload
    def embed_audio(
        self,
        clips: AudioSource | Iterable[AudioSource],
        *,
        sample_rate_hz: int | None = None,
        batch_size: int = 16,
        windows: Literal[False] = False,
        on_error: Literal["raise", "nan"] = "raise",
    ) -> Float32[np.ndarray, "clips embed"]: ...

    @overload
    def embed_audio(
        self,
        clips: AudioSource | Iterable[AudioSource],
        *,
        sample_rate_hz: int | None = None,
        batch_size: int = 16,
        windows: Literal[True],
        on_error: Literal["raise", "nan"] = "raise",
    ) -> list[list[WindowEmbedding]]: ...

    def embed_audio(
        self,
        clips: AudioSource | Iterable[AudioSource],
        *,
        sample_rate_hz: int | None = None,
        batch_size: int = 16,
        windows: bool = False,
        on_error: Literal["raise", "nan"] = "raise",
    ) -> Float32[np.ndarray, "clips embed"] | list[list[WindowEmbedding]]:
        """One unit vector a clip, of shape (clips, embed), float32; or with `windows` every window's vector and place.

        A clip longer than the model's window is the normalised mean of its windows' vectors. Windows follow each other
        without overlap (unless the embedder was loaded otherwise), the last aligned to the clip's end. A model with
        feature fusion hears up to ten minutes at once instead, and more in stretches of so many.

        Args:
            clips: one clip or several: paths, encoded bytes, binary files, arrays of shape (samples,) or
                (channels, samples), or `Waveform`s, in any mixture. No clips give no rows.
            sample_rate_hz: the rate of the arrays among them; files and `Waveform`s know their own.
            batch_size: how many windows go through the model at once on an accelerator, and at most on a CPU. It never
                changes a vector.
            windows: give a list a clip, of `WindowEmbedding`s, instead; with feature fusion, too, of plain windows.
            on_error: "raise", or give a clip that cannot be used a row of NaN (with `windows`: no windows).
                `stream_audio` tells the reasons.

        Raises:
            AudioError: if a clip cannot be used; names it and says why.
        """
        _check_choice(on_error, "raise", "nan")
        found = self.stream_audio(
            clips,
            sample_rate_hz=sample_rate_hz,
            batch_size=batch_size,
            windows=windows,
            on_error="raise" if on_error == "raise" else "keep",
        )
        if windows:
            return [list(clip.windows) for clip in found]
        missing = np.full(self.embed_dim, np.nan, np.float32)
        rows = [missing if clip.vector is None else clip.vector for clip in found]
        return np.stack(rows) if rows else np.zeros((0, self.embed_dim), np.float32)

    def stream_audio(
        self,
        clips: AudioSource | Iterable[AudioSource],
        *,
        sample_rate_hz: int | None = None,
        batch_size: int = 16,
        windows: bool = False,
        on_error: Literal["raise", "keep"] = "raise",
    ) -> Iterator[ClipEmbedding]:
        """The clips' embeddings one after another, in bounded memory: for many files, or files hours long.

        Sound is decoded in a background thread while the model works. Arguments are those of `embed_audio`, but clips
        that cannot be used raise or, with "keep", come with their `error`. The windows that a vector is the mean of
        always come with it: of a model with feature fusion these are its stretches, or with `windows` plain windows.
        """
        _check_choice(on_error, "raise", "keep")
        config = self._windows.model_copy(update={"long": "windows"}) if windows else self._windows
        return stream(
            _as_many(clips),
            read=lambda clip: read_windows(clip, sample_rate_hz, self._frontend, config),
            embed=self._embed_windows,
            batch=compute_batch(self.device, batch_size),
            readers=1 if self.device.type == "cpu" else min(_READERS, os.cpu_count() or 1),
            keep_errors=on_error == "keep",
        )

    def embed_text(self, texts: str | Sequence[str], *, batch_size: int = 64) -> Float32[np.ndarray, "texts embed"]:
        """One unit vector a text, of shape (texts, embed), float32.

        Args:
            texts: one text or several. No texts give no rows.
            batch_size: as for `embed_audio`.

        Raises:
            TypeError: if something among the texts is no string.
            ConfigError: if the model has no text tower.
        """
        if self._tokenizer is None:
            raise ConfigError(f"model {self.name!r} {NO_TEXT}")
        texts = [texts] if isinstance(texts, str) else list(texts)
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, but is {batch_size}")
        different = list(dict.fromkeys(texts))  # equal captions are computed once
        chunks = [self._embed_chunk(self._tokenizer(chunk), batch_size) for chunk in text_chunks(different)]
        if not chunks:
            return np.zeros((0, self.embed_dim), np.float32)
        row = {text: number for number, text in enumerate(different)}
        vectors: Float32[np.ndarray, "texts embed"] = np.concatenate(chunks)[[row[text] for text in texts]]
        return vectors

    def embed_labels(
        self, labels: Sequence[str], prompts: str | Sequence[str] = "ensemble"
    ) -> Float32[np.ndarray, "labels embed"]:
        """One unit vector a label, of shape (labels, embed): the normalised mean over its prompts.

        Args:
            labels: what could be heard.
            prompts: a name in `openclap.text.prompts.PROMPTS`, or texts with `{label}` in them.

        Raises:
            ConfigError: if there are no labels, a label is empty or comes twice, or a prompt has no place for it.
        """
        texts = [fill(prompts, label) for label in _checked_labels(labels)]
        vectors = self.embed_text([text for group in texts for text in group])
        return unit(vectors.reshape(len(texts), -1, self.embed_dim).mean(axis=1))

    def similarity(
        self, left: Float[np.ndarray, "left embed"], right: Float[np.ndarray, "right embed"]
    ) -> Float32[np.ndarray, "left right"]:
        """The cosine of every vector on the left (rows) with every one on the right (columns), from -1 to 1.

        What counts as high differs between models: compare within one, not with a fixed threshold.

        Raises:
            ValueError: if an input is no matrix of this model's vectors.
        """
        for side in (left, right):
            if side.ndim != 2 or side.shape[1] != self.embed_dim:
                raise ValueError(f"vectors must have shape (n, {self.embed_dim}), but got {side.shape}")
        cosines: Float32[np.ndarray, "left right"] = (left @ right.T).astype(np.float32, copy=False)
        return cosines

    def probabilities(self, similarity: Float[np.ndarray, "clips labels"]) -> Float32[np.ndarray, "clips labels"]:
        """Softmax over each row of cosines, at the sharpness that the model learnt (`logit_scale`).

        They are relative to the labels given and add up to 1 even where nothing fits.
        """
        scale = math.exp(self.logit_scale)
        logits = scale * similarity.astype(np.float64)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares: Float32[np.ndarray, "clips labels"] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        return shares

    def classify(
        self,
        clip: AudioSource,
        labels: Sequence[str],
        *,
        prompts: str | Sequence[str] = "ensemble",
        multi_label: bool = False,
        sample_rate_hz: int | None = None,
    ) -> list[tuple[str, float]]:
        """The labels with their probabilities, the likeliest first.

        Args:
            clip: one clip, as for `embed_audio`.
            labels: what could be heard.
            prompts: as for `embed_labels`.
            multi_label: give each label its own cosine instead. Several labels may fit, or none; a probability says
                only which of the given labels fits best.
            sample_rate_hz: the rate of an array.

        Raises:
            AudioError: if the clip cannot be used.
            ConfigError: if labels or prompts cannot be used.
        """
        labels = _checked_labels(labels)
        label_vectors = self.embed_labels(labels, prompts)
        scores = self.similarity(self.embed_audio([clip], sample_rate_hz=sample_rate_hz), label_vectors)
        values = scores if multi_label else self.probabilities(scores)
        return sorted(zip(labels, values[0].tolist(), strict=True), key=lambda pair: -pair[1])

    def _embed_windows(self, windows: list[Window]) -> Float32[np.ndarray, "windows embed"]:
        if self.device.type != "cpu":
            return self._embed_clips(windows)
        # 8-bit operations are so short that a second thread costs more in waiting than it computes: half the speed.
        most_threads = 1 if self.precision == "int8" else None
        return np.concatenate(in_lanes(self._embed_clips, [[window] for window in windows], self.device, most_threads))

    @torch.inference_mode()
    def _embed_clips(self, windows: list[Window]) -> Float32[np.ndarray, "windows embed"]:
        audio = self._frontend.batch([window.clip for window in windows]).to(self.device)
        with autocast(self.precision, self.device):
            vectors = self._model.encode_audio(self._frontend(audio), audio.is_longer, audio.frames)
        return vectors.cpu().numpy()

    def _embed_chunk(self, texts: TextBatch, size: int) -> Float32[np.ndarray, "texts embed"]:
        vectors = np.empty((len(texts), self.embed_dim), np.float32)
        most_tokens = CPU_TOKENS if self.device.type == "cpu" else None
        batches = list(by_length(texts, size, most_tokens))
        found = in_lanes(self._embed_batch, [batch for _, batch in batches], self.device)
        for (rows, _), part in zip(batches, found, strict=True):
            vectors[rows] = part
        return vectors

    @torch.inference_mode()
    def _embed_batch(self, batch: TextBatch) -> Float32[np.ndarray, "texts embed"]:
        on_device = batch.to(self.device)
        with autocast(self.precision, self.device):
            return self._model.encode_text(on_device.input_ids, on_device.attention_mask).cpu().numpy()


def load(
    path_or_name: str | Path,
    device: str | torch.device = "cpu",
    *,
    hop_s: float | None = None,
    tokenizer: str | Path | None = None,
    precision: Precision = "fp32",
    long: LongSound = "auto",
    check: bool = True,
) -> Embedder:
    """The model in a directory, a file or a hub repository, ready for use; whatever CLAP it is.

    Args:
        path_or_name: a directory that training has written (`runs/demo/best`); LAION-CLAP's, MS-CLAP's or Hugging
            Face's weights (docs/how-to/use-published-weights.md); or a hub name ("owner/model").
        device: "cpu", "cuda", "cuda:1", …
        hop_s: seconds from one window of a long clip to the next; None is the model's window: no overlap.
        tokenizer: for a file that carries none (LAION-CLAP's and MS-CLAP's): a directory with tokenizer.json, or a hub
            name; None takes the published one from the hub.
        precision: "fp32"; "bf16" for GPUs and CPUs with AMX instructions; or "int8" for x86 CPUs with AVX-512 VNNI.
            The last two are faster where they exist, and give slightly other vectors, of another identity
            (docs/concepts/determinism.md).
        long: how a clip longer than the window is heard: "windows" one after another, all at once by "fusion", or
            "auto": by fusion where the model has it.
        check: put a few texts and sounds through the model, and warn if it looks broken (`openclap.inference.sanity`).

    Raises:
        CheckpointError: if there is no model, or it cannot be read; says why.
        ConfigError: if there is no such device here, no such precision on it, or no fusion in the model.

    Warns:
        PrecisionWarning: if the precision exists on the device, but does not pay there.
        SanityWarning: for each check that the model fails.
    """
    windows = WindowConfig.read({"hop_s": hop_s, "long": long}, origin="openclap.load")
    bundle = load_checkpoint(path_or_name, device, tokenizer=tokenizer)
    embedder = Embedder.from_bundle(bundle, windows=windows, precision=precision, is_final=True)
    if check:
        sanity.warn_of(embedder)
    return embedder


def _as_many(clips: AudioSource | Iterable[AudioSource]) -> Iterable[AudioSource]:
    single = (str, os.PathLike, bytes, bytearray, memoryview, np.ndarray, Tensor, Waveform)
    if isinstance(clips, single) or hasattr(clips, "read"):
        return [cast("AudioSource", clips)]
    return cast("Iterable[AudioSource]", clips)


def _check_choice(given: str, *choices: str) -> None:
    if given not in choices:
        raise ValueError(f"on_error must be {' or '.join(map(repr, choices))}, but is {given!r}")


def _checked_labels(labels: Iterable[str]) -> list[str]:
    found = [] if isinstance(labels, str) else list(labels)
    if not found or not all(isinstance(label, str) and label.strip() for label in found):
        wanted = "a list with at least one label, each a text that is not empty"
        raise ConfigError(f"labels must be {wanted}, but got {labels!r}")
    twice = next((label for index, label in enumerate(found) if label in found[:index]), None)
    if twice is not None:
        raise ConfigError(f"labels holds {twice!r} twice: give each label once")
    return found
