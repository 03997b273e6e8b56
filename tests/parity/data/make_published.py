"""Make published.json and published.npz: what the peers' own models give with weights made from their names.

    OPENCLAP_PEERS_CODE=… python make_published.py [NAME …]     # in the peers' environment; see ../peers_process.py

Made with laion-clap 1.1.7, msclap 1.3.4, transformers 5.23.0 and torch 2.13.0 on a CPU. For every architecture of
published weights, published.json has the case; "filled": names and shapes of what was learnt; "fixed": those of what
follows from the architecture, and two numbers of each. published.npz has, of the unit vectors of the sounds and texts
in ../published.py, every fourth number.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import peers_process as process
import published
import torch
from peers_huggingface import HuggingFace
from peers_laion import Laion
from peers_msclap import MsClap
from transformers import PreTrainedTokenizerFast

KINDS = {"laion": Laion, "huggingface": HuggingFace, "msclap": MsClap}
CASES = {
    "laion 630k-audioset-best": ("laion", "roberta", {"audio": "HTSAT-tiny", "text": "roberta"}),
    "laion 630k-audioset-fusion-best": (
        "laion",
        "roberta",
        {"audio": "HTSAT-tiny", "text": "roberta", "fusion": "aff_2d"},
    ),
    "laion music_audioset_epoch_15": ("laion", "roberta", {"audio": "HTSAT-base", "text": "roberta"}),
    "huggingface clap-htsat-unfused": ("huggingface", "roberta", {"fusion": False}),
    "huggingface clap-htsat-fused": ("huggingface", "roberta", {"fusion": True}),
    "huggingface larger_clap_general": ("huggingface", "roberta", {"size": "base"}),
    "msclap 2022": ("msclap", "bert", {"version": "2022"}),
    "msclap 2023": ("msclap", "gpt2", {"version": "2023"}),
}


@torch.inference_mode()
def make(name: str) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """One architecture's description and vectors."""
    adapter, tokenizer, case = CASES[name]
    built = KINDS[adapter](**case, enlivened=False)
    with tempfile.TemporaryDirectory() as folder:
        published.write_tokenizer(tokenizer, Path(folder))
        built.set_tokenizer(PreTrainedTokenizerFast.from_pretrained(folder))
    state = built.model.state_dict()
    learnt = {name for name, value in built.model.named_parameters() if value.requires_grad}
    learnt |= {name for name in state if name.endswith(("running_mean", "running_var", "num_batches_tracked"))}
    filled = {name: list(value.shape) for name, value in state.items() if name in learnt}
    fixed = {name: value for name, value in state.items() if name not in learnt}
    built.model.load_state_dict(published.state(filled) | fixed)

    clips = published.sounds(built.sample_rate_hz, built.window, fused=built.fused)
    vectors = {"audio": built.embed_audio(list(clips.values())), "text": built.embed_text(published.TEXTS)}
    vectors = {key: process.unit(value) for key, value in vectors.items()}
    for key, value in vectors.items():
        print(name, key, "cosines", np.round(value @ value.T, 3)[np.triu_indices(len(value), 1)])
    described = {
        "adapter": adapter,
        "tokenizer": tokenizer,
        "config": built.config(),
        "filled": published.fold(filled),
        "fixed": published.fold({n: [*value.shape, *published.fingerprint(value)] for n, value in fixed.items()}),
    }
    return described, {f"{name}/{key}": value[:, published.KEPT] for key, value in vectors.items()}


def main() -> None:
    folder = Path(__file__).parent
    described, vectors = {}, {}
    for name in sys.argv[1:] or CASES:
        described[name], found = make(name)
        vectors |= found
    (folder / "published.json").write_text(json.dumps(described, indent=1) + "\n")
    np.savez(folder / "published.npz", **vectors)


if __name__ == "__main__":
    main()
