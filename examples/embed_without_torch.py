"""Vectors of an exported model without torch and without openclap: numpy, soundfile, soxr, tokenizers, onnxruntime.

openclap export MODEL EXPORTED
python embed_without_torch.py EXPORTED RECORDING "a siren" …
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile
import soxr
import tokenizers


def main(exported: str, recording: str, *texts: str) -> None:
    folder = Path(exported)
    about = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    for text, cosine in zip(
        texts, embed_text(folder, about, texts) @ embed_audio(folder, about, recording), strict=True
    ):
        print(f"{text}: {cosine:.3f}")


def embed_audio(folder: Path, about: dict, recording: str) -> np.ndarray:
    samples, rate_hz = soundfile.read(recording, dtype="float32", always_2d=True)
    samples = soxr.resample(samples.mean(axis=1), rate_hz, about["sample_rate_hz"], quality="HQ")
    last = max(0, len(samples) - about["window_samples"])
    model = onnxruntime.InferenceSession(folder / "audio.onnx")
    windows = [
        samples[start : start + about["window_samples"]] for start in (*range(0, last, about["window_samples"]), last)
    ]
    vectors = [model.run(None, {"waveforms": window[None]})[0][0] for window in windows]
    mean = np.mean(vectors, axis=0)
    return mean / np.linalg.norm(mean)


def embed_text(folder: Path, about: dict, texts: tuple[str, ...]) -> np.ndarray:
    encode = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")).encode
    most, end = about["max_tokens"], about["end_tokens"]
    rows = [encode(text + about["append"]).ids for text in texts]
    rows = [row if len(row) <= most else row[: most - end] + row[len(row) - end :] for row in rows]
    input_ids = np.full((len(rows), max(map(len, rows))), about["pad_id"], np.int64)
    mask = np.zeros_like(input_ids)
    for index, row in enumerate(rows):
        input_ids[index, : len(row)], mask[index, : len(row)] = row, 1
    model = onnxruntime.InferenceSession(folder / "text.onnx")
    return model.run(None, {"input_ids": input_ids, "attention_mask": mask})[0]


if __name__ == "__main__":
    main(*sys.argv[1:])
