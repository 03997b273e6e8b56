"""The directory of a model for other runtimes: what `openclap export` writes, and what reads it.

export.json      what follows, and all that a user of the graphs must know
audio.onnx       waveforms (batch, samples) at `sample_rate_hz` to audio_embeds (batch, embed_dim)
text.onnx        input_ids, attention_mask (batch, tokens) to text_embeds (batch, embed_dim)
tokenizer.json, tokenizer_config.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from openclap.audio.frontend import FrontendConfig
from openclap.checkpoints.json_files import read_versioned, write_json
from openclap.config import Config
from openclap.errors import CheckpointError, ConfigError
from openclap.text.tokenizer import TokenizerConfig

EXPORT_FILE, AUDIO_FILE, TEXT_FILE = "export.json", "audio.onnx", "text.onnx"
FORMAT_VERSION = 1

ExportPrecision = Literal["fp32", "int8"]
PRECISIONS: dict[str, ExportPrecision] = {"fp32": "fp32", "int8": "int8"}
"""By what a user types."""


class ExportedConfig(Config):
    """What `export.json` holds.

    Attributes:
        format_version: of the directory's layout; a reader refuses a newer one than it knows.
        name: the model's name, for people.
        precision: "int8" has the weights of matrix products as 8-bit integers.
        opset: the version of ONNX's operators.
        embed_dim: numbers in a vector.
        sample_rate_hz: the rate of the waveforms.
        window_samples: how many samples the model hears at once. `audio.onnx` repeats or pads what is shorter, as the
            model does, and crops what is longer: cut long sound into windows of this length, the last one moved back
            to the sound's end, and take the mean of their vectors at unit length.
        max_tokens: the most tokens of a text. Of a longer one keep the first, but for the last `end_tokens`.
        end_tokens: how many tokens end every text.
        append: put after every text before it is tokenised.
        pad_id: the token that fills short rows, where the mask is 0.
        logit_scale: the log of the inverse temperature: probabilities are a softmax over exp(logit_scale) · cosines.
        fusion: the model fuses views of long sound, which the graph does not: long sound is cut into windows.
        identity: of the model that was exported: the vectors of equal windows may be compared.
        weights: SHA-256 hex over both graphs.
        frontend: sound to features, all of which is inside `audio.onnx`.
        tokenizer: captions to ids.
        provenance: what the model was made from.
    """

    format_version: int = FORMAT_VERSION
    name: str
    precision: ExportPrecision
    opset: int
    embed_dim: int
    sample_rate_hz: int
    window_samples: int
    max_tokens: int
    end_tokens: int
    append: str
    pad_id: int
    logit_scale: float
    fusion: bool
    identity: str
    weights: str
    frontend: FrontendConfig
    tokenizer: TokenizerConfig
    provenance: dict[str, Any] = Field(default_factory=dict)


def is_exported(directory: str | Path) -> bool:
    """Whether a directory holds an exported model."""
    return (Path(directory) / EXPORT_FILE).is_file()


def read_exported(directory: str | Path) -> ExportedConfig:
    """The description in a directory of an exported model.

    Raises:
        CheckpointError: if it is missing, broken or of a newer version.
    """
    path = Path(directory) / EXPORT_FILE
    try:
        return ExportedConfig.read(read_versioned(path, FORMAT_VERSION, "exported model"), origin=str(path))
    except ConfigError as error:
        raise CheckpointError(str(error)) from error


def write_exported(config: ExportedConfig, directory: Path) -> None:
    """Write the description into a directory."""
    write_json(config.plain(), directory / EXPORT_FILE)
