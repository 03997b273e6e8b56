"""How long does a clip take from file to features, step by step, and how long with the peers' code?

    python benchmarks/frontend.py [--threads 2] [--seconds 10] [--peers PYTHON] [--json FILE]

Median of repeats, in milliseconds a clip, of made-up stereo sound at 44.1 kHz. PYTHON is the interpreter of an
environment with librosa, torchlibrosa, torchaudio and transformers; it runs this same file, right after ours, on the
same files with the same number of threads. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch

FORMATS = ("wav", "flac", "ogg", "mp3")
FILE_RATE_HZ, RATE_HZ = 44_100, 48_000
LAION = {"n_fft": 1024, "hop_length": 480, "n_mels": 64}


def median_ms(call: Callable[[], object], clips: int = 1, repeats: int = 15) -> float:
    """Median time of a call in milliseconds, by the clip."""
    for _ in range(3):
        call()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return round(1000 * statistics.median(times) / clips, 2)


def write_files(folder: Path, seconds: float) -> None:
    n = round(seconds * FILE_RATE_HZ)
    samples = np.random.default_rng(0).standard_normal((n, 2)) * np.linspace(0.01, 0.2, n)[:, None]
    for kind in FORMATS:
        soundfile.write(folder / f"clip.{kind}", samples, FILE_RATE_HZ)


def clips_at_48_khz(seconds: float, count: int) -> torch.Tensor:
    return 0.1 * torch.randn(count, round(seconds * RATE_HZ), generator=torch.Generator().manual_seed(0))


def ours(folder: Path, seconds: float) -> dict[str, float]:
    from openclap.audio.decode import decode
    from openclap.audio.frontend import FRONTEND_PRESETS, Frontend
    from openclap.audio.mel import MEL_PRESETS, LogMel
    from openclap.audio.resample import resample

    frontend = Frontend(FRONTEND_PRESETS["laion"].model_copy(update={"window_s": seconds}))
    waveform = decode(folder / "clip.wav")
    times = {f"decode {kind}": median_ms(lambda kind=kind: decode(folder / f"clip.{kind}")) for kind in FORMATS}
    times["resample 44.1 to 48 kHz"] = median_ms(lambda: resample(waveform, RATE_HZ))
    for batch in (1, 8, 32):
        clips = clips_at_48_khz(seconds, batch)
        times[f"log-mel laion, batch {batch}"] = median_ms(lambda clips=clips: frontend.log_mel(clips), batch)
    kaldi = LogMel(MEL_PRESETS["audiomae"])
    clips = clips_at_48_khz(seconds / 3, 8)
    times["log-mel audiomae, batch 8"] = median_ms(lambda: kaldi(clips), 8)
    times["ogg to features"] = median_ms(lambda: frontend(frontend.batch([frontend.load(folder / "clip.ogg")])))
    return times


def peers(folder: Path, seconds: float) -> dict[str, float]:
    import librosa
    import torchaudio.compliance.kaldi
    import torchlibrosa
    from transformers import ClapFeatureExtractor

    times = {}
    for kind in FORMATS:
        path = folder / f"clip.{kind}"
        times[f"librosa: decode {kind}"] = median_ms(lambda path=path: librosa.load(path, sr=None))
    samples, _ = librosa.load(folder / "clip.wav", sr=None)
    times["librosa: resample 44.1 to 48 kHz"] = median_ms(
        lambda: librosa.resample(samples, orig_sr=FILE_RATE_HZ, target_sr=RATE_HZ)
    )
    batch = clips_at_48_khz(seconds, 8)
    clip = batch[0].numpy()
    limits = {"fmin": 50, "fmax": 14000}
    times["librosa: log-mel"] = median_ms(
        lambda: librosa.power_to_db(librosa.feature.melspectrogram(y=clip, sr=RATE_HZ, **LAION, **limits), top_db=None)
    )
    spectrogram = torchlibrosa.Spectrogram(n_fft=1024, hop_length=480)
    bank = torchlibrosa.LogmelFilterBank(sr=RATE_HZ, n_fft=1024, n_mels=64, top_db=None, **limits)
    mel = torchaudio.transforms.MelSpectrogram(RATE_HZ, **LAION, f_min=50, f_max=14000)
    to_db = torchaudio.transforms.AmplitudeToDB()
    extractor = ClapFeatureExtractor(frequency_min=50, truncation="rand_trunc", padding="repeatpad")
    with torch.inference_mode():
        times["torchlibrosa: log-mel, batch 1"] = median_ms(lambda: bank(spectrogram(batch[:1])))
        times["torchlibrosa: log-mel, batch 8"] = median_ms(lambda: bank(spectrogram(batch)), 8)
        times["torchaudio: log-mel, batch 1"] = median_ms(lambda: to_db(mel(batch[:1])))
        times["torchaudio: log-mel, batch 8"] = median_ms(lambda: to_db(mel(batch)), 8)
        third = clips_at_48_khz(seconds / 3, 1)
        fbank = torchaudio.compliance.kaldi.fbank
        times["torchaudio: Kaldi fbank"] = median_ms(
            lambda: fbank(third, window_type="hanning", num_mel_bins=128, htk_compat=True)
        )
    times["transformers: ClapFeatureExtractor"] = median_ms(lambda: extractor(clip, sampling_rate=RATE_HZ), repeats=7)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a clip")
    parser.add_argument("--peers", metavar="PYTHON", help="interpreter of the peers' environment")
    parser.add_argument("--json", type=Path, help="where to write the numbers as JSON")
    parser.add_argument("--as-peer", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.as_peer:
        print(json.dumps(peers(options.as_peer, options.seconds)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder, options.seconds)
        with torch.inference_mode():
            times = {f"openclap: {step}": ms for step, ms in ours(folder, options.seconds).items()}
        if options.peers:
            same = ["--threads", str(options.threads), "--seconds", str(options.seconds), "--as-peer", name]
            environment = os.environ | {"OMP_NUM_THREADS": str(options.threads), "HF_HUB_OFFLINE": "1"}
            run = subprocess.run(
                [options.peers, __file__, *same], check=True, stdout=subprocess.PIPE, text=True, env=environment
            )
            times |= json.loads(run.stdout.splitlines()[-1])
    for step, ms in times.items():
        print(f"{ms:9.2f} ms  {step}")
    if options.json:
        about = {
            "torch": torch.__version__,
            "threads": options.threads,
            "seconds": options.seconds,
            "python": sys.version,
        }
        options.json.write_text(json.dumps({"about": about, "ms_per_clip": times}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
