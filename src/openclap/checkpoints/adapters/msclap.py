"""Microsoft CLAP's files (.pth) of 2022 (CNN14 and BERT) and 2023 (HTSAT and GPT-2) to bundles and back.

Source of the names: msclap's public code (MIT). Front-end, lengths and pooling stand in its code and not in its files:
the encoders tell them, and what a file keeps of the front-end is compared with ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from openclap.atomic import file_written_whole
from openclap.audio.frontend import FRONTEND_PRESETS, FrontendConfig
from openclap.checkpoints.adapter import Source, adapters
from openclap.checkpoints.differences import OF_TRAINING, differences
from openclap.checkpoints.maps.htsat import htsat_fixed, htsat_heads, htsat_pairs, read_htsat_config
from openclap.checkpoints.maps.msclap_text import TEXT_KINDS, TextKind, text_kind
from openclap.checkpoints.maps.pann import pann_heads, pann_pairs, read_pann_config
from openclap.checkpoints.maps.rules import Fixed, Pair, linear, same, to_ours, to_theirs
from openclap.checkpoints.maps.text import hf_config
from openclap.checkpoints.maps.torchlibrosa import torchlibrosa_buffers
from openclap.checkpoints.native import Bundle, BundleConfig, make_bundle
from openclap.checkpoints.pickles import write_pickle
from openclap.checkpoints.tokenizer_files import find_tokenizer
from openclap.checkpoints.weights import put_weights
from openclap.errors import CheckpointError, ConfigError
from openclap.models.audio.htsat import HtsatConfig
from openclap.models.audio.pann import PannConfig
from openclap.models.clap import Clap, ClapConfig, EncoderConfig
from openclap.models.layers.projection import ProjectionConfig
from openclap.models.text.hf import HfTextEncoder

_AUDIO, _TEXT = "audio_encoder.", "caption_encoder."
_CAPTIONING = "clap."  # what the audio tower is called in a clapcap file
_MARK = "projection.layer_norm.weight"
_PROJECTION = ProjectionConfig(kind="residual", dropout=0.5)
_FRAME = 2  # ids of an empty text: BERT's first and last token; before GPT-2's end token stands a space


class MsClapAdapter:
    """Microsoft CLAP's `.pth`, as its trainer wrote it and its package loads it."""

    title = "MS-CLAP"
    extension = ".pth"

    def recognises(self, source: Source) -> bool:
        """Whether it has an audio tower with MS-CLAP's projection, beside a caption encoder or a captioner."""
        return f"{_AUDIO}{_MARK}" in source.names or f"{_CAPTIONING}{_MARK}" in source.names

    def read(self, source: Source, tokenizer: str | Path | None) -> Bundle:
        """The whole model; a captioning one (clapcap) is refused, since it has no text tower."""
        tensors, origin = source.weights(), source.path
        if f"{_CAPTIONING}{_MARK}" in tensors:
            raise CheckpointError(
                f"{origin}: is recognised as MS-CLAP's captioning model (clapcap), which has no text tower to embed "
                f"with; a training may start from its audio encoder, by audio_init.source={origin}"
            )
        try:
            audio, kind = _read_audio(tensors, f"{_AUDIO}base."), text_kind(tensors, f"{_TEXT}base.")
            hf = kind.config(tensors, f"{_TEXT}base.")
            width = len(tensors[f"{_AUDIO}projection.linear1.weight"])
        except ConfigError as error:
            raise CheckpointError(f"{origin}: {error}") from error
        except KeyError as error:
            raise CheckpointError(f"{origin}: has no {error}, without which it is no MS-CLAP") from error
        except (IndexError, TypeError) as error:
            raise CheckpointError(f"{origin}: its tensors have not the shapes of an MS-CLAP ({error})") from error
        state, unused = to_ours(
            tensors,
            _pairs(audio, kind, hf),
            [*audio.fixed, *kind.fixed(hf, f"{_TEXT}base.")],
            [*audio.heads, *kind.unused(hf, f"{_TEXT}base.")],
            origin,
        )
        words = find_tokenizer(tokenizer, kind.hub_name, kind.tokenizer, _FRAME)
        text = EncoderConfig(name="hf", options={"hf": hf, "pooling": kind.pooling})
        config = BundleConfig(
            name=origin.stem,
            model=ClapConfig(audio=audio.encoder, text=text, embed_dim=width, projection=_PROJECTION),
            frontend=audio.frontend,
            tokenizer=kind.tokenizer,
        )
        words = words if kind.pad_token is None else words.padded_with(kind.pad_token)
        bundle = make_bundle(config, words, source.provenance("msclap"), unused, origin)
        put_weights(bundle.model, state, origin)
        return bundle

    def write(self, bundle: Bundle, path: Path) -> None:
        """A file that msclap's CLAPWrapper loads, if the encoders are of the published sizes, which its code sets."""
        if path.is_dir():
            raise CheckpointError(f"{path} is a directory; an MS-CLAP checkpoint is a file: give a name with .pth")
        described = bundle.model.resolved_config()
        audio, kind = _audio_of(bundle.model, path), _kind_of(bundle.text.encoder, path)
        hf = hf_config(cast("HfTextEncoder", bundle.model.text_encoder))
        tensors = to_theirs(bundle.model.state_dict(), _pairs(audio, kind, hf), audio.fixed)
        # What its code would build from this file, which says sizes alone.
        there = {
            "model": {"projection": {"kind": _PROJECTION.kind}},
            "audio": _read_audio(tensors, f"{_AUDIO}base.").encoder.options,
            "text": kind.config(tensors, f"{_TEXT}base."),
            "frontend": audio.frontend.plain(),
            "tokenizer": kind.tokenizer.plain(),
        }
        here = {
            "model": described.plain(),
            "audio": described.audio.options,
            "text": hf,
            "frontend": bundle.frontend.config.plain(),
            "tokenizer": bundle.text.tokenizer.config.plain(),
        }
        wrong = differences(here, there, ignoring=[f"audio.{option}" for option in OF_TRAINING])
        if wrong:
            raise CheckpointError(f"{path}: the model has no place in MS-CLAP's format: {'; '.join(wrong)}")
        # No vector depends on the rest, but a strict reader asks for it.
        for name, shape in (audio.heads | kind.unused(hf, f"{_TEXT}base.")).items():
            kept = bundle.unused.get(name)
            tensors[name] = kept if kept is not None and tuple(kept.shape) == shape else torch.zeros(shape)
        with file_written_whole(path) as fresh:
            write_pickle({"model": {name: value.cpu().contiguous() for name, value in tensors.items()}}, fresh)


adapters.add("msclap", MsClapAdapter())


def read_msclap_audio(source: Source) -> tuple[EncoderConfig, dict[str, Tensor]]:
    """The audio encoder alone, out of any MS-CLAP file, also a captioning one: its full options, and its weights.

    Raises:
        CheckpointError: if a tensor of it is missing, left over or misshapen.
    """
    everything = source.weights()
    prefix = f"{_AUDIO if f'{_AUDIO}{_MARK}' in everything else _CAPTIONING}base."
    tensors = {name: value for name, value in everything.items() if name.startswith(prefix)}
    try:
        audio = _read_audio(tensors, prefix)
    except ConfigError as error:
        raise CheckpointError(f"{source.path}: {error}") from error
    state, _ = to_ours(tensors, audio.pairs, audio.fixed, audio.heads, source.path)
    return audio.encoder, {name.removeprefix("audio_encoder."): value for name, value in state.items()}


@dataclass(frozen=True)
class _Audio:
    """An audio encoder as msclap has it: there, here, and what it hears through."""

    encoder: EncoderConfig
    frontend: FrontendConfig
    pairs: list[Pair]
    fixed: list[Fixed]
    heads: dict[str, tuple[int, ...]]


def _read_audio(tensors: Mapping[str, Tensor], prefix: str) -> _Audio:
    if any(name.startswith(f"{prefix}htsat.") for name in tensors):
        return _htsat(read_htsat_config(tensors, f"{prefix}htsat."), prefix)
    return _pann(read_pann_config(tensors, prefix).model_copy(update={"spec_augment": None}), prefix)


def _htsat(config: HtsatConfig, prefix: str) -> _Audio:
    frontend, theirs = FRONTEND_PRESETS["msclap-2023"], f"{prefix}htsat."
    return _Audio(
        encoder=EncoderConfig(name="htsat-tiny", options=config.plain()),
        frontend=frontend,
        pairs=htsat_pairs(config, theirs, "audio_encoder."),
        fixed=[*htsat_fixed(config, theirs), *torchlibrosa_buffers(frontend.mel, theirs)],
        heads=htsat_heads(config, theirs),
    )


def _pann(config: PannConfig, prefix: str) -> _Audio:
    frontend = FRONTEND_PRESETS["msclap-2022"]
    return _Audio(
        encoder=EncoderConfig(name="pann-cnn14", options=config.plain()),
        frontend=frontend,
        pairs=pann_pairs(config, prefix, "audio_encoder."),
        fixed=torchlibrosa_buffers(frontend.mel, prefix),
        heads=pann_heads(config, prefix),
    )


def _audio_of(model: Clap, path: Path) -> _Audio:
    config = model.audio_encoder.config
    if isinstance(config, HtsatConfig) and config.fusion == "none":
        return _htsat(config, f"{_AUDIO}base.")
    if isinstance(config, PannConfig) and config.fusion == "none":
        return _pann(config, f"{_AUDIO}base.")
    name = model.resolved_config().audio.name
    raise CheckpointError(f"{path}: MS-CLAP's audio encoder is an HTSAT or CNN14 of one view, and not {name!r}")


def _kind_of(text: EncoderConfig, path: Path) -> TextKind:
    model_type, pooling = text.options.get("hf", {}).get("model_type"), text.options.get("pooling")
    for kind in TEXT_KINDS:
        if (kind.model_type, kind.pooling) == (model_type, pooling):
            return kind
    known = " or ".join(f"{kind.model_type} pooled by {kind.pooling!r}" for kind in TEXT_KINDS)
    raise CheckpointError(
        f"{path}: MS-CLAP's text encoder is {known}, and not {model_type or text.name} pooled by {pooling!r}"
    )


def _pairs(audio: _Audio, kind: TextKind, hf: Mapping[str, Any]) -> list[Pair]:
    """Every tensor of a whole model there and here."""
    return [
        *audio.pairs,
        *_projection(f"{_AUDIO}projection", "audio_projection"),
        *kind.pairs(hf, f"{_TEXT}base."),
        *_projection(f"{_TEXT}projection", "text_projection"),
        *same("logit_scale", "logit_scale"),
    ]


def _projection(theirs: str, ours: str) -> list[Pair]:
    return [
        *same(f"{theirs}.linear1", f"{ours}.linear1", "weight"),
        *same(f"{theirs}.linear2", f"{ours}.linear2", "weight"),
        *linear(f"{theirs}.layer_norm", f"{ours}.norm"),
    ]
