"""The systems that `embed.py` times, each in a process of its own that takes commands as JSON lines.

    python benchmarks/embed_systems.py SYSTEM MODEL FOLDER DEVICE [PEERS_CODE]

SYSTEM is "openclap-fp32", "openclap-bf16", "openclap-int8", "transformers" or "laion-clap"; MODEL is "htsat-tiny" or
"pann-cnn14"; FOLDER holds the tokenizer that all share (a peer writes it), and openclap's model, which the first of its
processes writes. The peers' models are built by the `peers.py` in the folder PEERS_CODE. All have random weights of the
size that trained ones have, and each does what its own users do. openclap is given all items at once and told the
batch: it decodes ahead, gives each core a clip of its own where the batch has several, and puts texts of like length
together. The peers have no such thing: their users loop over batches, with soundfile and ClapFeatureExtractor for
transformers, librosa and padding to 77 tokens for laion-clap.

A command is {"do": "audio" | "frontend" | "text" | "vectors" | "texts", "items": [...], "batch": n}; an answer has
seconds and page faults, or for the last two the file that the vectors were written to.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

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
    """This package, through its public `load`."""

    def __init__(self, precision: Any, model: str, folder: Path, device: str) -> None:
        import openclap
        from openclap.audio.frontend import FRONTEND_PRESETS, Frontend

        path = folder / model
        if not path.exists():
            _write_bundle(model, folder, path)
        self._device = device
        self._frontend = Frontend(FRONTEND_PRESETS["laion"]).to(device)
        self._embedder = openclap.load(path, device, precision=precision, check=False)

    def audio(self, items: list[str], batch: int) -> None:
        self.vectors(items, batch)

    def vectors(self, items: list[str], batch: int) -> np.ndarray:
        return self._embedder.embed_audio(items, batch_size=batch)

    @torch.inference_mode()
    def frontend(self, items: list[str], batch: int) -> None:
        for group in _groups(items, batch):
            clips = self._frontend.batch([self._frontend.load(item) for item in group])
            self._frontend(clips.to(self._device)).cpu()

    def text(self, items: list[str], batch: int) -> None:
        self.texts(items, batch)

    def texts(self, items: list[str], batch: int) -> np.ndarray:
        return self._embedder.embed_text(items, batch_size=batch)


class _Transformers:
    """transformers' ClapModel with its own feature extractor."""

    def __init__(self, model: str, folder: Path, device: str) -> None:
        import peers
        from transformers import ClapFeatureExtractor

        if model != "htsat-tiny":
            raise SystemExit(f"transformers has no {model}")
        peer = peers.hf()
        self._model, self._tokenizer, self._device = peer.model.to(device), peer.tokenizer, device
        self._extractor = ClapFeatureExtractor(
            truncation="rand_trunc", padding="repeatpad", frequency_min=50, frequency_max=14000
        )
        self._tokenizer.save_pretrained(folder)

    @torch.inference_mode()
    def audio(self, items: list[str], batch: int) -> None:
        for group in _groups(items, batch):
            _fetch(self._model.get_audio_features(self._features(group).to(self._device)))

    def frontend(self, items: list[str], batch: int) -> None:
        for group in _groups(items, batch):
            self._features(group)

    @torch.inference_mode()
    def text(self, items: list[str], batch: int) -> None:
        for group in _groups(items, batch):
            tokens = self._tokenizer(group, padding=True, truncation=True, max_length=512, return_tensors="pt")
            _fetch(self._model.get_text_features(**tokens.to(self._device)))

    def _features(self, group: list[str]) -> torch.Tensor:
        clips = [_read(item) for item in group]
        return self._extractor(clips, sampling_rate=RATE_HZ, return_tensors="pt")["input_features"]  # type: ignore[no-any-return]


class _LaionClap:
    """laion-clap, whose front-end is part of its model."""

    def __init__(self, model: str, folder: Path, device: str) -> None:
        import peers

        self._peer = peers.laion({"htsat-tiny": "HTSAT-tiny", "pann-cnn14": "PANN-14"}[model])
        self._peer.tokenizer.save_pretrained(folder)
        self._peer.model.to(device)  # its own code puts what it is given there

    def audio(self, items: list[str], batch: int) -> None:
        for group in _groups(items, batch):
            _fetch(self._peer.embed_audio(self._load(group)))

    @torch.inference_mode()
    def frontend(self, items: list[str], batch: int) -> None:
        branch = self._peer.model.audio_branch
        for group in _groups(items, batch):
            waveforms = torch.stack([torch.from_numpy(clip) for clip in self._load(group)])
            branch.logmel_extractor(branch.spectrogram_extractor(waveforms.to(next(branch.parameters()).device)))

    def text(self, items: list[str], batch: int) -> None:
        for group in _groups(items, batch):
            _fetch(self._peer.embed_text(group))

    def _load(self, group: list[str]) -> list[Any]:
        import librosa

        return [librosa.load(item, sr=RATE_HZ)[0] for item in group]


SYSTEMS: dict[str, type[Any]] = {"transformers": _Transformers, "laion-clap": _LaionClap}


def _write_bundle(model: str, folder: Path, path: Path) -> None:
    from openclap.audio.frontend import FRONTEND_PRESETS, Frontend
    from openclap.checkpoints.native import Bundle, BundleConfig, save_bundle
    from openclap.models.clap import Clap, ClapConfig, EncoderConfig
    from openclap.text.tokenizer import Tokenizer, TokenizerConfig

    torch.manual_seed(0)
    config = BundleConfig(
        name="benchmark",
        model=ClapConfig(
            audio=EncoderConfig(name=model),
            text=EncoderConfig(name="hf", options={"hf": ROBERTA, "pooling": "pooler"}),
        ),
        frontend=FRONTEND_PRESETS["laion"],
        tokenizer=TokenizerConfig(max_length=77),
    )
    frontend, clap = Frontend(config.frontend), _enliven(Clap(config.model))
    _settle_norms(clap, frontend)
    save_bundle(Bundle(clap, frontend, Tokenizer.read(folder, config.tokenizer), config), path)


def _enliven(model: nn.Module) -> nn.Module:
    """Weights under which signals keep their size through all layers: what starts near zero would hide rounding."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape)
            if weight.ndim <= 1:
                weight.add_(0.1 * noise if "logit" not in name else 0)
            elif "relative_bias" in name or "position_embedding" in name:
                weight.copy_(0.3 * noise)
            else:
                weight.copy_(noise * (1.7 / weight[0].numel()) ** 0.5)
    return model


@torch.no_grad()
def _settle_norms(model: Any, frontend: Any) -> None:
    """Give batch norms the statistics of varied sound, as training would."""
    generator = np.random.default_rng(0)
    time_s = np.arange(frontend.config.window_samples) / RATE_HZ
    sounds = []
    for level in (0, 0.3, 0.01, 0.1):
        sweep = np.sin(2 * np.pi * generator.uniform(80, 6000) * time_s * (1 + 0.2 * time_s))
        sounds.append((0.3 * sweep + level * generator.standard_normal(time_s.size)).astype(np.float32))
    batch = frontend.batch([frontend.fit(sound) for sound in sounds])
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    model.eval()
    for norm in norms:
        norm.train().momentum = 1.0
    model.encode_audio(frontend(batch), None)
    for norm in norms:
        norm.eval().momentum = 0.1


def _fetch(found: Any) -> None:
    """Wait for a result, as whoever uses it does."""
    found = getattr(found, "pooler_output", found)
    if torch.is_tensor(found):
        nn.functional.normalize(found.float(), dim=-1).cpu().numpy()


def _read(path: str) -> Any:
    import soundfile

    return soundfile.read(path, dtype="float32")[0]


def _groups(items: list[str], size: int) -> list[list[str]]:
    return [items[first : first + size] for first in range(0, len(items), size)]


def _page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def answer(system: Any, command: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Carry out one command, and say what it took or where its vectors lie."""
    do, items, batch = command["do"], command["items"], command["batch"]
    if do in {"vectors", "texts"}:
        path = folder / f"{os.getpid()}-{do}.npy"
        np.save(path, getattr(system, do)(items, batch))
        return {"path": str(path)}
    faults, begin = _page_faults(), time.perf_counter()
    getattr(system, do)(items, batch)
    return {
        "seconds": time.perf_counter() - begin,
        "page_faults": _page_faults() - faults,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    name, model, folder, device, *code = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a package prints on its way goes to the error stream
    if code:
        sys.path.insert(0, code[0])
    kind, _, precision = name.partition("-")
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if kind == "openclap":
        system: Any = _Openclap(precision, model, Path(folder), device)
    else:
        system = SYSTEMS[name](model, Path(folder), device)
    print(json.dumps({"torch": torch.__version__}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(system, json.loads(line), Path(folder))), file=answers, flush=True)


if __name__ == "__main__":
    main()
