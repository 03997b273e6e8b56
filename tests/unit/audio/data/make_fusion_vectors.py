"""Make fusion.npz: the four views that LAION-CLAP and Hugging Face make of clips longer than a window of 0.1 s.

    PEERS=… python make_fusion_vectors.py     # PEERS: the folder of `compat.py`, which makes them import on a CPU torch

Made with laion-clap 1.1.7, torchvision 0.28.0 and transformers 5.23.0. Both draw the parts' places; here they are made
to take the middle of what they would draw from. Keys: "laion/N" and "huggingface/N" are the views (4, 11, 8: every
eighth mel bin) of the first N samples of log_mel.npz's "signal/48000"; "longer" holds those N that both flag as longer.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, os.environ["PEERS"])
import compat  # noqa: F401
import torch
from laion_clap.training.data import get_audio_features
from make_vectors import signal
from transformers import ClapFeatureExtractor

RATE_HZ, WINDOW, HOP = 48_000, 4_800, 480
LENGTHS = (WINDOW + HOP - 1, WINDOW + HOP, WINDOW + 2 * HOP, round(0.28 * RATE_HZ))


def main() -> None:
    np.random.choice = lambda places: places[len(places) // 2]
    whole = signal(RATE_HZ)
    config = {"sample_rate": RATE_HZ, "window_size": 1024, "hop_size": HOP, "mel_bins": 64, "fmin": 50, "fmax": 14000}
    extractor = ClapFeatureExtractor(frequency_min=50, truncation="fusion")
    out: dict[str, np.ndarray] = {}
    longer = []
    for length in LENGTHS:
        clip = whole[:length]
        laion = get_audio_features({}, torch.from_numpy(clip), WINDOW, "fusion", "repeatpad", config)
        views, flag = extractor._get_input_mel(clip, WINDOW, "fusion", "repeatpad")
        assert bool(laion["longer"]) == flag
        out[f"laion/{length}"] = laion["mel_fusion"].numpy()[..., ::8]
        out[f"huggingface/{length}"] = np.asarray(views, np.float32)[..., ::8]
        longer += [length] * flag
    path = Path(__file__).with_name("fusion.npz")
    np.savez_compressed(path, longer=longer, **out)
    print(path.stat().st_size, "bytes;", {key: value.shape for key, value in out.items()}, longer)


if __name__ == "__main__":
    main()
