"""`openclap models`: the encoders that a model can be built from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openclap.cli.options import Json

if TYPE_CHECKING:
    from openclap.registry import Registry


def models(as_json: Json = False) -> None:
    """List the encoders that models are built from.

    `model.audio.name` and `model.text.name` take these names; sizes are those of the default options.
    """
    from openclap.cli.output import Output
    from openclap.models.zoo import audio_encoders, text_encoders

    out = Output(as_json)
    found = [
        {"kind": "audio", "name": name, **_size(audio_encoders, name, "n_mels", "max_frames")}
        for name in audio_encoders.names()
    ] + [
        {"kind": "text", "name": name, **_size(text_encoders, name, "vocab_size", "max_tokens")}
        for name in text_encoders.names()
    ]
    out.table(
        ("kind", "name", "parameters", "width", "takes"),
        [_row(entry) for entry in found],
    )
    out.result(found)


def _size(registry: Registry[Any], name: str, *limits: str) -> dict[str, int | None]:
    """Parameters, width and limits of an encoder with default options; nothing for one that has no defaults."""
    import torch

    from openclap.errors import ConfigError

    try:
        with torch.device("meta"):  # shapes without memory
            encoder = registry.get(name)()
    except ConfigError:
        return {}
    parameters = sum(parameter.numel() for parameter in encoder.parameters())
    return {"parameters": parameters, "dim": encoder.dim, **{limit: getattr(encoder, limit) for limit in limits}}


def _row(entry: dict[str, Any]) -> tuple[Any, ...]:
    if "parameters" not in entry:
        return entry["kind"], entry["name"], None, None, "any architecture of Hugging Face: set its options"
    if entry["kind"] == "audio":
        takes = f"{entry['n_mels'] or 'any'} mels, {entry['max_frames'] or 'any'} frames"
    else:
        takes = f"{entry['max_tokens']} tokens"
    return entry["kind"], entry["name"], f"{entry['parameters'] / 1e6:.2f} M", entry["dim"], takes
