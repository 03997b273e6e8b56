"""What every peers_*.py does with its peer: answer JSON lines, in the peers' own environment.

    OPENCLAP_PEERS_CODE=… python peers_laion.py      # the folder of compat.py and peers.py

A command is one line; its answer is one line. Arrays travel in npz files: sounds.npz holds the clips (float32, mono, at
the peer's rate), texts.json the texts.

    {"do": "make", "case": {…}, "folder": F}   build the model, fill it with lively weights, save it as the peer does;
                                               answers {"file": …, "peer": its name, "sample_rate_hz": …, "window":
                                               samples heard at once, "fused": whether long clips are taken whole}
    {"do": "embed", "folder": F, "to": N}      vectors of F/sounds.npz and F/texts.json to F/N
    {"do": "files", "paths": […], "to": N}     vectors of sound files, from the file on, by the peer's own code
    {"do": "load", "file": …}                  put NaN everywhere, then load a file as the peer's users do

The npz of "embed" has, a clip: "features/NAME", "audio-pooled/NAME" and "audio/NAME" (unit length); over the texts:
"text-pooled" and "text"; and "logit-scale". Pooled is what goes into a projection.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

sys.path.insert(0, os.environ["OPENCLAP_PEERS_CODE"])
import compat  # noqa: F401, I001  # first: makes the peers' imports work on a CPU
import peers
import torch


COMMON = 0.9  # how much of what all clips have in common is taken off


class Built(Protocol):
    """One of a peer's models, with the peer's own ways in and out."""

    name: str
    model: torch.nn.Module
    sample_rate_hz: int
    window: int
    fused: bool
    audio_projection: torch.nn.Module  # its input is the pooled vector
    text_projection: torch.nn.Module
    whole_audio_projection: torch.nn.Module  # its output is the vector

    def features(self, clips: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        """Log-mel features a clip, (frames, mels) or (views, frames, mels)."""

    def embed_audio(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """One vector a clip."""

    def embed_files(self, paths: Sequence[str]) -> np.ndarray:
        """One vector a file, decoded by the peer."""

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """One vector a text."""

    def logit_scale(self) -> float:
        """The logarithm of the inverse temperature."""

    def save(self, folder: Path) -> Path:
        """The checkpoint as the peer's users have it, and its tokenizer in folder/tokenizer."""

    def load(self, path: Path) -> None:
        """A checkpoint as the peer's users load it."""


def serve(build: Callable[..., Built]) -> None:
    """Answer commands until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a package prints on its way goes to the error stream
    built: Built | None = None
    for line in sys.stdin:
        command = json.loads(line)
        what = command["do"]
        with torch.inference_mode():
            if what == "make":
                del built
                built = build(**command["case"])
                path = built.save(Path(command["folder"]))
                answer = {"file": path, "peer": built.name, "fused": built.fused}
                answer |= {"sample_rate_hz": built.sample_rate_hz, "window": built.window}
            elif what == "embed":
                answer = _embed(built, Path(command["folder"]), command["to"])
            elif what == "files":
                np.savez(command["to"], audio=unit(built.embed_files(command["paths"])))
                answer = {}
            else:
                forget(built.model)
                built.load(Path(command["file"]))
                answer = {"not_finite": [n for n, t in built.model.state_dict().items() if not torch.isfinite(t).all()]}
        print(json.dumps(answer, default=str), file=answers, flush=True)


def _embed(built: Built, folder: Path, to: str) -> dict[str, Any]:
    clips = dict(np.load(folder / "sounds.npz"))
    texts = json.loads((folder / "texts.json").read_text())
    out: dict[str, np.ndarray] = {"logit-scale": np.float32(built.logit_scale())}
    audio_pooled, text_pooled = Watched(built.audio_projection), Watched(built.text_projection)
    vectors = unit(built.embed_audio(list(clips.values())))
    out["text"] = unit(built.embed_text(texts))
    out["text-pooled"] = text_pooled.inputs()
    for name, features, pooled, vector in zip(
        clips, built.features(list(clips.values())), audio_pooled.inputs(), vectors, strict=True
    ):
        out |= {f"features/{name}": features, f"audio-pooled/{name}": pooled, f"audio/{name}": vector}
    np.savez(folder / to, **{key: np.asarray(value, np.float32) for key, value in out.items()})
    return {}


def fill_lively(model: torch.nn.Module, seed: int) -> None:
    """Give every learnt tensor numbers that matter; those of the front-end, parameters as well, stay as they are."""
    frozen = {name: value.clone() for name, value in model.named_parameters() if not value.requires_grad}
    peers.lively(model, seed)
    model.load_state_dict(frozen, strict=False)


def enliven(built: Built, seed: int) -> None:
    """Let a model of random weights tell clips apart, as training would.

    The batch norms get the statistics of varied sound. What all clips have in common is then mostly taken off by the
    last bias: vectors that are nearly the same would hide mistakes.
    """
    heard: list[np.ndarray] = []

    def embed(clips: Sequence[np.ndarray]) -> np.ndarray:
        heard.extend(clips)
        return built.embed_audio(clips)

    peers.settle_norms(built.model, embed, built.sample_rate_hz, seed)
    seen: list[torch.Tensor] = []
    projection = built.whole_audio_projection
    hook = projection.register_forward_hook(lambda _, given, out: seen.append(out.detach().clone()))
    built.embed_audio(heard if built.fused else [clip[: built.window] for clip in heard])
    hook.remove()
    last_bias = [value for name, value in projection.named_parameters() if name.endswith("bias")][-1]
    last_bias -= COMMON * torch.cat(seen).mean(dim=0)


class Watched:
    """What went into a module, over all its calls."""

    def __init__(self, module: torch.nn.Module) -> None:
        self._seen: list[torch.Tensor] = []
        self._hook = module.register_forward_pre_hook(lambda _, given: self._seen.append(given[0].detach().clone()))

    def inputs(self) -> np.ndarray:
        """All inputs, one after another; watching ends."""
        self._hook.remove()
        return torch.cat(self._seen).numpy()


def fix_randomness(seed: int) -> None:
    """Seed torch and numpy, and let `numpy.random.choice`, which picks a fused clip's parts, take the middle place."""
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # the peers use the global one
    np.random.choice = _middle


def _middle(places: Sequence[int]) -> int:
    """The middle of the places that a random choice has: openclap's own in use."""
    return places[len(places) // 2]


def unit(vectors: np.ndarray) -> np.ndarray:
    """The vectors with length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def forget(model: torch.nn.Module) -> None:
    """Put NaN into every floating-point tensor of a model's state, so that what a file does not bring shows."""
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.fill_(float("nan"))
