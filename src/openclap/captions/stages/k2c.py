"""Keyword-to-caption (K2C): a sentence made of a clip's labels by an encoder-decoder that was trained to do so.

LAION-CLAP (Wu et al., 2023, arXiv 2211.06687, section 3.3) made captions of labels and tags with a T5 of the project
keytotext, left out clips under two seconds (which their appendix says are mostly one event, and fit such a caption
badly), and then turned "woman" and "man" into "person" (here the stage `debias`). That keywords which got lost and
words that were invented reject a caption is our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from openclap.captions.keywords import KeywordGates, check_caption
from openclap.captions.phrases import readings
from openclap.captions.seq2seq import Seq2Seq, WritingOptions
from openclap.captions.stage import Estimate, Made, Rejected, stages
from openclap.config import Config
from openclap.data.example import Example, MadeCaption
from openclap.errors import AudioError

_REMEMBERED = 1 << 16
"""How many captions are remembered for other clips with the same keywords."""


class K2cConfig(Config):
    """What the K2C stage makes.

    Attributes:
        model: a folder, or a hub name such as "mrm8488/t5-base-finetuned-common_gen" or "gagan3012/k2t-base".
        revision: of a hub name.
        separator: what stands between the keywords: a space as CommonGen's models were trained, "| " as keytotext's.
        prefix: what stands before them.
        min_duration_s: shorter clips are left out; 0 takes all.
        writing: how the model writes.
        gates: what a caption has to pass.
        device: auto, cpu or cuda.
        batch_size: captions written at once.
    """

    model: str
    revision: str | None = None
    separator: str = " "
    prefix: str = ""
    min_duration_s: float = Field(default=2.0, ge=0.0)
    writing: WritingOptions = WritingOptions()
    gates: KeywordGates = KeywordGates()
    device: str = "auto"
    batch_size: int = Field(default=32, ge=1)


class K2cStage:
    """One caption for each clip that has labels and is not too short; those that fail a gate are rejected."""

    name = "k2c"
    concurrency = 1

    def __init__(self, config: K2cConfig) -> None:
        self._config = config
        self._writer = Seq2Seq(config.model, config.revision, config.device, config.writing, config.batch_size)
        self._written: dict[tuple[str, str], str] = {}
        self.batch_size = 8 * config.batch_size  # sorted by length, these make batches that are hardly padded

    @property
    def identity(self) -> dict[str, Any]:
        """The options that decide, and a digest of the model's files."""
        options = self._config.plain()
        return {key: value for key, value in options.items() if key not in {"device", "batch_size"}} | {
            "model": self._config.model.rstrip("/").rpartition("/")[2],
            "files": self._writer.digest,
        }

    def estimate(self, examples: Sequence[Example]) -> Estimate:
        """Clips that have labels and, as far as the manifest says, are long enough."""
        lengths = [example.stated_s for example in examples if example.labels]
        clips = sum(length is None or length >= self._config.min_duration_s for length in lengths)
        note = "lengths that the manifest does not say are read from the files" if None in lengths else ""
        return Estimate(clips=clips, note=note if self._config.min_duration_s else "")

    def make(self, examples: Sequence[Example]) -> list[Made]:
        """One caption for each clip, or the reason why there is none."""
        reasons = [self._left_out(example) if example.labels else "" for example in examples]
        keywords = [
            list(dict.fromkeys(readings(label)[0] for label in example.labels)) if reason is None else []
            for example, reason in zip(examples, reasons, strict=True)
        ]
        texts = self._write(examples, keywords)
        return [
            self._judged(text, words, example) if words else Made(rejected=(Rejected("", reason),) if reason else ())
            for example, reason, words, text in zip(examples, reasons, keywords, texts, strict=True)
        ]

    def _write(self, examples: Sequence[Example], keywords: Sequence[Sequence[str]]) -> list[str]:
        """What the model writes of each clip's keywords; many clips have the same, and are written once."""
        if len(self._written) > _REMEMBERED:
            self._written.clear()
        drawn = self._config.writing.temperature > 0
        asked = [
            (self._prompt(words), example.id if drawn else "")
            for example, words in zip(examples, keywords, strict=True)
        ]
        fresh = [ask for ask, words in zip(asked, keywords, strict=True) if words and ask not in self._written]
        if fresh := list(dict.fromkeys(fresh)):
            texts = self._writer.write([prompt for prompt, _ in fresh], [draw for _, draw in fresh])
            self._written |= zip(fresh, texts, strict=True)
        return [self._written.get(ask, "") for ask in asked]

    def _judged(self, text: str, words: list[str], example: Example) -> Made:
        if (reason := check_caption(text, words, self._config.gates)) is not None:
            return Made(rejected=(Rejected(text, reason),))
        details = {"model": self._config.model.rstrip("/").rpartition("/")[2], "keywords": words}
        return Made((MadeCaption(text, self.name, of=example.labels, details=details),))

    def _prompt(self, words: Sequence[str]) -> str:
        return self._config.prefix + self._config.separator.join(words)

    def _left_out(self, example: Example) -> str | None:
        """Why no caption is made of this clip."""
        if not self._config.min_duration_s:
            return None
        length = example.stated_s
        if length is None:
            from openclap.audio.decode import audio_info  # brings torch, which no other stage should wait for

            try:
                length = audio_info(example.audio).duration_s - example.start_s
            except AudioError:
                return "clip cannot be read"
        return None if length >= self._config.min_duration_s else f"clip under {self._config.min_duration_s:g} s"


@stages.register("k2c")
def build_k2c(**options: Any) -> K2cStage:
    """Sentences made of labels by a T5 (keyword-to-caption); options are those of `K2cConfig`."""
    return K2cStage(K2cConfig.read(options, origin="caption stage 'k2c'"))
