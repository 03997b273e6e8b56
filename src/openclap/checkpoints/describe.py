"""What a checkpoint is, from its configs and the names and shapes of its tensors, without building the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from openclap.atomic import current
from openclap.checkpoints.adapter import Source, adapters
from openclap.checkpoints.digests import file_sha256
from openclap.checkpoints.json_files import read_json
from openclap.checkpoints.known import resolve
from openclap.checkpoints.load import locate, recognise
from openclap.checkpoints.native import CONFIG_FILE, PROVENANCE_FILE, WEIGHTS_FILE
from openclap.checkpoints.source import is_safetensors
from openclap.errors import CheckpointError

__all__ = ["Description", "WeightsFile", "describe"]

_SCALES = ("logit_scale", "logit_scale_a", "logit_scale_t")
_TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights.

    Attributes:
        name: without its directory.
        size_bytes: how large it is.
        sha256: hex, of its bytes.
    """

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Description:
    """What a checkpoint is.

    Attributes:
        path: where it is on this machine.
        format: for people; of a model that no adapter knows, "unknown".
        files: the weights.
        tensors: how many there are.
        parameters: numbers in the tensors, by the first part of their names: the towers and their heads.
        logit_scales: the logs of the inverse temperatures, by their names.
        architecture: what the config says of encoders, front-end and vectors; empty where a file carries no config.
        has_tokenizer: whether it carries a tokenizer.
        provenance: what a bundle says it was made from, or the hub repository and commit.
        notes: what is known of these weights: what for, licence, numbers, problems.
    """

    path: Path
    format: str
    files: tuple[WeightsFile, ...]
    tensors: int
    parameters: Mapping[str, int]
    logit_scales: Mapping[str, float]
    has_tokenizer: bool
    architecture: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    def rows(self) -> Iterator[tuple[str, str]]:
        """Titles and texts for people."""
        yield "path", str(self.path)
        yield "format", self.format
        for file in self.files:
            yield "weights", f"{file.name}, {file.size_bytes:,} bytes, SHA-256 {file.sha256}"
        total = sum(self.parameters.values())
        yield "parameters", f"{total / 1e6:.2f} M in {self.tensors} tensors"
        for part, count in self.parameters.items():
            yield "", f"{part}: {count:,}"
        for name, value in self.logit_scales.items():
            yield "logit scale", f"{value:.4f}" if len(self.logit_scales) == 1 else f"{name} {value:.4f}"
        for title, value in self.architecture.items():
            if value is not None:
                yield title.replace("_", " "), str(value)
        yield "tokenizer", "its own" if self.has_tokenizer else "none in the file"
        for title in ("repository", "revision", "license", "step"):
            if self.provenance.get(title) is not None:
                yield title, str(self.provenance[title])
        yield from self.notes.items()

    def plain(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {**asdict(self), "path": str(self.path)}


def describe(path_or_name: str | Path) -> Description:
    """What is in a bundle, a foreign checkpoint, or a hub repository, which is fetched if need be.

    Configs and names are read, and shapes; of safetensors files, whose header has these, no tensors but the scales.

    Raises:
        CheckpointError: if there is none, or it is truncated, or asks to run something.
    """
    known = resolve(str(path_or_name)) if not current(Path(path_or_name)).exists() else None
    notes = (
        {}
        if known is None
        else {
            "what for": known.purpose,
            "towers": known.towers,
            "licence": known.licence,
            "numbers": known.numbers,
            **({} if known.problems is None else {"beware": known.problems}),
        }
    )
    found = locate(path_or_name)
    return _of_bundle(current(found), notes) if isinstance(found, Path) else _of_source(found, notes)


def _of_bundle(directory: Path, notes: Mapping[str, str]) -> Description:
    config = read_json(directory / CONFIG_FILE)
    weights = directory / WEIGHTS_FILE
    shapes, scales = _from_safetensors([weights])
    model, frontend = _inner(config, "model"), _inner(config, "frontend")
    mel = _inner(frontend, "mel")
    return Description(
        path=directory,
        format=f"openclap, version {config['format_version']}",
        files=_files([weights]),
        tensors=len(shapes),
        parameters=_by_part(shapes),
        logit_scales=scales,
        has_tokenizer=(directory / _TOKENIZER).is_file(),
        architecture={
            "name": config.get("name"),
            "audio_encoder": _inner(model, "audio").get("name"),
            "text_encoder": _inner(model, "text").get("name"),
            "decoder": _inner(model, "decoder").get("blocks"),
            "embed_dim": model.get("embed_dim"),
            "window_s": frontend.get("window_s"),
            "sample_rate_hz": mel.get("sample_rate_hz"),
            "n_mels": mel.get("n_mels"),
            "max_tokens": _inner(config, "tokenizer").get("max_length"),
        },
        provenance=read_json(directory / PROVENANCE_FILE),
        notes=notes,
    )


def _of_source(source: Source, notes: Mapping[str, str]) -> Description:
    if all(is_safetensors(file) for file in source.files):
        shapes, scales = _from_safetensors(source.files)
    else:
        tensors = source.weights()  # mapped into memory, not read into it
        shapes = {name: tuple(value.shape) for name, value in tensors.items()}
        scales = {name: _number(tensors[name]) for name in _SCALES if name in tensors}
    try:
        title = adapters.get(recognise(source)).title
    except CheckpointError:
        title = "unknown: no adapter recognises the names of its tensors"
    config = source.config or {}
    audio, text = _inner(config, "audio_config"), _inner(config, "text_config")
    architecture = {
        "audio_encoder": audio.get("model_type"),
        "text_encoder": text.get("model_type"),
        "embed_dim": config.get("projection_dim"),
        "n_mels": audio.get("num_mel_bins"),
        "fusion": audio.get("enable_fusion"),
    }
    return Description(
        path=source.path,
        format=title,
        files=_files(source.files),
        tensors=len(shapes),
        parameters=_by_part(shapes),
        logit_scales=scales,
        has_tokenizer=(source.path / _TOKENIZER).is_file(),
        architecture={key: value for key, value in architecture.items() if value is not None},
        provenance={} if source.repository is None else {"repository": source.repository, "revision": source.revision},
        notes=notes,
    )


def _from_safetensors(files: list[Path] | tuple[Path, ...]) -> tuple[dict[str, tuple[int, ...]], dict[str, float]]:
    shapes: dict[str, tuple[int, ...]] = {}
    scales: dict[str, float] = {}
    for path in files:
        try:
            with safe_open(path, framework="pt") as file:
                shapes |= {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
                scales |= {name: _number(file.get_tensor(name)) for name in _SCALES if name in shapes}
        except (SafetensorError, OSError, ValueError) as error:
            raise CheckpointError(f"{path}: is truncated or no safetensors file ({error}); get it again") from error
    return shapes, scales


def _files(paths: list[Path] | tuple[Path, ...]) -> tuple[WeightsFile, ...]:
    return tuple(WeightsFile(path.name, path.stat().st_size, file_sha256(path)) for path in paths)


def _by_part(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for name, shape in shapes.items():
        counts[name.partition(".")[0]] += prod(shape)
    return dict(counts.most_common())


def _number(value: Tensor) -> float:
    return float(value.float().mean())


def _inner(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under a key, of a config that may be anyone's; empty where there is none."""
    inner = values.get(key)
    return inner if isinstance(inner, Mapping) else {}
