"""LAION-CLAP's files (.pt): HTSAT or PANN, and RoBERTa, BERT, BART or a CLIP transformer, with or without fusion.

Source of the names: LAION-CLAP's public code (package laion-clap 1.1.7, `clap_module/model.py` and `factory.py`).
Everything is found from the tensors: which encoders, their sizes, how views are fused, and from the filters kept in the
file, which front-end. What no tensor says is taken as published: 64 dimensions an attention head of the text encoder,
ReLU in the projections, length policy and 16-bit round trip.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from openclap.atomic import file_written_whole
from openclap.checkpoints.adapter import Source, adapters
from openclap.checkpoints.differences import OF_TRAINING, differences
from openclap.checkpoints.maps.laion_frontend import frontend_rules, read_frontend
from openclap.checkpoints.maps.laion_towers import Part, TextPart, audio_in, audio_of, text_in, text_of
from openclap.checkpoints.maps.rules import Pair, linear, same, to_ours, to_theirs
from openclap.checkpoints.maps.text import hf_config
from openclap.checkpoints.native import Bundle, BundleConfig, make_bundle
from openclap.checkpoints.pickles import write_pickle
from openclap.checkpoints.tokenizer_files import find_tokenizer
from openclap.checkpoints.weights import put_weights
from openclap.errors import CheckpointError, ConfigError
from openclap.models.clap import ClapConfig, EncoderConfig
from openclap.models.layers.projection import ProjectionConfig
from openclap.models.text.hf import HfTextEncoder
from openclap.text.tokenizer import TokenizerConfig

_SECOND_HEADS = [
    pair
    for tower in ("audio", "text")
    for layer in (0, 3)
    for pair in linear(f"{tower}_transform.sequential.{layer}", f"mlp_heads.{tower}.{layer}")
]
_TEXT_SCALE = "logit_scale_t"


class LaionAdapter:
    """LAION-CLAP's `.pt`, as its trainer writes it and its package loads it."""

    title = "LAION-CLAP (.pt)"
    extension = ".pt"

    def recognises(self, source: Source) -> bool:
        """Whether it has LAION-CLAP's two branches and its projections."""
        names = source.names
        return (
            {"logit_scale_a", "audio_projection.0.weight", "text_projection.0.weight"} <= names
            and any(name.startswith("audio_branch.") for name in names)
            and any(name.startswith("text_branch.") for name in names)
        )

    def read(self, source: Source, tokenizer: str | Path | None) -> Bundle:
        """The checkpoint as a bundle; see `Adapter.read`."""
        tensors = source.weights()
        try:
            audio, text = audio_in(tensors), text_in(tensors)
            config = _clap_config(tensors, audio, text)
            frontend, is_assumed = read_frontend(tensors, fused=audio.encoder.options["fusion"] != "none")
        except KeyError as error:
            raise CheckpointError(f"{source.path}: there is no {error}, which says how large the model is") from error
        except (CheckpointError, ConfigError) as error:
            raise CheckpointError(f"{source.path}: {error}") from error
        except (IndexError, TypeError, ValueError, ZeroDivisionError) as error:
            raise CheckpointError(f"{source.path}: its tensors have not LAION-CLAP's shapes ({error})") from error
        fixed = [*audio.fixed, *text.fixed, *text.older, *frontend_rules(frontend)]
        unread = {*audio.unread, *text.unread, *(() if config.mlp_heads else [_TEXT_SCALE])}
        ours, unused = to_ours(tensors, _pairs(audio, text, config), fixed, unread, source.path)
        settings = TokenizerConfig(max_length=min(77, text.positions))
        words = find_tokenizer(tokenizer, text.published, settings, text.frame)
        provenance = source.provenance("laion")
        if is_assumed:
            provenance["frontend"] = "assumed: the file does not keep the filters that it was trained with"
        described = BundleConfig(name=source.path.stem, model=config, frontend=frontend, tokenizer=settings)
        bundle = make_bundle(described, words, provenance, unused, source.path)
        put_weights(bundle.model, ours, source.path)
        return bundle

    def write(self, bundle: Bundle, path: Path) -> None:
        """Write a file that laion_clap loads strictly into its own model of this architecture.

        AudioSet heads, second heads and BART's decoder are those that the bundle came with, or zeros: no vector depends
        on them. The front-end's matrices are made anew. What a file cannot say is laion_clap's own choice in use: it
        rounds samples to 16 bits, fuses with an antialiased global view, and takes the published tokenizer.

        Raises:
            CheckpointError: if the model has no place in the format; names what does not fit.
        """
        if path.is_dir():
            raise CheckpointError(f"{path} is a directory; a LAION-CLAP checkpoint is a file: give a name with .pt")
        theirs = _theirs(bundle)
        with file_written_whole(path) as fresh:
            write_pickle({"epoch": 0, "name": bundle.config.name, "state_dict": theirs}, fresh)


def read_laion_audio(source: Source) -> tuple[EncoderConfig, dict[str, Tensor]]:
    """The audio encoder alone, out of a LAION-CLAP file: its full options, and its weights.

    Raises:
        CheckpointError: if a tensor of it is missing, left over or misshapen.
    """
    tensors = {name: value for name, value in source.weights().items() if name.startswith("audio_branch.")}
    try:
        part = audio_in(tensors)
    except (CheckpointError, ConfigError) as error:
        raise CheckpointError(f"{source.path}: {error}") from error
    except (IndexError, TypeError, ValueError, ZeroDivisionError) as error:
        raise CheckpointError(f"{source.path}: its tensors have not LAION-CLAP's shapes ({error})") from error
    filters = [name for name in tensors if "_extractor." in name]
    state, _ = to_ours(tensors, part.pairs, part.fixed, [*part.unread, *filters], source.path)
    return part.encoder, {name.removeprefix("audio_encoder."): value for name, value in state.items()}


def _theirs(bundle: Bundle) -> dict[str, Tensor]:
    """All tensors of a file."""
    config, state = bundle.model.resolved_config(), bundle.model.state_dict()
    if not bundle.model.has_text:
        raise CheckpointError("a model of sound alone has no place in LAION-CLAP's format, which has two towers")
    audio, text = audio_of(bundle.model.audio_encoder), text_of(bundle.model.text_encoder)
    _check_heads(config)
    made = to_theirs(state, _pairs(audio, text, config), [*audio.fixed, *text.fixed])
    made |= {rule.theirs: rule.value() for rule in frontend_rules(bundle.frontend.config)}
    shapes = {**audio.unread, **text.unread}
    if not config.mlp_heads:
        square = (config.embed_dim, config.embed_dim)
        shapes |= {(name := pair.theirs[0]): square[: 2 if name.endswith("weight") else 1] for pair in _SECOND_HEADS}
        made[_TEXT_SCALE] = bundle.unused.get(_TEXT_SCALE, state["logit_scale"])
    for name, shape in shapes.items():
        made[name] = bundle.unused[name] if name in bundle.unused else torch.zeros(shape)
    _check_found_again(bundle, made)
    return {name: value.detach().cpu().contiguous() for name, value in made.items()}


def _clap_config(tensors: Mapping[str, Tensor], audio: Part, text: TextPart) -> ClapConfig:
    embed_dim, hidden = (len(tensors[f"audio_projection.{layer}.weight"]) for layer in (2, 0))
    return ClapConfig(
        audio=audio.encoder,
        text=text.encoder,
        embed_dim=embed_dim,
        projection=ProjectionConfig(kind="mlp", hidden=None if hidden == embed_dim else hidden),
        mlp_heads=_SECOND_HEADS[0].theirs[0] in tensors,
    )


def _pairs(audio: Part, text: Part, config: ClapConfig) -> list[Pair]:
    """Every tensor that is known here."""
    sides = (f"{tower}_projection.{layer}" for tower in ("audio", "text") for layer in (0, 2))
    pairs = [*audio.pairs, *text.pairs, *same("logit_scale_a", "logit_scale")]
    pairs += [pair for side in sides for pair in linear(side, side)]
    return [*pairs, *_SECOND_HEADS, *same(_TEXT_SCALE, "mlp_heads.logit_scale")] if config.mlp_heads else pairs


def _check_heads(config: ClapConfig) -> None:
    ours = config.projection.plain() | {"hidden": config.projection.hidden or config.embed_dim}
    there = {"kind": "mlp", "activation": "relu", "hidden": config.embed_dim}
    wrong = differences({"projection": ours}, {"projection": there})
    if config.init_logit_bias is not None:
        wrong.append("there is a logit_bias, and none there")
    if wrong:
        raise CheckpointError(f"the projections have no place in LAION-CLAP's format: {'; '.join(wrong)}")


def _check_found_again(bundle: Bundle, theirs: Mapping[str, Tensor]) -> None:
    """Make sure that the tensors say all that there is to say about the encoders: sizes are found from them alone."""
    text = cast("HfTextEncoder", bundle.model.text_encoder)
    there = {"audio": audio_in(theirs).encoder.options, "text": text_in(theirs).encoder.options["hf"]}
    here = {"audio": bundle.model.resolved_config().audio.options, "text": hf_config(text)}
    wrong = differences(here, there, ignoring=[f"audio.{option}" for option in OF_TRAINING])
    if wrong:
        raise CheckpointError(f"the encoders have no place in LAION-CLAP's format: {'; '.join(wrong)}")


adapters.add("laion", LaionAdapter())
