"""The configs of a Hugging Face ClapModel and its feature extractor, and ours; each rule in both directions.

Source: transformers 5.23, `models/clap/configuration_clap.py` and `feature_extraction_clap.py`. Values that a file
leaves out are transformers' defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openclap.audio.frontend import FRONTEND_PRESETS, FrontendConfig
from openclap.audio.length import LengthConfig
from openclap.checkpoints.differences import differences
from openclap.checkpoints.maps.htsat import htsat_encoder
from openclap.errors import CheckpointError
from openclap.models.audio.htsat import HtsatConfig
from openclap.models.clap import ClapConfig, EncoderConfig
from openclap.models.layers.projection import ProjectionConfig

# What ClapModel can be told, and openclap's HTSAT cannot: it is always so.
_AUDIO_ALWAYS = {"hidden_act": "gelu", "qkv_bias": True, "enable_patch_layer_norm": True, "layer_norm_eps": 1e-5,
                 "patch_embed_input_channels": 1, "flatten_patch_embeds": True, "aff_block_r": 4}  # fmt: skip
_AUDIO_NAMES = {"square_size": "spec_size", "window_size": "window_size", "embed_dim": "patch_embeds_hidden_size",
                "depths": "depths", "heads": "num_attention_heads", "n_mels": "num_mel_bins",
                "mlp_ratio": "mlp_ratio", "drop_path": "drop_path_rate"}  # fmt: skip
_TEXT_NAMES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
               "hidden_act", "hidden_dropout_prob", "attention_probs_dropout_prob", "max_position_embeddings",
               "type_vocab_size", "layer_norm_eps", "pad_token_id", "bos_token_id", "eos_token_id")  # fmt: skip
_PADDING = {"repeat-pad": "repeatpad", "repeat": "repeat", "zero-pad": "pad"}
_EXTRACTOR_DEFAULTS: dict[str, Any] = {
    "feature_size": 64,
    "sampling_rate": 48_000,
    "hop_length": 480,
    "max_length_s": 10,
    "fft_window_size": 1024,
    "frequency_min": 0,
    "frequency_max": 14_000,
    "truncation": "fusion",
    "padding": "repeatpad",
}
# Chosen in use by who loads the directory, or of no matter to vectors.
_FRONTEND_FREE = ("int16_round_trip", "length.crop", "fusion")
_MODEL_FREE = ("audio.name", "audio.options.spec_augment", "text.name", "mlp_heads", "init_logit_scale",
               "projection.dropout")  # fmt: skip


def read_model(values: Mapping[str, Any]) -> ClapConfig:
    """Our config of the model that a config.json describes.

    Raises:
        CheckpointError: if it describes something that openclap's towers cannot be; names it.
        ConfigError: if its sizes do not fit each other.
    """
    clap = _complete(values)
    audio, text = clap["audio_config"], clap["text_config"]
    wrong = differences({key: audio.get(key) for key in _AUDIO_ALWAYS}, _AUDIO_ALWAYS)
    patch, stride = _square(audio["patch_size"]), _square(audio["patch_stride"])
    if patch is None or patch != stride:
        wrong.append(
            f"patch_size is {audio['patch_size']} and patch_stride {audio['patch_stride']}, and patches must be square "
            "and stand edge to edge"
        )
    if audio["enable_fusion"] and audio["fusion_type"] not in (None, "aff_2d"):
        wrong.append(f"fusion_type is {audio['fusion_type']!r}, and there is only 'aff_2d'")
    if clap["projection_hidden_act"] not in ("relu", "gelu"):
        wrong.append(f"projection_hidden_act is {clap['projection_hidden_act']!r}, and can be 'relu' or 'gelu'")
    if wrong:
        raise CheckpointError(f"the model is none that openclap knows: {'; '.join(wrong)}")
    fusion = {"patch_size": patch, "fusion": "aff-2d" if audio["enable_fusion"] else "none"}
    htsat = HtsatConfig.read(
        {ours: audio[theirs] for ours, theirs in _AUDIO_NAMES.items()} | fusion, origin="config.json: audio_config"
    )
    if audio["hidden_size"] != htsat.dims[-1]:
        raise CheckpointError(
            f"audio_config.hidden_size is {audio['hidden_size']}, but patch_embeds_hidden_size {htsat.embed_dim} and "
            f"{len(htsat.depths)} stages give {htsat.dims[-1]}"
        )
    hf = {"model_type": "roberta", **{name: text[name] for name in _TEXT_NAMES}}
    return ClapConfig(
        audio=htsat_encoder(htsat),
        text=EncoderConfig(name="hf", options={"hf": hf, "pooling": "pooler"}),
        embed_dim=clap["projection_dim"],
        projection=ProjectionConfig(kind="mlp", activation=clap["projection_hidden_act"]),
    )


def write_model(config: ClapConfig, audio: HtsatConfig, hf: Mapping[str, Any]) -> dict[str, Any]:
    """The config.json of a model of ours.

    Args:
        config: the model, resolved.
        audio: its audio encoder.
        hf: its text encoder's Hugging Face config.

    Raises:
        CheckpointError: if ClapModel cannot be this model; names what does not fit.
    """
    wrong = differences({"model_type": hf["model_type"]}, {"model_type": "roberta"})
    if audio.fusion not in ("none", "aff-2d"):
        wrong.append(f"audio.options.fusion is {audio.fusion!r}, and there 'none' or 'aff-2d'")
    if config.init_logit_bias is not None:
        wrong.append("there is a logit_bias, and none there")
    if wrong:
        raise CheckpointError(f"the model has no place in a ClapModel: {'; '.join(wrong)}")
    values = {theirs: getattr(audio, ours) for ours, theirs in _AUDIO_NAMES.items()}
    written = _complete(
        {
            "model_type": "clap",
            "architectures": ["ClapModel"],
            "projection_dim": config.embed_dim,
            "projection_hidden_act": config.projection.activation,
            "text_config": {name: hf[name] for name in _TEXT_NAMES},
            "audio_config": {
                **values,
                "patch_size": audio.patch_size,
                "patch_stride": [audio.patch_size] * 2,
                "hidden_size": audio.dims[-1],
                "enable_fusion": audio.fusion != "none",
                "fusion_type": "aff_2d" if audio.fusion != "none" else None,
            },
        }
    )
    ours, again = config.plain(), read_model(written).plain()
    ours["projection"]["hidden"] = None if config.projection.hidden == config.embed_dim else config.projection.hidden
    again["text"]["options"]["hf"] = {}  # copied above, name by name
    wrong = differences(ours, again, _MODEL_FREE)
    if wrong:
        raise CheckpointError(f"the model has no place in a ClapModel: {'; '.join(wrong)}")
    return written


def read_frontend(values: Mapping[str, Any]) -> FrontendConfig:
    """Our front-end of a preprocessor_config.json; `top_db`, which transformers stores and does not use, is left out.

    Raises:
        CheckpointError: if it names a truncation or padding that there is not.
        ConfigError: if its numbers do not fit each other.
    """
    given = _EXTRACTOR_DEFAULTS | {key: values[key] for key in _EXTRACTOR_DEFAULTS if values.get(key) is not None}
    short = {theirs: ours for ours, theirs in _PADDING.items()}.get(given["padding"])
    if short is None or given["truncation"] not in ("fusion", "rand_trunc"):
        raise CheckpointError(
            f"preprocessor_config.json: padding is {given['padding']!r} and truncation {given['truncation']!r}; known "
            f"are {', '.join(_PADDING.values())}, and fusion, rand_trunc"
        )
    fused = given["truncation"] == "fusion"
    base = FRONTEND_PRESETS["laion-fusion" if fused else "laion"].plain()
    mel = {
        "sample_rate_hz": given["sampling_rate"],
        "n_mels": given["feature_size"],
        "n_fft": given["fft_window_size"],
        "win_length": given["fft_window_size"],
        "hop_length": given["hop_length"],
        "f_min_hz": given["frequency_min"],
        "f_max_hz": given["frequency_max"],
    }
    return FrontendConfig.read(
        base
        | {
            "window_s": given["max_length_s"],
            "length": LengthConfig(short=short).plain(),
            "mel": base["mel"] | mel,
            "int16_round_trip": False,
            "fusion": base["fusion"] | {"global_resize": "bilinear"} if fused else None,
        },
        origin="preprocessor_config.json",
    )


def write_frontend(frontend: FrontendConfig) -> dict[str, Any]:
    """The preprocessor_config.json of a front-end of ours.

    Raises:
        CheckpointError: if ClapFeatureExtractor cannot be this front-end; names what does not fit.
    """
    mel, window_s = frontend.mel, frontend.window_s
    if frontend.length.short not in _PADDING:
        raise CheckpointError(
            "the front-end has no place in a ClapFeatureExtractor: length.short is "
            f"{frontend.length.short!r}, and there one of {', '.join(_PADDING)}"
        )
    written = {
        "feature_extractor_type": "ClapFeatureExtractor",
        "processor_class": "ClapProcessor",
        "feature_size": mel.n_mels,
        "sampling_rate": mel.sample_rate_hz,
        "hop_length": mel.hop_length,
        "max_length_s": int(window_s) if window_s == int(window_s) else window_s,
        "fft_window_size": mel.n_fft,
        "nb_frequency_bins": mel.n_fft // 2 + 1,
        "nb_max_samples": frontend.window_samples,
        "frequency_min": mel.f_min_hz,
        "frequency_max": mel.f_max_hz,
        "padding": _PADDING[frontend.length.short],
        "padding_value": 0.0,
        "padding_side": "right",
        "return_attention_mask": False,
        "top_db": None,
        "truncation": "rand_trunc" if frontend.fusion is None else "fusion",
    }
    wrong = differences(frontend.plain(), read_frontend(written).plain(), _FRONTEND_FREE)
    if not isinstance(written["max_length_s"], int):
        wrong.append(f"window_s is {window_s}, and there a whole number")
    if wrong:
        raise CheckpointError(f"the front-end has no place in a ClapFeatureExtractor: {'; '.join(wrong)}")
    return written


def _complete(values: Mapping[str, Any]) -> dict[str, Any]:
    """A config.json's values with transformers' defaults."""
    from transformers import ClapConfig as TheirConfig

    try:
        complete: dict[str, Any] = TheirConfig(
            **{key: value for key, value in values.items() if key != "model_type"}
        ).to_dict()
    except Exception as error:  # bad values come in several kinds of exception, all with a message
        raise CheckpointError(f"config.json: transformers cannot read it as a ClapModel's ({error})") from error
    return complete


def _square(size: Any) -> int | None:
    """The side of a square that is given as a number or as two; None if it is no square."""
    sides = [size] if isinstance(size, int) else list(size)
    return sides[0] if len(set(sides)) == 1 and isinstance(sides[0], int) else None
