"""Hugging Face ClapModel directories: config.json, weights, preprocessor_config.json and a tokenizer.

Vectors are transformers': no 16-bit round trip, a global view resized without antialiasing, and 512 tokens rather than
LAION-CLAP's 77. Weights may be safetensors or PyTorch's, in one file or in shards.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from torch import Tensor

from openclap.atomic import written_whole
from openclap.audio.frontend import FrontendConfig
from openclap.checkpoints.adapter import Source, adapters
from openclap.checkpoints.json_files import read_json, write_json
from openclap.checkpoints.maps.huggingface_config import read_frontend, read_model, write_frontend, write_model
from openclap.checkpoints.maps.huggingface_model import TEXT_SCALE, clap_fixed, clap_pairs
from openclap.checkpoints.maps.rules import to_ours, to_theirs
from openclap.checkpoints.maps.text import hf_config
from openclap.checkpoints.native import Bundle, BundleConfig, make_bundle
from openclap.checkpoints.tokenizer_files import find_tokenizer, has_tokenizer, write_tokenizer
from openclap.checkpoints.weights import put_weights, write_tensors
from openclap.errors import CheckpointError, ConfigError
from openclap.models.audio.htsat import Htsat, HtsatConfig
from openclap.models.clap import EncoderConfig
from openclap.models.text.hf import HfTextEncoder
from openclap.text.tokenizer import Tokenizer, TokenizerConfig

_EXTRACTOR_FILE, _PROCESSOR_FILE = "preprocessor_config.json", "processor_config.json"
_PUBLISHED = "laion/clap-htsat-unfused"


class HuggingFaceAdapter:
    """transformers' ClapModel, as `save_pretrained` writes it and `from_pretrained` loads it."""

    title = "Hugging Face ClapModel"
    extension = ""

    def recognises(self, source: Source) -> bool:
        """Whether its config.json says so."""
        return source.config is not None and source.config.get("model_type") == "clap"

    def read(self, source: Source, tokenizer: str | Path | None) -> Bundle:
        """The directory as a bundle; see `Adapter.read`."""
        try:
            config = read_model(source.config or {})
            frontend = _read_extractor(source.path)
        except (CheckpointError, ConfigError) as error:
            raise CheckpointError(f"{source.path}: {error}") from error
        audio, hf = HtsatConfig.read(config.audio.options), cast("EncoderConfig", config.text).options["hf"]
        pairs = clap_pairs(audio, hf["num_hidden_layers"])
        fixed = clap_fixed(audio, hf["max_position_embeddings"])
        ours, unused = to_ours(source.weights(), pairs, fixed, [TEXT_SCALE], source.path)
        words = _read_tokenizer(source.path, tokenizer, hf)
        described = BundleConfig(name=source.path.name, model=config, frontend=frontend, tokenizer=words.config)
        bundle = make_bundle(described, words, source.provenance("huggingface"), unused, source.path)
        put_weights(bundle.model, ours, source.path)
        return bundle

    def write(self, bundle: Bundle, path: Path) -> None:
        """Write a directory that `ClapModel.from_pretrained` and `ClapProcessor.from_pretrained` load.

        Second heads have no place there and are left out; no vector depends on them. Neither can it say that samples
        are rounded to 16 bits, or that a fused clip's global view is antialiased: transformers does neither.

        Raises:
            CheckpointError: if the model has no place there (names what does not fit), or the directory holds something
                else.
        """
        if path.exists() and not _may_replace(path):
            raise CheckpointError(
                f"{path} holds something else than a ClapModel, which would be lost: give another one"
            )
        if not bundle.model.has_text:
            raise CheckpointError("a model of sound alone has no place in a ClapModel, which has two towers")
        encoder, text = bundle.model.audio_encoder, bundle.model.text_encoder
        if not isinstance(encoder, Htsat) or not isinstance(text, HfTextEncoder):
            raise CheckpointError(
                f"the encoders {type(encoder).__name__} and {type(text).__name__} have no place in a ClapModel, which "
                "has HTSAT and RoBERTa"
            )
        config = write_model(bundle.model.resolved_config(), encoder.config, hf_config(text))
        extractor = write_frontend(bundle.frontend.config)
        tokenizer = bundle.text.tokenizer
        if tokenizer.config.append:
            raise CheckpointError(
                f"tokenizer.append is {tokenizer.config.append!r}, and a ClapProcessor puts nothing after a text"
            )
        theirs = _theirs(bundle, encoder.config, config)
        with written_whole(path) as fresh:
            write_json(config, fresh / "config.json")
            write_json(extractor, fresh / _EXTRACTOR_FILE)
            write_tensors(theirs, fresh / "model.safetensors")
            write_tokenizer(tokenizer, fresh, tokenizer.config.max_length)


def _theirs(bundle: Bundle, audio: HtsatConfig, config: dict[str, Any]) -> dict[str, Tensor]:
    state, text = bundle.model.state_dict(), config["text_config"]
    scale = state.pop("mlp_heads.logit_scale", bundle.unused.get(TEXT_SCALE, state["logit_scale"]))
    kept = {name: value for name, value in state.items() if not name.startswith("mlp_heads.")}
    pairs, fixed = clap_pairs(audio, text["num_hidden_layers"]), clap_fixed(audio, text["max_position_embeddings"])
    # A copy, where it is the other scale's own tensor: the format has no two names for one.
    return to_theirs(kept, pairs, fixed) | {TEXT_SCALE: scale.detach().clone()}


def _read_extractor(directory: Path) -> FrontendConfig:
    """Of preprocessor_config.json, or of processor_config.json, into which newer versions of transformers put it."""
    for file in (_EXTRACTOR_FILE, _PROCESSOR_FILE):
        if (directory / file).is_file():
            values = read_json(directory / file)
            inner = values.get("feature_extractor", values)
            return read_frontend(cast("dict[str, Any]", inner if isinstance(inner, dict) else values))
    raise CheckpointError(
        f"there is no {_EXTRACTOR_FILE}, which says what sound the model expects: copy it from the model that this one "
        f"was trained from ({_PUBLISHED})"
    )


def _read_tokenizer(directory: Path, given: str | Path | None, hf: dict[str, Any]) -> Tokenizer:
    """The directory's own, which cuts where its settings say, and at the latest where the encoder ends."""
    most = hf["max_position_embeddings"] - 1 - hf["pad_token_id"]
    chosen = directory if given is None and has_tokenizer(directory) else given
    settings = directory / "tokenizer_config.json"
    said = read_json(settings).get("model_max_length") if settings.is_file() else None
    length = min(most, int(said)) if isinstance(said, int | float) and said > 0 else most
    frame = (hf["bos_token_id"], hf["eos_token_id"])
    return find_tokenizer(chosen, "FacebookAI/roberta-base", TokenizerConfig(max_length=length), frame)


def _may_replace(path: Path) -> bool:
    if not path.is_dir():
        return False
    if not any(path.iterdir()):
        return True
    return (path / "config.json").is_file() and read_json(path / "config.json").get("model_type") == "clap"


adapters.add("huggingface", HuggingFaceAdapter())
