"""A pretrained audio encoder to start an audio tower from: AudioMAE's, or that of any model that openclap reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import Tensor

from openclap.checkpoints.adapter import Source
from openclap.checkpoints.adapters.audiomae import read_audiomae
from openclap.checkpoints.adapters.laion import read_laion_audio
from openclap.checkpoints.adapters.msclap import read_msclap_audio
from openclap.checkpoints.differences import OF_TRAINING
from openclap.checkpoints.load import load, locate, recognise
from openclap.checkpoints.weights import put_weights
from openclap.config import Config
from openclap.errors import ConfigError
from openclap.models.clap import Clap, EncoderConfig
from openclap.models.mae_decoder import MaeDecoderConfig


class AudioInit(Config):
    """Where an audio tower's first weights come from.

    Attributes:
        source: an AudioMAE file (.pth), or MS-CLAP's captioning model; or whatever `openclap.load` reads, of which the
            audio encoder is taken, and its decoder, where the run's model has one of the very same shape (any other
            starts from random weights). The front-end does not come along: set the one that the weights were trained
            with.
    """

    source: str


@dataclass(frozen=True, eq=False)
class PretrainedAudio:
    """An audio encoder as it was published.

    Attributes:
        encoder: its name and all options that its weights determine, for `ClapConfig.audio`.
        state: the weights, by the names that the encoder built from `encoder` gives them.
        decoder: what it was pre-trained with, if that is there too.
        decoder_state: the decoder's weights.
    """

    encoder: EncoderConfig
    state: Mapping[str, Tensor]
    decoder: MaeDecoderConfig | None = None
    decoder_state: Mapping[str, Tensor] = field(default_factory=dict)


def load_audio(init: AudioInit) -> PretrainedAudio:
    """The pretrained audio encoder that `init` names; no tokenizer is needed for it.

    Raises:
        CheckpointError: if it cannot be found or read.
    """
    found = locate(init.source)
    kind = None if isinstance(found, Path) else recognise(found)
    if isinstance(found, Path) or kind not in _AUDIO_READERS:
        model = load(init.source).model
        heard = PretrainedAudio(model.resolved_config().audio, model.audio_encoder.state_dict())
        if model.decoder is not None:
            heard = replace(heard, decoder=model.decoder.config, decoder_state=model.decoder.state_dict())
        return heard
    return _AUDIO_READERS[kind](found)


def merge_audio(pretrained: PretrainedAudio, asked: EncoderConfig) -> EncoderConfig:
    """The pretrained encoder, with the options for training that are asked for.

    Raises:
        ConfigError: if another encoder is asked for, or an option that the weights contradict.
    """
    known = pretrained.encoder
    if asked.name != known.name:
        raise ConfigError(f"model.audio.name is {asked.name!r}, but audio_init brings {known.name!r}: set it to that")
    for key, value in asked.options.items():
        if key in known.options and key not in OF_TRAINING and _plain(value) != _plain(known.options[key]):
            raise ConfigError(
                f"model.audio.options.{key} is {value!r}, but the weights of audio_init were made with "
                f"{known.options[key]!r}: leave it out"
            )
    return EncoderConfig(name=known.name, options={**known.options, **asked.options})


def put_audio(model: Clap, pretrained: PretrainedAudio) -> None:
    """Put pretrained weights into a model's audio encoder, which was built from `pretrained.encoder`.

    A decoder of the same shape gets its weights, too.

    Raises:
        CheckpointError: if the audio encoder is another one.
    """
    put_weights(model.audio_encoder, pretrained.state, "the pretrained audio encoder")
    if model.decoder is not None and model.decoder.config == pretrained.decoder:
        put_weights(model.decoder, pretrained.decoder_state, "the pretrained decoder")


def _audiomae_audio(source: Source) -> PretrainedAudio:
    mae = read_audiomae(source)
    return PretrainedAudio(mae.encoder, mae.encoder_state, mae.decoder, mae.decoder_state)


_AUDIO_READERS: dict[str, Callable[[Source], PretrainedAudio]] = {
    "audiomae": _audiomae_audio,
    "laion": lambda source: PretrainedAudio(*read_laion_audio(source)),
    "msclap": lambda source: PretrainedAudio(*read_msclap_audio(source)),
}
"""Formats whose files hold no tokenizer, so that their audio encoders are read alone."""


def _plain(value: object) -> object:
    """A value as a config file would hold it: a tuple and a list with the same entries are one."""
    return list(value) if isinstance(value, tuple) else value
