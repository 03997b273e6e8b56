"""The two-tower model: an audio encoder and a text encoder, each with a projection into one space of unit vectors.

Besides these it may carry a decoder, with which training reconstructs what it masks; no vector depends on it. And it
may lack the text tower: such a model is pre-trained on sound alone, and its vectors are those of its audio encoder.
"""

from __future__ import annotations

import copy
import math
from typing import Any, NoReturn, cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn

from openclap.config import Config
from openclap.errors import ConfigError
from openclap.models.encoder import AudioEncoder, PatchEncoder, patch_encoder
from openclap.models.layers.projection import MlpHeads, ProjectionConfig, build_projection
from openclap.models.mae_decoder import DecoderConfig, MaeDecoder, decoder_for
from openclap.models.zoo import audio_encoders, text_encoders
from openclap.types import ClapOutput, MlpOutput

MAX_LOGIT_SCALE = math.log(100)
NO_TEXT = "has no text tower, since it was trained on sound alone: train one onto it with audio_init"


class EncoderConfig(Config):
    """Which encoder, and the options that differ from its defaults."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)


class ClapConfig(Config):
    """A two-tower model.

    Attributes:
        audio: the audio encoder.
        text: the text encoder; None has no text tower and no projections.
        embed_dim: width of the shared space; without a text tower it is the audio encoder's, whatever stands here.
        projection: the heads, of one kind for both towers.
        init_logit_scale: the log of the first inverse temperature.
        init_logit_bias: the first bias of the logits, learnt from there (SigLIP starts at -10); None has none.
        mlp_heads: whether there are LAION-CLAP's second heads over both embeddings, which its loss "infonce-mlp"
            trains with; vectors do not depend on them.
        decoder: what reconstructs masked patches in training; None has none. The rest of its shape follows the audio
            encoder, which must be one whose tokens may be left out (a ViT).
    """

    audio: EncoderConfig
    text: EncoderConfig | None
    embed_dim: int = Field(default=512, gt=0)
    projection: ProjectionConfig = ProjectionConfig()
    init_logit_scale: float = Field(default=math.log(1 / 0.07), ge=0, le=MAX_LOGIT_SCALE)
    init_logit_bias: float | None = None
    mlp_heads: bool = False
    decoder: DecoderConfig | None = None


class Clap(nn.Module):
    """Sound and text to unit vectors of one space.

    Args:
        config: the towers; the weights start random.

    Raises:
        UnknownNameError: if an encoder's name is not registered.
        ConfigError: if an encoder refuses its options, or cannot have the decoder.

    Attributes:
        embed_dim: numbers in a vector.
        has_text: whether there is a text tower.
        decoder: what reconstructs masked patches, or None.
    """

    logit_bias: Tensor

    def __init__(self, config: ClapConfig) -> None:
        super().__init__()
        audio = audio_encoders.get(config.audio.name)(**config.audio.options)
        text = None if config.text is None else text_encoders.get(config.text.name)(**config.text.options)
        text_options = {} if text is None else text.config.plain()
        self.has_text = text is not None
        self.embed_dim: int = config.embed_dim if self.has_text else audio.dim
        self.audio_encoder = cast("nn.Module", audio)
        if text is None:
            self.audio_projection: nn.Module = nn.Identity()
            self.text_encoder: nn.Module = _NoText()
            self.text_projection: nn.Module = nn.Identity()
        else:
            self.audio_projection = build_projection(config.projection, audio.dim, config.embed_dim)
            self.text_encoder = cast("nn.Module", text)
            self.text_projection = build_projection(config.projection, text.dim, config.embed_dim)
        self.logit_scale = nn.Parameter(torch.tensor(config.init_logit_scale))
        if config.init_logit_bias is None:
            self.register_buffer("logit_bias", torch.zeros(()), persistent=False)
        else:
            self.logit_bias = nn.Parameter(torch.tensor(config.init_logit_bias))
        self.mlp_heads = MlpHeads(config.embed_dim, config.init_logit_scale) if config.mlp_heads else None
        self.decoder = None if config.decoder is None else _decoder(config.decoder, audio, config.audio.name)
        self._resolved = config.model_copy(
            update={
                "audio": EncoderConfig(name=config.audio.name, options=audio.config.plain()),
                "text": config.text and EncoderConfig(name=config.text.name, options=text_options),
                "embed_dim": self.embed_dim,
            }
        )

    def encode_audio(
        self,
        features: Float[Tensor, "batch views frames mels"],
        is_longer: Bool[Tensor, " batch"] | None = None,
        frames: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch embed"]:
        """`audio_embeds`: unit vectors of log-mel features, float32.

        Args:
            features: of each clip.
            is_longer: which clips were longer than the window; matters where several views are fused.
            frames: how many frames of each clip are the clip, where they differ, on the CPU; for encoders that hear
                clips in their own length.
        """
        # Encoders that take windows of one length only need know nothing of `frames`: `check_frontend` refuses them.
        own = {} if frames is None else {"frames": frames}
        return self.project_audio(self.audio_encoder(features, is_longer, **own).pooled)

    def project_audio(self, pooled: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch embed"]:
        """`audio_embeds`: unit vectors of what the audio encoder pooled, float32."""
        return _unit(self.audio_projection(pooled))

    def encode_text(
        self, input_ids: Int[Tensor, "batch tokens"], attention_mask: Int[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch embed"]:
        """`text_embeds`: unit vectors of tokenised texts, float32.

        Raises:
            ConfigError: if the model has no text tower.
        """
        pooled = self.text_encoder(input_ids, attention_mask).pooled
        return _unit(self.text_projection(pooled))

    def forward(
        self,
        features: Float[Tensor, "batch views frames mels"],
        is_longer: Bool[Tensor, " batch"] | None,
        input_ids: Int[Tensor, "batch tokens"],
        attention_mask: Int[Tensor, "batch tokens"],
        frames: Int[Tensor, " batch"] | None = None,
    ) -> ClapOutput:
        """The embeddings of a batch of pairs, and what turns their cosines into logits."""
        audio = self.encode_audio(features, is_longer, frames)
        return self.paired(audio, self.encode_text(input_ids, attention_mask))

    def paired(self, audio: Float[Tensor, "batch embed"], text: Float[Tensor, "batch embed"]) -> ClapOutput:
        """Embeddings that both towers gave, and what turns their cosines into logits."""
        return ClapOutput(
            audio_embeds=audio,
            text_embeds=text,
            logit_scale=_multiplier(self.logit_scale),
            logit_bias=self.logit_bias.float(),
            mlp=None if self.mlp_heads is None else _through(self.mlp_heads, audio, text),
        )

    @torch.no_grad()
    def clamp_logit_scale_(self) -> None:
        """Put the logit scales back into [0, ln 100], as LAION-CLAP does after each optimiser step."""
        self.logit_scale.clamp_(0, MAX_LOGIT_SCALE)
        if self.mlp_heads is not None:
            self.mlp_heads.logit_scale.clamp_(0, MAX_LOGIT_SCALE)

    def in_use(self) -> Clap:
        """The same towers, sharing every weight, without what no vector depends on: decoder and second heads."""
        if self.decoder is None and self.mlp_heads is None:
            return self
        twin = copy.copy(self)  # holds the very modules in a table of its own
        twin._modules = {**self._modules, "decoder": None, "mlp_heads": None}  # noqa: SLF001
        twin._resolved = self._resolved.model_copy(update={"decoder": None, "mlp_heads": False})  # noqa: SLF001
        return twin

    def resolved_config(self) -> ClapConfig:
        """The config with every option of both encoders: it builds the same model under any later defaults."""
        return self._resolved

    def check_frontend(self, n_mels: int, frames: int, views: int, *, keeps_length: bool = False) -> None:
        """Make sure that a front-end's features fit the audio encoder.

        Args:
            n_mels: mel bins of the front-end.
            frames: frames of one window of the front-end.
            views: views of a clip that the front-end makes.
            keeps_length: whether a clip shorter than the window comes in its own length.

        Raises:
            ConfigError: if they do not fit; names both sides.
        """
        encoder = cast("AudioEncoder", self.audio_encoder)
        name = self._resolved.audio.name
        if encoder.n_mels is not None and n_mels != encoder.n_mels:
            raise ConfigError(
                f"frontend.mel.n_mels is {n_mels}, but audio encoder {name!r} needs {encoder.n_mels}: "
                f"set frontend.mel.n_mels to {encoder.n_mels}, or the encoder's option n_mels to {n_mels}"
            )
        if views != encoder.views:
            wish = "set frontend.fusion" if encoder.views > 1 else "take frontend.fusion away"
            raise ConfigError(
                f"the front-end makes {views} view(s) of a clip, but audio encoder {name!r} takes {encoder.views}: "
                f"{wish}, or set the encoder's option fusion"
            )
        if encoder.max_frames is not None and frames > encoder.max_frames:
            raise ConfigError(
                f"the front-end makes {frames} frames of a window, but audio encoder {name!r} takes at most "
                f"{encoder.max_frames}: set a shorter frontend.window_s or a longer frontend.mel.hop_length"
            )
        if keeps_length and not isinstance(encoder, PatchEncoder):
            raise ConfigError(
                f"frontend.length.short is 'keep', but audio encoder {name!r} takes clips of one length: set "
                "frontend.length.short to 'repeat-pad', 'repeat' or 'zero-pad', or model.audio.name to a ViT "
                "(vit-tiny, vit-small, vit-base, vit-large)"
            )
        if self.decoder is not None:
            patches = patch_encoder(encoder, name, "a decoder")
            if keeps_length:
                self.decoder.check_any_length()
            self.decoder.check_grid(-(-frames // patches.patch_size) * patches.rows)


class _NoText(nn.Module):
    """Stands where a text encoder would, in a model of sound alone."""

    def forward(self, *_: Tensor) -> NoReturn:
        raise ConfigError(f"this model {NO_TEXT}")


def _decoder(config: DecoderConfig, encoder: AudioEncoder, name: str) -> MaeDecoder:
    return MaeDecoder(decoder_for(patch_encoder(encoder, name, "a decoder"), config))


def _multiplier(log_scale: Float[Tensor, ""]) -> Float[Tensor, ""]:
    # Clamped before exp, where the limit itself still has a gradient: a scale that reaches it can come back.
    return log_scale.float().clamp(max=MAX_LOGIT_SCALE).exp()


def _through(heads: MlpHeads, audio: Float[Tensor, "batch embed"], text: Float[Tensor, "batch embed"]) -> MlpOutput:
    return MlpOutput(heads.audio(audio), heads.text(text), _multiplier(heads.logit_scale))


def _unit(vectors: Float[Tensor, "batch embed"]) -> Float[Tensor, "batch embed"]:
    return F.normalize(vectors.float(), dim=-1)
