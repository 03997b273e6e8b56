"""Make log_mel.npz: what other projects' own code gives for one short signal. Run in an environment that has them:

    PEERS=… python make_vectors.py     # PEERS: the folder of `compat.py`, which makes them import on a CPU torch

Made with librosa 0.11.0, torchlibrosa 0.1.0, torchaudio 2.11.0 (its Python part), laion-clap 1.1.7, msclap 1.3.4 and
torch 2.13.0 on a CPU. Keys: "signal/RATE" is the input, "bank/…" a filter bank (bins, mels), all others are features
(frames, mels).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, os.environ["PEERS"])
import compat  # noqa: F401
import librosa
import torch
import torchaudio.compliance.kaldi
import torchlibrosa
from laion_clap.training.data import get_mel
from msclap.models.audio import get_audio_encoder

SECONDS = 0.3


def signal(rate_hz: int) -> np.ndarray:
    """A rising tone, a click, a little noise and an offset: something in every band and at every level."""
    t = np.arange(round(SECONDS * rate_hz)) / rate_hz
    tone = 0.4 * np.sin(2 * np.pi * (100 + 9000 * t) * t)
    noise = 0.003 * np.random.default_rng(0).standard_normal(len(t))
    click = 0.5 * (np.arange(len(t)) == len(t) // 2)
    return (tone + noise + click + 0.01).astype(np.float32)


def torchlibrosa_log_mel(x: np.ndarray, rate_hz: int, hop: int) -> np.ndarray:
    spectrogram = torchlibrosa.Spectrogram(n_fft=1024, hop_length=hop, win_length=1024)
    bank = torchlibrosa.LogmelFilterBank(sr=rate_hz, n_fft=1024, n_mels=64, fmin=50, fmax=14000, top_db=None)
    return bank(spectrogram(torch.from_numpy(x)[None]))[0, 0].numpy()


def kaldi(x: np.ndarray, **options: object) -> np.ndarray:
    return torchaudio.compliance.kaldi.fbank(
        torch.from_numpy(x)[None], sample_frequency=16000, dither=0.0, **options
    ).numpy()


def msclap_log_mel(name: str, x: np.ndarray, fmax: int) -> np.ndarray:
    encoder = get_audio_encoder(name)(44100, 1024, 320, 64, 50, fmax, 527, 768)
    encoder = getattr(encoder, "htsat", encoder)
    with torch.no_grad():
        return encoder.logmel_extractor(encoder.spectrogram_extractor(torch.from_numpy(x)[None]))[0, 0].numpy()


def main() -> None:
    out = {f"signal/{rate}": signal(rate) for rate in (48000, 44100, 16000)}
    x48, x44, x16 = (out[f"signal/{rate}"] for rate in (48000, 44100, 16000))

    for scale, norm in (("slaney", "slaney"), ("slaney", "none"), ("htk", "none"), ("htk", "slaney")):
        out[f"bank/librosa/{scale}/{norm}"] = librosa.filters.mel(
            sr=48000,
            n_fft=1024,
            n_mels=64,
            fmin=50,
            fmax=14000,
            htk=scale == "htk",
            norm=None if norm == "none" else norm,
            dtype=np.float64,
        ).T
    out["bank/kaldi"] = torchaudio.compliance.kaldi.get_mel_banks(128, 512, 16000.0, 20.0, 0.0, 100.0, -500.0, 1.0)[
        0
    ].T.numpy()

    out["torchlibrosa/laion"] = torchlibrosa_log_mel(x48, 48000, 480)
    audio_cfg = {"sample_rate": 48000, "window_size": 1024, "hop_size": 480, "mel_bins": 64, "fmin": 50, "fmax": 14000}
    out["laion_clap/get_mel"] = get_mel(torch.from_numpy(x48), audio_cfg).numpy()
    out["msclap/2022"] = msclap_log_mel("Cnn14", x44, 14000)
    out["msclap/2023"] = msclap_log_mel("HTSAT", x44, 8000)

    mel = {"sr": 48000, "n_fft": 1024, "hop_length": 480, "n_mels": 64, "fmin": 50, "fmax": 14000}
    out["librosa/top_db"] = librosa.power_to_db(
        librosa.feature.melspectrogram(y=x48, **mel), ref=0.5, amin=1e-10, top_db=30.0
    ).T
    magnitude = librosa.feature.melspectrogram(
        y=x48, power=1.0, win_length=800, window="hamming", pad_mode="constant", **mel
    )
    out["librosa/magnitude"] = librosa.power_to_db(magnitude, top_db=None).T

    out["kaldi/default"] = kaldi(x16)
    out["kaldi/int16"] = kaldi(x16 * 32768.0, num_mel_bins=80)
    out["kaldi/mirror"] = kaldi(
        x16, num_mel_bins=40, snip_edges=False, window_type="hamming", preemphasis_coefficient=0.9
    )
    centred = x16 - x16.mean()
    fbank = kaldi(centred, htk_compat=True, use_energy=False, window_type="hanning", num_mel_bins=128, frame_shift=10)
    padded = np.pad(fbank, ((0, 1024 - len(fbank)), (0, 0)))  # AudioMAE's data set: ZeroPad2d, then normalise
    out["audiomae"] = ((padded - -4.2677393) / (4.5689974 * 2))[:40]  # 28 frames of sound, then padding

    path = Path(__file__).with_name("log_mel.npz")
    np.savez_compressed(
        path,
        **{
            key: value.astype(np.float64 if key.startswith("bank/librosa") else np.float32)
            for key, value in out.items()
        },
    )
    for key, value in out.items():
        print(key, value.shape)
    print(path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
