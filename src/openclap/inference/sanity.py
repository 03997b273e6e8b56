"""Whether a loaded model looks alive: a few captions and sounds of its own making go through it, and figures come out.

A checkpoint can be read to the last byte and still be useless: saved before training, with a dead tower, or with names
mapped to the wrong places. `openclap.load` asks these questions of every model, and warns loudly where an answer is
no; they cost a few texts and four windows of sound. Answers are ranks and ratios rather than absolute cosines, because
what counts as a high cosine differs between models.

A model that passes is not thereby a good one: `openclap eval` measures that.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32

from openclap.errors import SanityWarning

if TYPE_CHECKING:
    from openclap.inference.embedder import Embedder

__all__ = ["CAPTIONS", "Answer", "answers", "of_audio", "of_text", "probe", "warn_of"]

# A caption and its paraphrase share no telling word and no form, while captions of other things share form and small
# words with it: a tower that knows nothing but letters and their order ranks those first.
CAPTIONS = (
    ("an engine is running", "idling motor"),
    ("someone is typing", "keyboard clatter"),
    ("an audience is applauding", "loud clapping"),
    ("someone is walking by", "footsteps passing"),
)

# The limits, and between what they lie (docs/how-to/use-published-weights.md has the measured table). A limit leaves
# room on the healthy side: a wrong alarm costs more trust than a model with random weights that slips past one check.
MOST_ALIKE = 0.95  # mean cosine of different things: trained up to 0.6; random weights 0.88 to 0.99; collapsed 0.999
LEAST_RANKED = 0.5  # chance; trained 0.8 to 1, random weights 0.2 to 0.48
LEAST_SHARED = 2.0  # directions at random give 1 (0.3 to 1.7); trained 5 to 125
LOGIT_SCALES = (0.0, 7.0)  # exp gives 1 to 1097; trained models clamp at ln 100 = 4.6, some start at ln 10
_WIDE_ENOUGH = 64  # numbers in a vector: in fewer, directions at random share too much to tell


@dataclass(frozen=True)
class Answer:
    """What one check found.

    Attributes:
        check: its name.
        value: its figure; NaN where it could not be had.
        wanted: what the figure must be, in words.
        passed: whether it is.
        advice: what a failure means, and what to do.
    """

    check: str
    value: float
    wanted: str
    passed: bool
    advice: str

    def __str__(self) -> str:
        return f"{self.value:.4g}, where {self.wanted} is healthy; {self.advice}"


def warn_of(embedder: Embedder) -> None:
    """Ask all questions of a model, and warn of those that it fails.

    Warns:
        SanityWarning: one for each check that failed.
    """
    for answer in answers(embedder):
        if not answer.passed:
            # 3: the line that called `openclap.load`
            warnings.warn(SanityWarning(embedder.name, answer.check, str(answer)), stacklevel=3)


def answers(embedder: Embedder) -> list[Answer]:
    """What each check finds in a model.

    finite            every number of every vector, the vectors' lengths, and the logit scale
    logit-scale       the log of the inverse temperature is one that training could have reached
    text-collapse     mean cosine between different captions
    text-ranks        how often a caption is nearer to its paraphrase than to another caption (0.5: by chance)
    audio-collapse    mean cosine between noise, a tone and clicks
    audio-ranks       how often two noises are nearer to each other than to a tone or clicks
    shared-space      how much of what varies between captions varies between sounds, too (1: nothing in common)

    Where vectors are not finite, or all the same, the checks that would need more are left out. Of a model that was
    pre-trained on sound alone only the first is asked.
    """
    texts, sounds = probe(embedder)
    scale = embedder.logit_scale
    found = [_finite(texts, sounds, scale)]
    if not embedder.has_text:  # pre-trained on sound alone: nothing has drawn its vectors apart yet, and none need be
        return found
    if found[0].passed:
        found += [_logit_scale(scale), *of_text(texts), *of_audio(sounds)]
    if all(answer.passed for answer in found if answer.check.endswith(("finite", "collapse"))) and (
        embedder.embed_dim >= _WIDE_ENOUGH
    ):
        found.append(_shared(sounds, texts))
    return found


def probe(embedder: Embedder) -> tuple[Float32[np.ndarray, "texts embed"], Float32[np.ndarray, "sounds embed"]]:
    """The vectors of `CAPTIONS`, each followed by its paraphrase, and of two noises, a tone and clicks."""
    rate_hz = embedder.sample_rate_hz
    captions = [text for pair in CAPTIONS for text in pair]
    texts = embedder.embed_text(captions) if embedder.has_text else np.zeros((0, embedder.embed_dim), np.float32)
    return texts, embedder.embed_audio(list(_sounds(rate_hz)), sample_rate_hz=rate_hz)


def of_text(vectors: Float32[np.ndarray, "texts embed"]) -> Iterator[Answer]:
    """What the vectors of the captions say."""
    cosines = vectors @ vectors.T
    subject = np.arange(len(vectors)) // 2
    strangers = subject[:, None] != subject[None]
    alike = float(cosines[strangers].mean())
    yield Answer(
        "text-collapse",
        alike,
        f"at most {MOST_ALIKE} between different captions",
        alike <= MOST_ALIKE,
        "the text tower gives nearly the same vector for every text, so that searches and labels by text mean nothing: "
        "use other weights of this family, or sound against sound only",
    )
    nearer = [float((cosines[row, row ^ 1] > cosines[row, strangers[row]]).mean()) for row in range(len(vectors))]
    ranked = float(np.mean(nearer))
    yield Answer(
        "text-ranks",
        ranked,
        f"more than {LEAST_RANKED} of the comparisons",
        ranked > LEAST_RANKED,
        "captions are no nearer to their paraphrases than to captions of other things: the text tower was not trained, "
        "was trained on another language, got another model's tokenizer, or its weights are in the wrong places",
    )


def of_audio(vectors: Float32[np.ndarray, "4 embed"]) -> Iterator[Answer]:
    """What the vectors of the sounds say."""
    cosines = vectors @ vectors.T
    alike = float(cosines[~np.eye(len(cosines), dtype=bool)].mean())
    yield Answer(
        "audio-collapse",
        alike,
        f"at most {MOST_ALIKE} between different sounds",
        alike <= MOST_ALIKE,
        "the audio tower gives nearly the same vector for every sound: it was not trained, its batch norm is broken, "
        "or its front-end is not the one it was trained with",
    )
    nearer = float((cosines[0, 1] > cosines[:2, 2:]).mean())
    yield Answer(
        "audio-ranks",
        nearer,
        f"more than {LEAST_RANKED} of the comparisons",
        nearer > LEAST_RANKED,
        "two noises are not nearer to each other than to a tone and to clicks: weights are in the wrong places, or the "
        "front-end is not the one that the model was trained with",
    )


def _finite(texts: Float32[np.ndarray, "..."], sounds: Float32[np.ndarray, "..."], scale: float) -> Answer:
    lengths = np.linalg.norm(np.concatenate([texts, sounds]), axis=1)
    worst = float(np.abs(lengths - 1).max())  # NaN if anything is
    values = worst if math.isfinite(scale) else math.nan
    return Answer(
        "finite",
        values,
        "a largest deviation from length 1 below 0.001",
        values < 1e-3,
        "vectors or the logit scale hold NaN, infinity or nothing but zeros: the weights are broken, get them again",
    )


def _logit_scale(scale: float) -> Answer:
    low, high = LOGIT_SCALES
    return Answer(
        "logit-scale",
        scale,
        f"a logarithm from {low:g} to {high:g}",
        low <= scale <= high,
        "probabilities will be meaningless, cosines are not touched; a value of 14 to 100 is a scale whose logarithm "
        "was never taken",
    )


def _shared(sounds: Float32[np.ndarray, "sounds embed"], texts: Float32[np.ndarray, "texts embed"]) -> Answer:
    """The mean squared cosine between what varies in sounds and in texts, in units of what chance would give.

    Directions drawn at random in `embed` dimensions have a squared cosine of 1 / embed on average. Towers that were
    trained against each other vary along the same few directions, whatever the sounds and the texts are of.
    """
    sounds, texts = sounds - sounds.mean(axis=0), texts - texts.mean(axis=0)
    shared = sounds.shape[1] * _energy(sounds @ texts.T) / (_energy(sounds) * _energy(texts))
    return Answer(
        "shared-space",
        shared,
        f"at least {LEAST_SHARED:g} (chance gives 1)",
        shared >= LEAST_SHARED,
        "sounds and texts have nothing in common, so that comparing one with the other means nothing: a tower or a "
        "projection was not trained, or is another model's; sound against sound may still be good",
    )


def _energy(matrix: Float[np.ndarray, "rows columns"]) -> float:
    return float(np.square(matrix, dtype=np.float64).sum())


def _sounds(rate_hz: int, duration_s: float = 2.0) -> Iterator[Float32[np.ndarray, " samples"]]:
    """White noise, pink noise, a tone of 1 kHz, and four clicks a second; the same at every call."""
    generator = np.random.default_rng(0)
    n_samples = round(duration_s * rate_hz)
    time_s = np.arange(n_samples) / rate_hz
    white = generator.standard_normal(n_samples)
    spectrum = np.fft.rfft(generator.standard_normal(n_samples))
    pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), n_samples)
    tone = np.sin(2 * np.pi * 1000 * time_s)
    since_click_s = time_s % 0.25
    clicks = generator.standard_normal(n_samples) * np.exp(-since_click_s / 0.002)
    for samples in (white, pink, tone, clicks):
        yield (0.5 * samples / np.abs(samples).max()).astype(np.float32)
