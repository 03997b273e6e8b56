"""The systems that `embed.py` times, each in a process of its own that takes commands as JSON lines.

    python benchmarks/embed_systems.py SYSTEM FOLDER [PEERS_CODE]

SYSTEM is "openclap", "transformers" or "laion-clap"; FOLDER holds the tokenizer that all share (a peer writes it); the
peers' models are built by the `peers.py` in the folder PEERS_CODE. All have random weights, and each does what its own
users do. openclap is given all items at once and told the batch: it decodes ahead, and puts texts of like length
together. The peers have no such thing: their users loop over batches, with soundfile and ClapFeatureExtractor for
transformers, librosa and padding to 77 tokens for laion-clap.

A command is {"do": "audio" | "frontend" | "text", "items": [...], "batch": n}; an answer has seconds and page faults.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import torch

RATE_HZ = 48_000
ROBERTA = {
    "model_type": "roberta",
    "vocab_size": 50265,
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
}


class System(Protocol):
    """What is timed."""

    def audio(self, items: list[str], batch: int) -> None:
        """From files to vectors."""

    def frontend(self, items: list[str], batch: int) -> None:
        """From files to features."""

    def text(self, items: list[str], batch: int) -> None:
        """From captions to vectors."""


class _Openclap:
    """This package, through its public `Embedder`."""

    def __init__(self, folder: Path) -> None:
        from openclap.audio.frontend import FRONTEND_PRESETS, Frontend
        from openclap.checkpoints.native import Bundle, BundleConfig
        from openclap.inference.embedder import Embedder
        from openclap.models.clap import Clap, ClapConfig, EncoderConfig
        from openclap.text.tokenizer import Tokenizer, TokenizerConfig

        torch.manual_seed(0)
        config = BundleConfig(
            name="benchmark",
            model=ClapConfig(
                audio=EncoderConfig(name="htsat-tiny"),
                text=EncoderConfig(name="hf", options={"hf": ROBERTA, "pooling": "pooler"}),
            ),
            frontend=FRONTEND_PRESETS["laion"],
            tokenizer=TokenizerConfig(max_length=77),
        )
        self._frontend = Frontend(config.frontend)
        tokenizer = Tokenizer.read(folder, config.tokenizer)
        self._embedder = Embedder.from_bundle(Bundle(Clap(config.model), self._frontend, tokenizer, config))

    def audio(self, items: list[str], batch: int) -> None:
        self._embedder.embed_audio(items, batch_size=batch)

    @torch.inference_mode()
    def frontend(self, items: list[str], batch: int) -> None:
        for group in _groups(items, batch):
            self._frontend(self._frontend.batch([self._frontend.load(item) for item in group]))

    def text(self, items: list[str], batch: int) -> None:
        self._embedder.embed_text(items, batch_size=batch)


class _Transformers:
    """transformers' ClapModel with its own feature extractor."""

    def __init__(self, folder: Path) -> None:
        import peers
        from transformers import ClapFeatureExtractor

        self._peer = peers.hf()
        self._extractor = ClapFeatureExtractor(
            truncation="rand_trunc", padding="repeatpad", frequency_min=50, frequency_max=14000
        )
        self._peer.tokenizer.save_pretrained(folder)

    def audio(self, items: list[str], batch: int) -> None:
        for group in _groups(items, batch):
            self._peer.embed_audio([_read(item) for item in group])

    def frontend(self, items: list[str], batch: int) -> None:
        for group in _groups(items, batch):
            self._extractor([_read(item) for item in group], sampling_rate=RATE_HZ, return_tensors="pt")

    def text(self, items: list[str], batch: int) -> None:
        for group in _groups(items, batch):
            self._peer.embed_text(group)


class _LaionClap:
    """laion-clap's HTSAT-tiny, whose front-end is part of its model."""

    def __init__(self, folder: Path) -> None:
        import peers

        self._peer = peers.laion("HTSAT-tiny")
        self._peer.tokenizer.save_pretrained(folder)

    def audio(self, items: list[str], batch: int) -> None:
        for group in _groups(items, batch):
            self._peer.embed_audio(self._load(group))

    @torch.inference_mode()
    def frontend(self, items: list[str], batch: int) -> None:
        branch = self._peer.model.audio_branch
        for group in _groups(items, batch):
            waveforms = torch.stack([torch.from_numpy(clip) for clip in self._load(group)])
            branch.logmel_extractor(branch.spectrogram_extractor(waveforms))

    def text(self, items: list[str], batch: int) -> None:
        for group in _groups(items, batch):
            self._peer.embed_text(group)

    def _load(self, group: list[str]) -> list[Any]:
        import librosa

        return [librosa.load(item, sr=RATE_HZ)[0] for item in group]


SYSTEMS: dict[str, type[Any]] = {"openclap": _Openclap, "transformers": _Transformers, "laion-clap": _LaionClap}


def _read(path: str) -> Any:
    import soundfile

    return soundfile.read(path, dtype="float32")[0]


def _groups(items: list[str], size: int) -> list[list[str]]:
    return [items[first : first + size] for first in range(0, len(items), size)]


def _page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def answer(system: System, command: dict[str, Any]) -> dict[str, float]:
    """Carry out one command, and say what it took."""
    faults, begin = _page_faults(), time.perf_counter()
    getattr(system, command["do"])(command["items"], command["batch"])
    return {
        "seconds": time.perf_counter() - begin,
        "page_faults": _page_faults() - faults,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    name, folder, *code = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a package prints on its way goes to the error stream
    if code:
        sys.path.insert(0, code[0])
    system = SYSTEMS[name](Path(folder))
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    print(json.dumps({"torch": torch.__version__}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(system, json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
