"""A whole training run as one tree of settings: what a recipe gives, a YAML file holds, and `--set` changes."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from openclap.audio.frontend import FrontendConfig
from openclap.checkpoints.pretrained_audio import AudioInit
from openclap.checkpoints.pretrained_text import TextInit
from openclap.config import Config
from openclap.data.loader import DataConfig
from openclap.errors import ConfigError
from openclap.models.clap import ClapConfig
from openclap.text.tokenizer import TokenizerConfig
from openclap.training.objectives.base import ObjectiveConfig
from openclap.training.optim import OptimConfig
from openclap.training.schedule import ScheduleConfig
from openclap.training.trainer import TrainerConfig


class RunConfig(Config):
    """A run.

    Attributes:
        name: of the run and of the model it makes.
        seed: of the first weights, of the order of clips, and of all chance inside a step.
        data: clips to train and validate on, and how they are loaded.
        frontend: sound to features.
        model: the two towers; `model.text` is null in a run on sound alone (objective "mae").
        tokenizer: lengths and padding.
        vocab_size: of the tokenizer that is learnt from the training captions; a pretrained text encoder, or `init`,
            brings its own.
        text_init: a pretrained text encoder with its tokenizer; it takes the place of `model.text`, which then names
            the encoder at most.
        audio_init: a pretrained audio encoder; `model.audio` names the same one, and may say what matters in training
            only (`drop_path`).
        init: a bundle to start from, weights and tokenizer; `model` and `frontend` must be as in the bundle.
        objective: what is minimised.
        optim: how parameters learn.
        schedule: how the learning rate runs.
        trainer: how long, how often, and on what.
        license: what you say of the weights; written into every checkpoint.
    """

    name: str = Field(min_length=1)
    seed: int = Field(default=0, ge=0)
    data: DataConfig
    frontend: FrontendConfig
    model: ClapConfig
    tokenizer: TokenizerConfig = TokenizerConfig()
    vocab_size: int = Field(default=8192, gt=0)
    text_init: TextInit | None = None
    audio_init: AudioInit | None = None
    init: str | None = None
    objective: ObjectiveConfig = ObjectiveConfig()
    optim: OptimConfig = OptimConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    trainer: TrainerConfig
    license: str | None = None

    @model_validator(mode="after")
    def _parts_agree(self) -> RunConfig:
        if self.init is not None and self.text_init is not None:
            raise ValueError("init brings its own text encoder: set init or text_init, not both")
        if self.init is not None and self.audio_init is not None:
            raise ValueError("init brings its own audio encoder: set init or audio_init, not both")
        if self.text_init is not None and self.model.text is None:
            raise ValueError("text_init brings a text encoder, but model.text is null: set model.text.name to 'hf'")
        if self.text_init is not None and self.model.text is not None and self.model.text.options:
            raise ValueError("text_init brings its own text encoder: leave model.text.options out")
        if self.trainer.text_cache_bytes and not self.optim.text_encoder.frozen:
            raise ValueError(
                "trainer.text_cache_bytes keeps what a frozen text encoder says, but this one learns: "
                "set optim.text_encoder.frozen to true, or trainer.text_cache_bytes to 0"
            )
        if self.init is None and self.frontend.cuts_window:  # as it may be in a model that hears so already
            mel = self.frontend.mel
            raise ValueError(
                f"frontend.window_s {self.frontend.window_s:g} has {mel.frames_cut(self.frontend.window_samples)} "
                f"frames, but frontend.mel.frames {mel.frames} cuts every clip to its first {mel.frames}: set "
                "frontend.mel.frames to null, or frontend.window_s to at most "
                f"{(mel.frames or 0) * mel.hop_length / mel.sample_rate_hz:g}"
            )
        if self.data.validation is None and (self.trainer.best_metric or "").startswith("validation/"):
            raise ValueError("trainer.best_metric asks for validation, but data.validation is not set")
        if self.schedule.shape == "plateau" and (self.data.validation is None or self.trainer.eval_every is None):
            raise ValueError(
                "schedule.shape 'plateau' looks at validation: set data.validation and trainer.eval_every, "
                "or another schedule.shape"
            )
        return self


_HARMLESS = frozenset(
    {
        # Where the same data lie now (its digest is compared besides), and how it is fetched.
        "data.train.path",
        "data.train.audio_root",
        "data.validation.path",
        "data.validation.audio_root",
        "data.workers",
        "data.cache_bytes",
        # What is written and watched, and when to give up.
        "trainer.log_every",
        "trainer.eval_every",
        "trainer.save_every",
        "trainer.keep",
        "trainer.tensorboard",
        "trainer.curves",
        "trainer.max_skipped",
        "data.max_bad_fraction",
        "license",
        # The same arithmetic, rounded as that device rounds.
        "trainer.device",
    }
)
"""Settings that may change when a run is resumed: no weight depends on them, on one device."""


def check_resumable(saved: RunConfig, given: RunConfig) -> None:
    """Make sure that a run started with `saved` may go on with `given`.

    The run's length is not among what may change: the learning rate of every step depends on it.

    Raises:
        ConfigError: naming each setting that differs and matters, with both values.
    """
    before, now = _flat(saved.plain()), _flat(given.plain())
    changed = [
        f"{key} was {before.get(key, 'not set')!r}, now {now.get(key, 'not set')!r}"
        for key in sorted({*before, *now})
        if key not in _HARMLESS and before.get(key) != now.get(key)
    ]
    if changed:
        raise ConfigError(
            "cannot resume with other settings than the run was started with:\n  "
            + "\n  ".join(changed)
            + "\nresume with the settings in its config.yaml, or start another run with init set to its last/"
        )


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys to values that are no group."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat
