"""`openclap info`: what a model is, what it was made of, and what it is called by its vectors."""

from __future__ import annotations

from typing import Any

from openclap.cli.opening import Tokenizer
from openclap.cli.options import Json, Model


def info(model: Model, tokenizer: Tokenizer = None, as_json: Json = False) -> None:
    """Describe a model: its parts, its data, its identity.

    Vectors may be compared only between models of equal identity.
    """
    from openclap.checkpoints.load import load
    from openclap.cli.output import Output
    from openclap.inference.embedder import Embedder

    out = Output(as_json)
    bundle = load(model, tokenizer=tokenizer)
    config, provenance = bundle.config, bundle.provenance
    embedder = Embedder.from_bundle(bundle)
    sizes = {
        name: sum(parameter.numel() for parameter in part.parameters()) for name, part in bundle.model.named_children()
    }
    mel = config.frontend.mel
    text = config.model.text
    found: dict[str, Any] = {
        "name": config.name,
        "identity": embedder.identity,
        "format_version": config.format_version,
        "audio_encoder": config.model.audio.name,
        "text_encoder": None if text is None else text.name,
        "embed_dim": embedder.embed_dim,
        "parameters": sizes,
        "window_s": config.frontend.window_s,
        "sample_rate_hz": config.frontend.sample_rate_hz,
        "n_mels": mel.n_mels,
        "max_tokens": None if text is None else config.tokenizer.max_length,
        "provenance": dict(provenance),
    }
    data = (provenance.get("data") or {}).get("train") or {}
    licenses = ", ".join(f"{name} ({count})" for name, count in data.get("licenses", {}).items())
    versions = provenance.get("versions", {})
    rows = [
        ("name", config.name),
        ("identity", embedder.identity),
        ("audio", f"{config.model.audio.name}, {sizes['audio_encoder'] / 1e6:.2f} M parameters"),
        ("text", "none" if text is None else f"{text.name}, {sizes['text_encoder'] / 1e6:.2f} M parameters"),
        ("decoder", f"{sizes['decoder'] / 1e6:.2f} M parameters, for training only" if "decoder" in sizes else None),
        ("vectors", f"{embedder.embed_dim} numbers"),
        ("hears", f"{config.frontend.window_s:g} s at {mel.sample_rate_hz} Hz, {mel.n_mels} mels"),
        ("reads", None if text is None else f"{config.tokenizer.max_length} tokens"),
        ("trained on", f"{data['clips']} clips of {data['path']}" if data else None),
        ("their licences", licenses or None),
        ("its licence", provenance.get("license")),
        ("steps", provenance.get("step")),
        ("made with", ", ".join(f"{name} {versions[name]}" for name in ("openclap", "torch") if name in versions)),
    ]
    for name, value in rows:
        if value is not None:
            out.say((f"{name:16}", "dim"), str(value))
    out.result(found)
